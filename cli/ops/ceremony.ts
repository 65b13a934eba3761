// kfn registry init and accept, kfn root rotate, add-signer and remove-signer: drafts of root and targets metadata on a registry's
// data folder, signed at once where keys are given. The ceremony itself is registry/; this opens keys and words the answer.

import { type CeremonyResult, withCeremony, withNewCeremony } from "#registry/main.ts";
import type { SecretKey } from "#signing/ed25519.ts";
import { SigningError } from "#signing/errors.ts";
import { parseVerifierKey } from "#signing/log/note.ts";
import { type PublicKey, parsePublicKeyFile } from "#signing/public-key.ts";
import { type RegistryDocument, serializeRegistryDocument } from "#signing/registry-document.ts";
import { DRAFT_LIMIT, type Draft, parseDraft } from "#signing/tuf/draft.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { type OfflineRole, usualThreshold } from "#signing/tuf/next-root.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { ceremonyText } from "../output/draft.ts";
import { openSigningKeys } from "../signing-keys.ts";

const KEY_FILE_LIMIT = 64 * 1024;

export interface InitInput {
	readonly data: string;
	readonly rootKeys: readonly string[];
	readonly rootThreshold: number | undefined;
	readonly targetsKeys: readonly string[];
	readonly targetsThreshold: number | undefined;
	readonly bins: number;
	readonly rootDays: number;
	readonly targetsDays: number;
	readonly origin: string | undefined;
	readonly keys: readonly string[];
}

export async function registryInit(context: Context, input: InitInput): Promise<Output> {
	const spec = {
		root: await signers(input.rootKeys, input.rootThreshold),
		targets: await signers(input.targetsKeys, input.targetsThreshold),
		bins: input.bins,
		days: { root: input.rootDays, targets: input.targetsDays },
		origin: input.origin,
	};
	const secrets = await openKeys(context, input.keys);
	return ceremonyOutput(
		input.data,
		await withNewCeremony(input.data, (ceremony) => ceremony.init(spec, secrets)),
	);
}

/** Takes drafts live: those that wait in the folder, with the signatures of the copies that are named. */
export async function registryAccept(
	_context: Context,
	input: { data: string; files: readonly string[] },
): Promise<Output> {
	const copies: Draft[] = [];
	for (const file of input.files) copies.push(parseDraft(await readInput(file, DRAFT_LIMIT)));
	return ceremonyOutput(input.data, await withCeremony(input.data, (ceremony) => ceremony.accept(copies)));
}

export interface RotateInput {
	readonly data: string;
	readonly role: OfflineRole;
	readonly online: boolean;
	readonly days: number | undefined;
	readonly keys: readonly string[];
}

export async function rootRotate(context: Context, input: RotateInput): Promise<Output> {
	const secrets = await openKeys(context, input.keys);
	const result = await withCeremony(input.data, (ceremony) => ceremony.rotate(input, secrets));
	return ceremonyOutput(input.data, result);
}

export interface SignerInput {
	readonly data: string;
	readonly role: OfflineRole;
	readonly keyFile: string | undefined;
	readonly keyid: string | undefined;
	readonly threshold: number | undefined;
	readonly keys: readonly string[];
}

export async function rootAddSigner(context: Context, input: Omit<SignerInput, "keyid">): Promise<Output> {
	const key = await readPublicKey(input.keyFile!);
	const secrets = await openKeys(context, input.keys);
	const request = { role: input.role, key, threshold: input.threshold };
	return ceremonyOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => ceremony.addSigner(request, secrets)),
	);
}

export async function rootRemoveSigner(context: Context, input: SignerInput): Promise<Output> {
	const keyid = await tufIdOf(input);
	const secrets = await openKeys(context, input.keys);
	const request = { role: input.role, keyid, threshold: input.threshold };
	return ceremonyOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => ceremony.removeSigner(request, secrets)),
	);
}

export interface WitnessesInput {
	readonly data: string;
	readonly add: readonly string[];
	readonly remove: readonly string[];
	readonly quorum: number | undefined;
	readonly keys: readonly string[];
}

/** Names witnesses in kfn/registry.json; a quorum that is not given stays. */
export async function registryWitness(context: Context, input: WitnessesInput): Promise<Output> {
	const added = input.add.map(parseVerifierKey);
	const secrets = await openKeys(context, input.keys);
	const change = (document: RegistryDocument): RegistryDocument => {
		const unknown = input.remove.find((name) => !document.witnesses.some((witness) => witness.name === name));
		if (unknown !== undefined) throw new CliError("CLI_USAGE", `no witness is named ${unknown}`);
		const kept = document.witnesses.filter(({ name }) => !input.remove.includes(name));
		return usable({ ...document, witnesses: [...kept, ...added], quorum: input.quorum ?? document.quorum });
	};
	return ceremonyOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => ceremony.changeRegistryDocument(change, secrets)),
	);
}

/** What the format refuses is here what the user typed: a log's key as a witness, a quorum that nobody can reach. */
function usable(document: RegistryDocument): RegistryDocument {
	try {
		serializeRegistryDocument(document);
		return document;
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "TRUST_MALFORMED") throw error;
		throw new CliError(
			"CLI_USAGE",
			`no such kfn/registry.json can be made: ${String(error.details["why"])}`,
			{
				hint: "kfn log witness prints a witness's key; --remove and --quorum go together with --add in one call",
			},
		);
	}
}

function ceremonyOutput(data: string, result: CeremonyResult): Output {
	return { json: result, text: ceremonyText(data, result) };
}

/** The keys that sign at once; none where no --key is given: the environment's key is a publisher's, not meant for this. */
export async function openKeys(context: Context, files: readonly string[]): Promise<SecretKey[]> {
	return files.length === 0 ? [] : openSigningKeys(context, files);
}

export async function readPublicKey(file: string): Promise<PublicKey> {
	return parsePublicKeyFile(Buffer.from(await readInput(file, KEY_FILE_LIMIT)).toString("utf8"));
}

async function signers(files: readonly string[], threshold: number | undefined) {
	const keys: PublicKey[] = [];
	for (const file of files) keys.push(await readPublicKey(file));
	return { keys, threshold: threshold ?? usualThreshold(keys.length) };
}

async function tufIdOf({ keyFile, keyid }: SignerInput): Promise<TufKeyId> {
	if (keyFile !== undefined) return tufKeyId(tufKeyOf(await readPublicKey(keyFile)));
	if (keyid !== undefined && /^[0-9a-f]{64}$/.test(keyid)) return keyid as TufKeyId;
	throw new CliError("CLI_USAGE", "which signer: --key-file names a public key file, --keyid a tuf id", {
		hint: "kfn root show prints the tuf ids of a role's keys",
	});
}
