// kfn permit: makes, signs, shows and publishes rollback permits (docs/formats/permit.md). Refuses to name a version's content by
// anything but its bundle or the registry's index.

import { randomBytes } from "node:crypto";
import { openBundle } from "#bundle/bundle.ts";
import { parseBundleName, parseVersion } from "#bundle/name.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { newPermit, PERMIT_LIMITS, type Permit, parsePermitFile, unverifiedPermit } from "#signing/permit.ts";
import { expiryAfter, tufTime } from "#signing/tuf/time.ts";
import { normalVersionRange, type VersionRange } from "#signing/version-range.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import { selectVersion } from "../client/select.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { permitDocument, permitText } from "../output/permit.ts";
import {
	readStatement,
	type StatementFileForm,
	sendStatement,
	signStatement,
	writeStatement,
} from "../statement-file.ts";

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

const PERMIT_FILE: StatementFileForm = {
	kind: "permit",
	bytes: PERMIT_LIMITS.envelopeBytes,
	parse: parsePermitFile,
	claims: unverifiedPermit,
};

/** Writes a new permit, signed with `keys` if there are any */
export async function createPermit(context: Context, input: PermitInput): Promise<Output> {
	const name = parseBundleName(input.name);
	const from = rangeOf(input.from);
	const now = new Date();
	const permit = usable({
		id: randomBytes(16).toString("hex"),
		name,
		from,
		to: await targetOf(context, name, input),
		reason: input.reason,
		issued: tufTime(now),
		expires: expiryAfter(now, input.days),
	});
	return outputOf(await writeStatement(context, permit, input), input.out);
}

/** Adds signatures in place; what is signed stands in the output. */
export async function signPermit(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	return outputOf(await signStatement(context, PERMIT_FILE, input), input.file);
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
	const sent = await sendStatement(context, PERMIT_FILE, { envelope, registry: input.registry });
	return {
		json: { id, name, version: to.version, ...sent },
		text: sent.created
			? `published permit ${id} for ${name} ${to.version} to ${sent.registry}`
			: `permit ${id} was already published to ${sent.registry}`,
	};
}

export function readPermit(file: string): Promise<DsseEnvelope> {
	return readStatement(PERMIT_FILE, file);
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
