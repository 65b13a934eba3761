// A statement as a file of its publisher's (docs/formats/statements.md): read, signed in place, sent to a registry. The same for every
// kind. Refuses to sign another statement than was there when the command started.
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { openRegistryClient } from "./client/registry.ts";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";
import { readInput, writeOutput } from "./files.ts";
import { rewriteFile } from "./rewrite.ts";
import { openSigningKeys } from "./signing-keys.ts";

/** What a file's kind is, for commands. */
export interface StatementFileForm {
	/** As in the registry's paths, and in messages. */
	readonly kind: string;
	/** Upper limit of the file. */
	readonly bytes: number;
	/** The envelope in its one spelling; the kind's MALFORMED code for anything else. */
	readonly parse: (file: Uint8Array) => DsseEnvelope;
	/** What it claims to be about; the kind's MALFORMED code for a payload that breaks its format. Nothing is verified. */
	readonly claims: (envelope: DsseEnvelope) => { readonly name: string; readonly id: string };
}

/** Writes a new statement, signed with `keys` if there are any. CLI_FILE_EXISTS rather than replacing a file. */
export async function writeStatement(
	context: Context,
	envelope: DsseEnvelope,
	{ keys, out }: { keys: readonly string[]; out: string },
): Promise<DsseEnvelope> {
	const secrets = keys.length === 0 ? [] : await openSigningKeys(context, keys);
	let signed = envelope;
	for (const secret of secrets) signed = await signDsseEnvelope(signed, secret);
	await writeOutput(out, serializeDsseEnvelope(signed), { overwrite: false });
	return signed;
}

export async function readStatement(form: StatementFileForm, file: string): Promise<DsseEnvelope> {
	const envelope = form.parse(await readInput(file, form.bytes));
	form.claims(envelope);
	return envelope;
}

/** Adds signatures in place, and answers with what is there now. */
export async function signStatement(
	context: Context,
	form: StatementFileForm,
	{ file, keys }: { file: string; keys: readonly string[] },
): Promise<DsseEnvelope> {
	const before = await readStatement(form, file);
	const secrets = await openSigningKeys(context, keys);
	let envelope = before;
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(file, async (bytes) => {
		envelope = form.parse(bytes);
		if (!Buffer.from(envelope.payload).equals(before.payload)) throw replaced(form, file);
		for (const secret of secrets) envelope = await signDsseEnvelope(envelope, secret);
		return serializeDsseEnvelope(envelope);
	});
	return envelope;
}

/** Sends it to a registry, which verifies it and lists it; `created` is false where it was listed before. */
export async function sendStatement(
	context: Context,
	form: StatementFileForm,
	{ envelope, registry }: { envelope: DsseEnvelope; registry: string | undefined },
): Promise<{ created: boolean; registry: string }> {
	const { name, id } = form.claims(envelope);
	const client = await openRegistryClient(context, registry);
	context.onStep({ step: "publishing", detail: `${form.kind} ${id}` });
	const file = serializeDsseEnvelope(envelope);
	const { created } = await client.publishStatement({ kind: form.kind, name, id }, file);
	return { created, registry: client.description };
}

function replaced({ kind }: StatementFileForm, file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another ${kind} meanwhile`, {
		hint: `look at what is there now (kfn ${kind} show), then sign that`,
	});
}
