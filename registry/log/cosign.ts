// Attaches witnesses' cosignatures to the log's own checkpoints. Refuses checkpoints that this log never signed, and
// cosignatures of anybody but the witnesses that the registry's signed document names.

import { SigningError } from "#signing/errors.ts";
import { type LogTrust, parseCheckpoint, type UnverifiedCheckpoint } from "#signing/log/checkpoint.ts";
import { verifyCosignature } from "#signing/log/cosignature.ts";
import { type NoteSignature, parseNote, serializeNote, signaturesOf } from "#signing/log/note.ts";
import { RegistryError } from "../api/errors.ts";
import type { LogReads, LogWrites } from "../ports/log-store.ts";

declare const proved: unique symbol;

/** Valid cosignatures of named witnesses, on a text that need not be this log's; made only in this module. */
export interface Cosigned {
	readonly offered: UnverifiedCheckpoint;
	readonly fresh: readonly NoteSignature[];
	readonly [proved]: true;
}

/**
 * Opens a checkpoint as a witness gives it back. Needs no store: what a stranger sends must not take the lock that publishers wait for.
 * REGISTRY_COSIGNATURE_REFUSED: it is malformed, or no or not only valid cosignatures of named witnesses.
 */
export async function openCosigned(bytes: Uint8Array, trust: LogTrust): Promise<Cosigned> {
	const offered = parseOffered(bytes);
	return { offered, fresh: await cosignaturesOf(offered, trust) } as unknown as Cosigned;
}

/**
 * Takes the cosignatures over to the stored checkpoint of the same text.
 *
 * Answers its size and the names of all witnesses that it now carries. A witness that is on it already is not added again.
 * REGISTRY_CHECKPOINT_UNKNOWN: this log has no such checkpoint, or no longer keeps it.
 */
export async function attachCosignatures(
	tx: LogReads & LogWrites,
	trust: LogTrust,
	{ offered, fresh }: Cosigned,
): Promise<{ size: number; cosigners: string[] }> {
	const stored = await tx.findCheckpoint(offered.size);
	const note = stored && parseNote(stored.bytes);
	if (stored === undefined || note?.text !== offered.note.text) {
		throw new RegistryError("REGISTRY_CHECKPOINT_UNKNOWN", "this is not a checkpoint that the log keeps", {
			hint: "fetch /v1/log/latest and cosign that one",
			details: { size: offered.size },
		});
	}
	const added = fresh.filter(
		({ name, id }) => !note.signatures.some((had) => had.name === name && had.id === id),
	);
	const merged = { text: note.text, signatures: [...note.signatures, ...added] };
	if (added.length > 0 && !(await tx.swapCheckpoint(offered.size, stored.bytes, serializeNote(merged)))) {
		throw new RegistryError("REGISTRY_BUSY", "the checkpoint changed at the same moment", {
			hint: "try again",
		});
	}
	const cosigners = trust.witnesses.filter((witness) => signaturesOf(merged, witness).length > 0);
	return { size: offered.size, cosigners: cosigners.map(({ name }) => name) };
}

async function cosignaturesOf({ note }: UnverifiedCheckpoint, trust: LogTrust): Promise<NoteSignature[]> {
	const found: NoteSignature[] = [];
	for (const witness of trust.witnesses) {
		const [signature] = signaturesOf(note, witness);
		if (signature === undefined) continue;
		if ((await verifyCosignature(note.text, signature, witness)) === undefined) {
			throw refused(`the cosignature of ${witness.name} does not fit`);
		}
		found.push(signature);
	}
	if (found.length > 0) return found;
	throw refused("it carries no cosignature of a witness that this registry names");
}

function parseOffered(bytes: Uint8Array): UnverifiedCheckpoint {
	try {
		return parseCheckpoint(bytes);
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw refused(error.message, error);
	}
}

function refused(why: string, cause?: unknown): RegistryError {
	return new RegistryError("REGISTRY_COSIGNATURE_REFUSED", why, {
		hint: "the registry's targets signers name its witnesses, in kfn/registry.json",
		cause,
	});
}
