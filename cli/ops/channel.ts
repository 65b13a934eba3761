// kfn promote, kfn channel: points a channel of a name at a version, and shows where channels point (docs/formats/channel.md). Refuses
// to name a version's content by anything but the registry's index, and to sign another pointer than was there at the start.

import { parseBundleName, parseVersion } from "#bundle/name.ts";
import {
	CHANNEL_LIMITS,
	type ChannelPointer,
	newChannel,
	parseChannelFile,
	unverifiedChannel,
} from "#signing/channel.ts";
import type { ChannelName } from "#signing/channel-name.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { followChannels } from "../client/channel.ts";
import { openRegistryClient } from "../client/registry.ts";
import { parseExact, selectVersion } from "../client/select.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput, writeOutput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

export interface PromoteInput {
	/** NAME@VERSION. */
	readonly request: string;
	readonly channel: ChannelName;
	readonly keys: readonly string[];
	/** Where the pointer is written instead of being published. */
	readonly out: string | undefined;
	readonly registry: string | undefined;
}

/** Makes the next pointer of a channel and publishes it; with `out`, only writes it, signed with what keys there are. */
export async function promote(context: Context, input: PromoteInput): Promise<Output> {
	const request = parseExact(input.request);
	const name = parseBundleName(request.name);
	const isFile = input.out !== undefined;
	// Before anything is asked of a registry, and of a person only once.
	const keys = isFile && input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	const source = await openTrustedSource(context, input.registry);
	const { version, manifestSha256 } = selectVersion(await source.index(name), parseVersion(request.version));
	const shown = await followChannels(openContextHost(context), source, name);
	const serial = (shown.get(input.channel)?.pointer.serial ?? 0) + 1;
	const issued = tufTime(new Date());
	let envelope = newChannel({ name, channel: input.channel, version, manifestSha256, serial, issued });
	for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
	if (input.out === undefined) return publish(context, envelope, input.registry);
	await writeOutput(input.out, serializeDsseEnvelope(envelope), { overwrite: false });
	return fileOutput(envelope, input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signChannel(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	const before = await readChannel(input.file);
	unverifiedChannel(before);
	const keys = await openSigningKeys(context, input.keys);
	let envelope = before;
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(input.file, async (bytes) => {
		envelope = parseChannelFile(bytes);
		if (!Buffer.from(envelope.payload).equals(before.payload)) throw replaced(input.file);
		for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
		return serializeDsseEnvelope(envelope);
	});
	return fileOutput(envelope, input.file);
}

/** Sends the pointer to a registry, which verifies it and lists it. */
export async function publishChannel(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	return publish(context, await readChannel(input.file), input.registry);
}

/** Where the channels of a name point, as this host would follow them; or what a file claims. */
export async function showChannel(
	context: Context,
	input: { subject: string; registry: string | undefined },
): Promise<Output> {
	if (/[./]/.test(input.subject)) return fileOutput(await readChannel(input.subject), input.subject);
	const name = parseBundleName(input.subject);
	const source = await openTrustedSource(context, input.registry);
	const shown = await followChannels(openContextHost(context), source, name);
	const pointers = [...shown.values()].map(({ pointer }) => pointer);
	return {
		json: { channels: pointers },
		text:
			pointers.length === 0
				? `${name} has no channels: its newest version counts`
				: pointers.map(pointerLine).join("\n"),
	};
}

async function publish(
	context: Context,
	envelope: DsseEnvelope,
	registry: string | undefined,
): Promise<Output> {
	const pointer = unverifiedChannel(envelope);
	const { name, channel } = pointer;
	const client = await openRegistryClient(context, registry);
	context.onStep({ step: "publishing", detail: `channel ${channel} of ${name}` });
	const statement = { kind: "channel", name, id: channel };
	const { created } = await client.publishStatement(statement, serializeDsseEnvelope(envelope));
	const text = created ? pointerLine(pointer) : `${pointerLine(pointer)}, and did so before`;
	return { json: { ...pointer, registry: client.description, created }, text };
}

function fileOutput(envelope: DsseEnvelope, file: string): Output {
	const pointer = unverifiedChannel(envelope);
	const signatures = envelope.signatures.map(({ keyid }) => keyid).sort();
	const signed =
		signatures.length === 0
			? "signed    no (kfn channel sign adds a signature)"
			: `signed    ${signatures.join(", ")}`;
	const lines = [`channel   ${pointerLine(pointer)}`, `manifest  ${pointer.manifestSha256}`, signed];
	return { json: { ...pointer, file, signatures }, text: lines.join("\n") };
}

function pointerLine({ name, channel, version, serial, issued }: ChannelPointer): string {
	return `${channel} of ${name} points to ${version} (serial ${serial}, ${issued})`;
}

async function readChannel(file: string): Promise<DsseEnvelope> {
	return parseChannelFile(await readInput(file, CHANNEL_LIMITS.envelopeBytes));
}

function replaced(file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another pointer meanwhile`, {
		hint: "look at what is there now (kfn channel show), then sign that",
	});
}
