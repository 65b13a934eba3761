// kfn advisory: makes, signs, withdraws, publishes and shows advisories (docs/formats/advisory.md). Refuses to sign another document than
// was there when the command started, and to call anything verified that came out of a file.

import { parseBundleName } from "#bundle/name.ts";
import type { KnownList } from "#host/advisories/known.ts";
import {
	ADVISORY_LIMITS,
	ADVISORY_SCHEMA,
	newAdvisory,
	parseAdvisoryFile,
	unverifiedAdvisory,
} from "#signing/advisory.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { OSV_SCHEMA_VERSION } from "#signing/osv/document.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { learnAdvisories } from "../client/advisories.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import { openRegistryClient } from "../client/registry.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput, writeOutput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { advisoryDocument, advisoryText, knownListText } from "../output/advisory.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Puts an OSV document, as its author writes it, into an envelope. `modified` is now; what else is the same in every advisory is filled in. */
export async function createAdvisory(
	context: Context,
	input: { document: string; keys: readonly string[]; out: string },
): Promise<Output> {
	const typed = await readInput(input.document, ADVISORY_LIMITS.payloadBytes);
	const keys = input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	const envelope = usable(completed(jsonOf(typed, input.document), tufTime(new Date())));
	return write(envelope, keys, input.out);
}

/** A new document that takes the given one back, from now on; signed and published as any other. */
export async function withdrawAdvisory(
	context: Context,
	input: { file: string; reason: string; keys: readonly string[]; out: string },
): Promise<Output> {
	const before = await readAdvisory(input.file);
	const { withdrawn, id, details, modified } = unverifiedAdvisory(before);
	if (withdrawn !== null) throw new CliError("CLI_USAGE", `${id} is withdrawn already, since ${withdrawn}`);
	const keys = input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	// Later than what it takes back, even within one second or on a slow clock: only the later one counts.
	const now = tufTime(new Date(Math.max(Date.now(), Date.parse(modified) + 1000)));
	const document = JSON.parse(Buffer.from(before.payload).toString("utf8")) as Fields;
	const why = [...(details === "" ? [] : [details]), `Withdrawn: ${input.reason}`].join("\n\n");
	return write(usable({ ...document, modified: now, withdrawn: now, details: why }), keys, input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signAdvisory(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	const before = await readAdvisory(input.file);
	unverifiedAdvisory(before);
	const keys = await openSigningKeys(context, input.keys);
	let envelope = before;
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(input.file, async (bytes) => {
		envelope = parseAdvisoryFile(bytes);
		if (!Buffer.from(envelope.payload).equals(before.payload)) throw replaced(input.file);
		for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
		return serializeDsseEnvelope(envelope);
	});
	return outputOf(envelope, input.file);
}

/** What a file claims, unverified; or, for a bundle name, what this host knows after it asked the registry, all of it verified. */
export async function showAdvisory(
	context: Context,
	input: { subject: string; registry: string | undefined },
): Promise<Output> {
	if (isFileRequest(input.subject) || input.subject.endsWith(".json"))
		return outputOf(await readAdvisory(input.subject), input.subject);
	const name = parseBundleName(input.subject);
	const host = openContextHost(context);
	const source = await openTrustedSource(context, input.registry);
	const known = await learnAdvisories(host, source, [name]);
	const list = known.find((candidate) => candidate.name === name) as KnownList;
	const advisories = list.advisories.map(({ envelope }) => advisoryDocument(envelope));
	return {
		json: { name, since: list.since, notices: list.notices, advisories },
		text: knownListText(name, list.notices, advisories),
		exit: list.notices.length === 0 ? 0 : 3,
	};
}

/** Sends the advisory to a registry, once for each name that it speaks for. */
export async function publishAdvisory(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const envelope = await readAdvisory(input.file);
	const { id, names, withdrawn } = unverifiedAdvisory(envelope);
	const client = await openRegistryClient(context, input.registry);
	const published: { name: string; created: boolean }[] = [];
	for (const name of names) {
		context.onStep({ step: "publishing", detail: `advisory ${id} of ${name}` });
		const file = serializeDsseEnvelope(envelope);
		published.push({ name, ...(await client.publishStatement({ kind: "advisory", name, id }, file)) });
	}
	const where = client.description;
	const what = `${withdrawn === null ? "" : "withdrawal of "}advisory ${id} for ${names.join(", ")}`;
	const isNew = published.some(({ created }) => created);
	return {
		json: { id, names, withdrawn, registry: where, created: isNew, published },
		text: isNew ? `published ${what} to ${where}` : `${what} was already published to ${where}`,
	};
}

async function readAdvisory(file: string): Promise<DsseEnvelope> {
	return parseAdvisoryFile(await readInput(file, ADVISORY_LIMITS.envelopeBytes));
}

async function write(
	unsigned: DsseEnvelope,
	keys: Awaited<ReturnType<typeof openSigningKeys>>,
	out: string,
): Promise<Output> {
	let envelope = unsigned;
	for (const key of keys) envelope = await signDsseEnvelope(envelope, key);
	await writeOutput(out, serializeDsseEnvelope(envelope), { overwrite: false });
	return outputOf(envelope, out);
}

function outputOf(envelope: DsseEnvelope, file: string): Output {
	const document = { file, ...advisoryDocument(envelope) };
	return { json: document, text: advisoryText(document) };
}

/** Key order is the format's for people; bytes are what is signed. */
function completed(document: Fields, now: string): Fields {
	const {
		schema_version: version = OSV_SCHEMA_VERSION,
		id,
		modified: _,
		published = now,
		...rest
	} = document;
	const own = rest["database_specific"] as Fields | undefined;
	const kfn = own?.["kfn"] as Fields | undefined;
	const filled = kfn === undefined ? own : { ...own, kfn: { schema: ADVISORY_SCHEMA, fixedBy: [], ...kfn } };
	return { schema_version: version, id, modified: now, published, ...rest, database_specific: filled };
}

function jsonOf(bytes: Uint8Array, file: string): Fields {
	try {
		const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
		if (typeof value === "object" && value !== null) return value as Fields;
	} catch (error) {
		if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
	}
	throw new CliError("CLI_USAGE", `${file} is not a JSON document`);
}

/** What the format refuses is here what the author typed. */
function usable(document: Fields): DsseEnvelope {
	try {
		return newAdvisory(document);
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "ADVISORY_MALFORMED") throw error;
		throw new CliError("CLI_USAGE", `no such advisory can be made: ${String(error.details["why"])}`, {
			hint: "docs/formats/advisory.md has the fields, and an example",
		});
	}
}

function replaced(file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another advisory meanwhile`, {
		hint: "look at what is there now (kfn advisory show), then sign that",
	});
}
