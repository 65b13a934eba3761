// kfn permit: makes, signs, shows and publishes rollback permits (docs/formats/permit.md). Refuses to sign another permit than was
// there when the command started, and to name a version's content by anything but its bundle or the registry's index.

import { randomBytes } from "node:crypto";
import { openBundle } from "#bundle/bundle.ts";
import { parseBundleName, parseVersion } from "#bundle/name.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { newPermit, PERMIT_LIMITS, type Permit, parsePermitFile, unverifiedPermit } from "#signing/permit.ts";
import { expiryAfter, tufTime } from "#signing/tuf/time.ts";
import { normalVersionRange, type VersionRange } from "#signing/version-range.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import { openRegistryClient } from "../client/registry.ts";
import { selectVersion } from "../client/select.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput, writeOutput } from "../files.ts";
import { permitDocument, permitText } from "../output/permit.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

export interface PermitInput {
	readonly name: string;
	/** As typed: any range that is bounded at both ends. */
	readonly from: string;
	/** A version that the registry lists, or a .kfn file. */
	readonly to: string;
	readonly reason: string;
	readonly days: number;
	readonly keys: readonly string[];
	readonly out: string;
	readonly registry: string | undefined;
}

/** Writes a new permit, signed with `keys` if there are any; the keys are opened before anything is asked of a registry. */
export async function createPermit(context: Context, input: PermitInput): Promise<Output> {
	const name = parseBundleName(input.name);
	const from = rangeOf(input.from);
	const keys = input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	const now = new Date();
	let envelope = usable({
		id: randomBytes(16).toString("hex"),
		name,
		from,
		to: await targetOf(context, name, input),
		reason: input.reason,
		issued: tufTime(now),
		expires: expiryAfter(now, input.days),
	});
	for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
	await writeOutput(input.out, serializeDsseEnvelope(envelope), { overwrite: false });
	return outputOf(envelope, input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signPermit(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	const before = await readPermit(input.file);
	unverifiedPermit(before);
	const keys = await openSigningKeys(context, input.keys);
	let envelope = before;
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(input.file, async (bytes) => {
		envelope = parsePermitFile(bytes);
		if (!Buffer.from(envelope.payload).equals(before.payload)) throw replaced(input.file);
		for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
		return serializeDsseEnvelope(envelope);
	});
	return outputOf(envelope, input.file);
}

/** What the file claims and who claims to have signed it: a host verifies it when it uses it. */
export async function showPermit(_context: Context, input: { file: string }): Promise<Output> {
	return outputOf(await readPermit(input.file), input.file);
}

/** Sends the permit to a registry, which verifies it and lists it in the index of its name. */
export async function publishPermit(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const envelope = await readPermit(input.file);
	const { id, name, to } = unverifiedPermit(envelope);
	const client = await openRegistryClient(context, input.registry);
	context.onStep({ step: "publishing", detail: `permit ${id}` });
	const { created } = await client.publishStatement(
		{ kind: "permit", name, id },
		serializeDsseEnvelope(envelope),
	);
	const where = client.description;
	return {
		json: { id, name, version: to.version, registry: where, created },
		text: created
			? `published permit ${id} for ${name} ${to.version} to ${where}`
			: `permit ${id} was already published to ${where}`,
	};
}

export async function readPermit(file: string): Promise<DsseEnvelope> {
	return parsePermitFile(await readInput(file, PERMIT_LIMITS.envelopeBytes));
}

function outputOf(envelope: DsseEnvelope, file: string): Output {
	const document = permitDocument(envelope, file, new Date());
	return { json: document, text: permitText(document) };
}

/** What the format refuses is here what the user typed: a reason of two lines, a target that is no step down. */
function usable(permit: Permit): DsseEnvelope {
	try {
		return newPermit(permit);
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "PERMIT_MALFORMED") throw error;
		throw new CliError("CLI_USAGE", `no such permit can be made: ${String(error.details["why"])}`);
	}
}

function rangeOf(typed: string): VersionRange {
	const range = normalVersionRange(typed);
	if (range !== undefined) return range;
	throw new CliError("CLI_USAGE", `"${typed}" is not a range of versions with both ends`, {
		hint: "name what may be left, and nothing that is still to come: 1.0.1, or '>=1.0.1 <=1.0.3'",
	});
}

async function targetOf(context: Context, name: string, input: PermitInput): Promise<Permit["to"]> {
	if (isFileRequest(input.to)) {
		const { manifest, manifestDigest } = await openBundle(await readInput(input.to));
		if (manifest.name === name) return { version: manifest.version, manifestSha256: manifestDigest };
		throw new CliError("CLI_USAGE", `${input.to} holds ${manifest.name}, not ${name}`);
	}
	const version = parseVersion(input.to);
	const source = await openTrustedSource(context, input.registry);
	context.onStep({ step: "reading index", detail: name });
	const { manifestSha256 } = selectVersion(await source.index(name), version);
	return { version, manifestSha256 };
}

function replaced(file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another permit meanwhile`, {
		hint: "look at what is there now (kfn permit show), then sign that",
	});
}
