// tlog-proof files (C2SP tlog-proof@v1): that one entry stands in one log, verified without asking anyone. `extra` carries the
// entry's bytes; the format does not authenticate them, so they are believed only once they hash to the proved leaf.
import { decodeBase64, decodeBase64OfAnyLength, encodeBase64 } from "../base64.ts";
import { plain, SigningError } from "../errors.ts";
import { decodeUtf8 } from "../strict-json.ts";
import { type Checkpoint, type LogTrust, openCheckpoint } from "./checkpoint.ts";
import { HASH_BYTES, leafHash, MAX_PROOF_HASHES, MAX_TREE_SIZE, verifyInclusion } from "./merkle.ts";
import { NOTE_LIMITS } from "./note.ts";
import { MAX_ENTRY_BYTES } from "./tile.ts";

const HEADER = "c2sp.org/tlog-proof@v1";
export const PROOF_LIMITS = { fileBytes: NOTE_LIMITS.bytes + 2 * MAX_ENTRY_BYTES } as const;

export interface LogProof {
	/** The entry's bytes. */
	readonly entry: Uint8Array;
	readonly index: number;
	/** From the leaf's sibling up to the root's child. */
	readonly hashes: readonly Uint8Array[];
	/** The bytes of a checkpoint, as the log served it. */
	readonly checkpoint: Uint8Array;
}

/** What a proof proves: these bytes stand at `index` of the log that the checkpoint states. */
export interface ProvedEntry {
	readonly entry: Uint8Array;
	readonly index: number;
	readonly checkpoint: Checkpoint;
}

/**
 * Verifies a proof offline. LOG_PROOF_MALFORMED; the errors of `openCheckpoint`; LOG_NOT_INCLUDED.
 * The caller still has to compare the entry with what it holds.
 */
export async function openProof(bytes: Uint8Array, trust: LogTrust): Promise<ProvedEntry> {
	const { entry, index, hashes, checkpoint: signed } = parseProof(bytes);
	const checkpoint = await openCheckpoint(signed, trust);
	verifyInclusion(leafHash(entry), index, checkpoint, hashes);
	return { entry, index, checkpoint };
}

/** LOG_PROOF_MALFORMED. Nothing in the answer is to be believed. */
export function parseProof(bytes: Uint8Array): LogProof {
	const text = decodeUtf8(bytes, PROOF_LIMITS.fileBytes);
	if (text === undefined)
		throw malformedProof(`it is not UTF-8, or longer than ${PROOF_LIMITS.fileBytes} bytes`);
	const end = text.indexOf("\n\n");
	const [header, extra = "", index = "", ...hashes] = text.slice(0, Math.max(0, end)).split("\n");
	if (header !== HEADER)
		throw malformedProof(`it does not begin with ${HEADER} and end its head with an empty line`);
	const entry = /^extra (.+)$/.exec(extra)?.[1];
	const entryBytes = entry === undefined ? undefined : decodeBase64OfAnyLength(entry);
	if (entryBytes === undefined)
		throw malformedProof("its second line is not `extra` with the entry in base64");
	if (entryBytes.byteLength > MAX_ENTRY_BYTES)
		throw malformedProof("its entry is longer than a log's entries");
	return {
		entry: entryBytes,
		index: parseIndex(index),
		hashes: parseHashes(hashes),
		checkpoint: new Uint8Array(bytes.subarray(Buffer.byteLength(text.slice(0, end + 2)))),
	};
}

/** The file's text; {@link parseProof} takes no other spelling of it. */
export function serializeProof({ entry, index, hashes, checkpoint }: LogProof): Uint8Array {
	const lines = [
		HEADER,
		`extra ${encodeBase64(entry)}`,
		`index ${index}`,
		...hashes.map(encodeBase64),
		"",
		"",
	];
	return new Uint8Array(Buffer.concat([Buffer.from(lines.join("\n")), checkpoint]));
}

function parseIndex(line: string): number {
	const digits = /^index (0|[1-9]\d{0,15})$/.exec(line)?.[1];
	if (digits === undefined || Number(digits) > MAX_TREE_SIZE) {
		throw malformedProof(`"${plain(line)}" is not the line of its index`);
	}
	return Number(digits);
}

function parseHashes(lines: readonly string[]): Uint8Array[] {
	if (lines.length > MAX_PROOF_HASHES) throw malformedProof(`it has more than ${MAX_PROOF_HASHES} hashes`);
	return lines.map((line) => {
		const hash = decodeBase64(line, HASH_BYTES);
		if (hash === undefined) throw malformedProof(`"${plain(line)}" is not the base64 of a hash`);
		return hash;
	});
}

function malformedProof(why: string): SigningError {
	return new SigningError("LOG_PROOF_MALFORMED", `the proof file is malformed: ${why}`, {
		hint: "make it again with kfn log prove",
	});
}
