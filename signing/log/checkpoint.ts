// Checkpoints (C2SP tlog-checkpoint): a log's signed statement of its size and root. The one place that decides whose signature
// on one counts. Refuses the whole checkpoint for one bad signature of a known key; ignores keys that it does not know.
import { decodeBase64, encodeBase64 } from "../base64.ts";
import type { SecretKey } from "../ed25519.ts";
import { plain, SigningError } from "../errors.ts";
import { verifyCosignature } from "./cosignature.ts";
import { EMPTY_ROOT, HASH_BYTES, MAX_TREE_SIZE, sameHash, type TreeHead } from "./merkle.ts";
import {
	malformed,
	type Note,
	parseNote,
	serializeNote,
	signaturesOf,
	signNote,
	type VerifierKey,
	verifyNote,
} from "./note.ts";

/** Which log is meant, and who vouches for it. */
export interface LogTrust {
	readonly origin: string;
	/** Of type "ed25519". */
	readonly key: VerifierKey;
	/** Of type "cosignature"; each counts once. */
	readonly witnesses: readonly VerifierKey[];
	/** How many of the witnesses must have cosigned. */
	readonly quorum: number;
}

export interface UnverifiedCheckpoint extends TreeHead {
	readonly origin: string;
	readonly note: Note;
}

declare const opened: unique symbol;

/** A checkpoint whose signatures have been checked; made only by {@link openCheckpoint}. */
export interface Checkpoint extends UnverifiedCheckpoint {
	readonly [opened]: true;
	/** Names of the witnesses whose cosignatures are valid. */
	readonly cosigners: readonly string[];
}

/**
 * Checks the signatures of a checkpoint, then answers it. LOG_CHECKPOINT_MALFORMED. LOG_ORIGIN: of another log.
 * LOG_SIGNATURE: none of the log's key, or a signature of its key or of a witness's does not fit. LOG_QUORUM: too few witnesses.
 */
export async function openCheckpoint(bytes: Uint8Array, trust: LogTrust): Promise<Checkpoint> {
	const checkpoint = parseCheckpoint(bytes);
	const { note, origin } = checkpoint;
	if (origin !== trust.origin) {
		throw new SigningError(
			"LOG_ORIGIN",
			`the checkpoint is of the log ${plain(origin)}, not ${plain(trust.origin)}`,
			{
				hint: "the address leads to another registry or mirror than the one that is trusted",
				details: { expected: trust.origin, found: plain(origin) },
			},
		);
	}
	const own = signaturesOf(note, trust.key);
	if (own.length === 0)
		throw signatureError(trust.key, `the checkpoint is not signed by ${plain(trust.key.name)}`);
	for (const signature of own) {
		if (!(await verifyNote(note.text, signature, trust.key))) throw badSignature(trust.key);
	}
	const cosigners = await cosignersOf(note, trust.witnesses);
	// Not "<": a quorum that is not a number must refuse.
	if (!(cosigners.length >= trust.quorum)) throw tooFewWitnesses(cosigners, trust);
	return { ...checkpoint, cosigners } as unknown as Checkpoint;
}

/** LOG_CHECKPOINT_MALFORMED. Nothing in the answer is to be believed. */
export function parseCheckpoint(bytes: Uint8Array): UnverifiedCheckpoint {
	const note = parseNote(bytes);
	const lines = note.text.slice(0, -1).split("\n");
	const [origin = "", size = "", root = ""] = lines;
	if (lines.length < 3 || lines.includes(""))
		throw malformed("it has fewer than three lines, or an empty one");
	if (!/^(?:0|[1-9]\d{0,15})$/.test(size) || Number(size) > MAX_TREE_SIZE) {
		throw malformed(`its size "${plain(size)}" is not a number of entries`);
	}
	const hash = decodeBase64(root, HASH_BYTES);
	if (hash === undefined) throw malformed(`its root "${plain(root)}" is not the base64 of 32 bytes`);
	if (size === "0" && !sameHash(hash, EMPTY_ROOT))
		throw malformed("the root of its empty tree is not that of none");
	return { origin, size: Number(size), root: hash, note };
}

/** The text that a log signs: origin, size, root. */
export function checkpointText(origin: string, head: TreeHead): string {
	return `${origin}\n${head.size}\n${encodeBase64(head.root)}\n`;
}

/** A checkpoint signed by the log's key, whose name is the origin. The caller answers for never signing two that fork. */
export async function signCheckpoint(origin: string, head: TreeHead, secret: SecretKey): Promise<Uint8Array> {
	const text = checkpointText(origin, head);
	return serializeNote({ text, signatures: [await signNote(text, origin, secret)] });
}

/** The names of the witnesses that cosigned. LOG_SIGNATURE for a cosignature of one of them that does not fit. */
export async function cosignersOf(note: Note, witnesses: readonly VerifierKey[]): Promise<string[]> {
	const names: string[] = [];
	for (const witness of witnesses) {
		const signatures = signaturesOf(note, witness);
		for (const signature of signatures) {
			const seconds = await verifyCosignature(note.text, signature, witness);
			if (seconds === undefined) throw badSignature(witness);
		}
		if (signatures.length > 0) names.push(witness.name);
	}
	return names;
}

function badSignature(key: VerifierKey): SigningError {
	return signatureError(key, `the signature of ${plain(key.name)} does not fit the checkpoint`);
}

function signatureError(key: VerifierKey, message: string): SigningError {
	return new SigningError("LOG_SIGNATURE", message, {
		hint: "do not believe this log: the registry's offline keys name the key, and this is not its signature",
		details: { key: plain(key.name), id: key.id },
	});
}

function tooFewWitnesses(cosigners: readonly string[], trust: LogTrust): SigningError {
	return new SigningError("LOG_QUORUM", `${cosigners.length} witnesses cosigned, and ${trust.quorum} must`, {
		hint: "wait for the witnesses; if none comes, the registry may be showing this log to you alone",
		details: { cosigners: [...cosigners], quorum: trust.quorum },
	});
}
