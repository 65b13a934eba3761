// kfn log: the registry's transparency log, verified against what this host saw before; proofs of what is in it, to be checked
// without a network. Refuses to show or prove anything of a log that is not consistent with what this host remembers.
import { parseBundleName, parseVersion } from "#bundle/name.ts";
import { withDetails } from "#host/errors.ts";
import { CHECKPOINT_FILE } from "#host/trust-state/checkpoint-file.ts";
import { logOfSet, publishEntry } from "#host/trust-state/log.ts";
import { readCurrentSet } from "#host/trust-state/state.ts";
import { SigningError } from "#signing/errors.ts";
import { parseCheckpoint } from "#signing/log/checkpoint.ts";
import { type LogEntry, parseLogEntry, serializeLogEntry } from "#signing/log/entry.ts";
import { leafHash, verifyInclusion } from "#signing/log/merkle.ts";
import { serializeProof } from "#signing/log/proof.ts";
import { TILE_WIDTH } from "#signing/log/tile.ts";
import { parseExact, selectVersion } from "../client/select.ts";
import { openTrustedSource, type TrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { writeOutput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

/** Refreshes metadata and log: that this log begins with the one that was seen before is part of every refresh. */
export async function verifyLog(
	context: Context,
	{ registry }: { registry: string | undefined },
): Promise<Output> {
	const before = seenSize(context);
	const source = await openTrustedSource(context, registry);
	const { checkpoint, trust } = await openLog(source);
	const { origin, size, cosigners } = checkpoint;
	const root = Buffer.from(checkpoint.root).toString("base64");
	const seen =
		before === null ? "first seen by this host" : `the ${before} that this host had seen are its first`;
	const witnessed =
		trust.witnesses.length === 0 ? "" : `; cosigned by ${cosigners.join(", ") || "no witness"}`;
	return {
		json: { origin, size, root, before, cosigners, quorum: trust.quorum },
		text: `${origin}: ${size} entries, ${seen}${witnessed}`,
	};
}

/** Writes the proof that the log holds the publication of one version. */
export async function proveLogged(
	context: Context,
	input: { request: string; out: string; overwrite: boolean; registry: string | undefined },
): Promise<Output> {
	const exact = parseExact(input.request);
	const [name, version] = [parseBundleName(exact.name), parseVersion(exact.version)];
	const source = await openTrustedSource(context, input.registry);
	const indexed = selectVersion(await source.index(name), version);
	const { checkpoint, bytes, tree } = await openLog(source);
	const index = indexed.log?.index;
	if (index === undefined || index >= checkpoint.size) throw notLogged(name, version);
	const entry = serializeLogEntry(publishEntry(name, indexed));
	const hashes = await tree.inclusionProof(index);
	verifyInclusion(leafHash(entry), index, checkpoint, hashes);
	await writeOutput(input.out, serializeProof({ entry, index, hashes, checkpoint: bytes }), {
		overwrite: input.overwrite,
	});
	return {
		json: { name, version, index, size: checkpoint.size, origin: checkpoint.origin, file: input.out },
		text: `${input.out}: ${name} ${version} is entry ${index} of ${checkpoint.size} in ${checkpoint.origin}`,
	};
}

/** All entries, or those of one bundle name, each compared with the signed tree. */
export async function showLog(
	context: Context,
	input: { name: string | undefined; registry: string | undefined },
): Promise<Output> {
	const source = await openTrustedSource(context, input.registry);
	const { checkpoint, tree } = await openLog(source);
	const found: { index: number; entry: LogEntry }[] = [];
	for (let bundle = 0; bundle * TILE_WIDTH < checkpoint.size; bundle++) {
		context.onStep({ step: "reading the log", detail: `${bundle * TILE_WIDTH} of ${checkpoint.size}` });
		const entries = await tree.entryBundle(bundle);
		for (const [at, bytes] of entries.entries()) {
			const index = bundle * TILE_WIDTH + at;
			const entry = entryAt(bytes, index);
			if (input.name === undefined || ("name" in entry && entry.name === input.name))
				found.push({ index, entry });
		}
	}
	const rows = found.map(({ index, entry }) => [
		String(index),
		entry.at,
		entry.type,
		subjectOf(entry),
		entry.sha256,
	]);
	return {
		json: {
			origin: checkpoint.origin,
			size: checkpoint.size,
			entries: found.map(({ index, entry }) => ({ index, ...entry })),
		},
		text: columns([["ENTRY", "AT", "WHAT", "OF", "SHA256"], ...rows]),
	};
}

async function openLog(source: TrustedSource) {
	const log = await logOfSet(source.set, source.fetch);
	if (log !== undefined) return log;
	throw new CliError("CLI_NO_LOG", "this registry keeps no transparency log", {
		hint: "its offline keys name none in kfn/registry.json",
	});
}

/** Entries that the host knows of; null before it has seen the log. */
function seenSize(context: Context): number | null {
	const bytes = readCurrentSet(openContextHost(context))?.files.get(CHECKPOINT_FILE);
	return bytes === undefined ? null : parseCheckpoint(bytes).size;
}

function entryAt(bytes: Uint8Array, index: number): LogEntry {
	try {
		return parseLogEntry(bytes);
	} catch (error) {
		throw withDetails(error, { index });
	}
}

function subjectOf(entry: LogEntry): string {
	if (entry.type === "statement") return `${entry.kind} ${entry.name} ${entry.id}`;
	if ("name" in entry) return `${entry.name} ${entry.version}`;
	return "version" in entry ? `version ${entry.version}` : "";
}

function notLogged(name: string, version: string): SigningError {
	return new SigningError("LOG_NOT_INCLUDED", `${name} ${version} is not in the registry's log`, {
		hint: "published just now, it may be waiting for witnesses: try again later",
		details: { name, version },
	});
}
