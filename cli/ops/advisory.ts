// kfn advisory: makes, signs, withdraws, publishes and shows advisories (docs/formats/advisory.md). Refuses to call anything verified that
// came out of a file.

import { parseBundleName } from "#bundle/name.ts";
import {
	ADVISORY_LIMITS,
	ADVISORY_SCHEMA,
	newAdvisory,
	parseAdvisoryFile,
	unverifiedAdvisory,
} from "#signing/advisory.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { OSV_SCHEMA_VERSION } from "#signing/osv/document.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { learnAdvisories } from "../client/advisories.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { advisoryDocument, advisoryText, knownListText } from "../output/advisory.ts";
import {
	readStatement,
	type StatementFileForm,
	sendStatement,
	signStatement,
	writeStatement,
} from "../statement-file.ts";

type Fields = Readonly<Record<string, unknown>>;

const FILE: StatementFileForm = {
	kind: "advisory",
	bytes: ADVISORY_LIMITS.envelopeBytes,
	parse: parseAdvisoryFile,
	claims: (envelope) => {
		const { id, names } = unverifiedAdvisory(envelope);
		return { id, name: names[0]! };
	},
};

/** Puts an OSV document, as its author writes it, into an envelope. `modified` is now; what else is the same in every advisory is filled in. */
export async function createAdvisory(
	context: Context,
	input: { document: string; keys: readonly string[]; out: string },
): Promise<Output> {
	const typed = await readInput(input.document, ADVISORY_LIMITS.payloadBytes);
	const envelope = usable(completed(jsonOf(typed, input.document), tufTime(new Date())));
	return outputOf(await writeStatement(context, envelope, input), input.out);
}

/** A new document that takes the given one back, from now on; signed and published as any other. */
export async function withdrawAdvisory(
	context: Context,
	input: { file: string; reason: string; keys: readonly string[]; out: string },
): Promise<Output> {
	const before = await readStatement(FILE, input.file);
	const { withdrawn, id, details, modified } = unverifiedAdvisory(before);
	if (withdrawn !== null) throw new CliError("CLI_USAGE", `${id} is withdrawn already, since ${withdrawn}`);
	// Later than what it takes back, even within one second or on a slow clock: only the later one counts.
	const now = tufTime(new Date(Math.max(Date.now(), Date.parse(modified) + 1000)));
	const document = JSON.parse(Buffer.from(before.payload).toString("utf8")) as Fields;
	const why = [...(details === "" ? [] : [details]), `Withdrawn: ${input.reason}`].join("\n\n");
	const envelope = usable({ ...document, modified: now, withdrawn: now, details: why });
	return outputOf(await writeStatement(context, envelope, input), input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signAdvisory(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	return outputOf(await signStatement(context, FILE, input), input.file);
}

/** What a file claims, unverified; or, for a bundle name, what this host knows after it asked the registry, all of it verified. */
export async function showAdvisory(
	context: Context,
	input: { subject: string; registry: string | undefined },
): Promise<Output> {
	if (isFileRequest(input.subject) || input.subject.endsWith(".json"))
		return outputOf(await readStatement(FILE, input.subject), input.subject);
	const name = parseBundleName(input.subject);
	const host = openContextHost(context);
	const source = await openTrustedSource(context, input.registry);
	const known = await learnAdvisories(host, source, [name]);
	const { since, notices, advisories } = known.find((list) => list.name === name)!;
	const documents = advisories.map(({ envelope }) => advisoryDocument(envelope));
	return {
		json: { name, since, notices, advisories: documents },
		text: knownListText(name, notices, documents),
		exit: notices.length === 0 ? 0 : 3,
	};
}

/** Sends the advisory to a registry, once for each name that it speaks for. */
export async function publishAdvisory(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const envelope = await readStatement(FILE, input.file);
	const { id, names, withdrawn } = unverifiedAdvisory(envelope);
	const published: { name: string; created: boolean }[] = [];
	let where = "";
	for (const name of names) {
		const form = { ...FILE, claims: () => ({ id, name }) };
		const sent = await sendStatement(context, form, { envelope, registry: input.registry });
		where = sent.registry;
		published.push({ name, created: sent.created });
	}
	const what = `${withdrawn === null ? "" : "withdrawal of "}advisory ${id} for ${names.join(", ")}`;
	const isNew = published.some(({ created }) => created);
	return {
		json: { id, names, withdrawn, registry: where, created: isNew, published },
		text: isNew ? `published ${what} to ${where}` : `${what} was already published to ${where}`,
	};
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
