// kfn recall: makes, signs, shows and publishes revocations, and takes them back (docs/formats/recall.md). Refuses to name what is
// revoked by anything but its bundle, the registry's index or a whole tag.
import { randomBytes } from "node:crypto";
import { openBundle } from "#bundle/bundle.ts";
import { parseBundleName, parseVersion } from "#bundle/name.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import {
	newRevocation,
	parseRevocationFile,
	REVOCATION_LIMITS,
	type RevokedBuild,
	unverifiedRevocation,
	withdrawalOf,
} from "#signing/revocation.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import { selectVersion } from "../client/select.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { revocationDocument, revocationText } from "../output/revocation.ts";
import {
	readStatement,
	type StatementFileForm,
	sendStatement,
	signStatement,
	writeStatement,
} from "../statement-file.ts";

export interface RecallInput {
	readonly name: string;
	/** Versions that the registry lists, or .kfn files. */
	readonly versions: readonly string[];
	readonly tags: readonly string[];
	/** Only these builds: their source, and so a device that runs it, is not to blame. */
	readonly buildOnly: boolean;
	readonly reason: string;
	readonly advisory: string | undefined;
	readonly keys: readonly string[];
	readonly out: string;
	readonly registry: string | undefined;
}

const REVOCATION_FILE: StatementFileForm = {
	kind: "revocation",
	bytes: REVOCATION_LIMITS.envelopeBytes,
	parse: parseRevocationFile,
	claims: unverifiedRevocation,
};

/** Writes a new revocation, signed with `keys` if there are any. */
export async function newRecall(context: Context, input: RecallInput): Promise<Output> {
	const name = parseBundleName(input.name);
	if (input.versions.length + input.tags.length === 0)
		throw new CliError("CLI_USAGE", "nothing is named", { hint: "give --version VERSION or --tag TAG" });
	const named = await namedVersions(context, name, input);
	const tags = [...input.tags, ...(input.buildOnly ? [] : named.map(({ tag }) => tag))];
	const builds = input.buildOnly ? named.map(({ build }) => build) : [];
	const envelope = usable(() =>
		newRevocation({
			...{ id: randomBytes(16).toString("hex"), name, state: "revoked" },
			...{ tags: [...new Set(tags)].sort(), builds, advisory: input.advisory ?? null },
			...{ reason: input.reason, issued: tufTime(new Date()) },
		}),
	);
	return outputOf(await writeStatement(context, envelope, input), input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signRecall(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	return outputOf(await signStatement(context, REVOCATION_FILE, input), input.file);
}

/** What the file claims and who claims to have signed it: a host verifies it itself. */
export async function showRecall(_context: Context, input: { file: string }): Promise<Output> {
	return outputOf(await readStatement(REVOCATION_FILE, input.file), input.file);
}

/** Writes what takes a revocation back; it counts once the publisher's whole threshold has signed it and it is published. */
export async function withdrawRecall(
	context: Context,
	input: { file: string; reason: string; keys: readonly string[]; out: string },
): Promise<Output> {
	const revocation = unverifiedRevocation(await readStatement(REVOCATION_FILE, input.file));
	if (revocation.state === "withdrawn")
		throw new CliError("CLI_USAGE", `${input.file} is a withdrawal already`, {
			hint: "kfn recall sign, then kfn recall publish",
		});
	const envelope = usable(() =>
		withdrawalOf(revocation, { reason: input.reason, issued: tufTime(new Date()) }),
	);
	return outputOf(await writeStatement(context, envelope, input), input.out);
}

/** Sends it to a registry, whose recall list names it in the same moment. */
export async function publishRecall(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const envelope = await readStatement(REVOCATION_FILE, input.file);
	const { id, name, state } = unverifiedRevocation(envelope);
	const sent = await sendStatement(context, REVOCATION_FILE, { envelope, registry: input.registry });
	const what = state === "revoked" ? "revocation" : "withdrawal of revocation";
	return {
		json: { id, name, state, ...sent },
		text: sent.created
			? `published ${what} ${id} of ${name} to ${sent.registry}`
			: `${what} ${id} was already published to ${sent.registry}`,
	};
}

function outputOf(envelope: DsseEnvelope, file: string): Output {
	const document = revocationDocument(envelope, file);
	return { json: document, text: revocationText(document) };
}

interface NamedVersion {
	readonly tag: string;
	readonly build: RevokedBuild;
}

async function namedVersions(
	context: Context,
	name: string,
	{ versions, registry }: RecallInput,
): Promise<NamedVersion[]> {
	const named: NamedVersion[] = [];
	const listed = versions.filter((version) => !isFileRequest(version)).map(parseVersion);
	if (listed.length > 0) {
		const index = await (await openTrustedSource(context, registry)).index(name);
		for (const wanted of listed) {
			const { version, manifestSha256, tag } = selectVersion(index, wanted);
			named.push({ tag, build: { version, manifestSha256 } });
		}
	}
	for (const file of versions.filter(isFileRequest)) {
		const { manifest, manifestDigest } = await openBundle(await readInput(file));
		if (manifest.name !== name)
			throw new CliError("CLI_USAGE", `${file} holds ${manifest.name}, not ${name}`);
		named.push({
			tag: manifest.tag.value,
			build: { version: manifest.version, manifestSha256: manifestDigest },
		});
	}
	return named;
}

/** What the format refuses is here what the user typed: a reason of two lines, something that is no tag. */
function usable(make: () => DsseEnvelope): DsseEnvelope {
	try {
		return make();
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "REVOCATION_MALFORMED") throw error;
		throw new CliError("CLI_USAGE", `no such revocation can be made: ${String(error.details["why"])}`);
	}
}
