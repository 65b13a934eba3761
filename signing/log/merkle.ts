// Merkle tree hashes of RFC 6962 §2.1 (the same as RFC 9162 §2.1, with SHA-256): which subtrees a proof consists of, and how
// one is verified. Refuses to fetch anything: tree.ts turns the subtrees into hashes.
import { hash } from "node:crypto";
import { SigningError } from "../errors.ts";

export const HASH_BYTES = 32;
/** Sizes and indexes are exact numbers up to here; a tree of one entry a millisecond reaches it in 285,000 years. */
export const MAX_TREE_SIZE = Number.MAX_SAFE_INTEGER;
/** No proof of a tree up to {@link MAX_TREE_SIZE} is longer; tlog-witness and tlog-proof allow 63. */
export const MAX_PROOF_HASHES = 63;

/** A tree as a log states it: how many entries, and the hash over all of them. */
export interface TreeHead {
	readonly size: number;
	/** 32 bytes. */
	readonly root: Uint8Array;
}

/** The entries from `start` up to, but without, `end`. Of a proof: `start` is a multiple of a power of two >= end - start. */
export interface Subtree {
	readonly start: number;
	readonly end: number;
}

/** MTH of no entries: the hash of the empty string. */
export const EMPTY_ROOT: Uint8Array = sha256();

/** The hash of an entry. Its prefix 00 keeps an entry from being passed off as an inner node, whose prefix is 01. */
export function leafHash(entry: Uint8Array): Uint8Array {
	return sha256(Buffer.of(0), entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
	return sha256(Buffer.of(1), left, right);
}

/** MTH over leaf hashes, or over the hashes of subtrees of one size that is a power of two. */
export function rootOfHashes(hashes: readonly Uint8Array[]): Uint8Array {
	if (hashes.length === 0) return EMPTY_ROOT;
	if (hashes.length === 1) return hashes[0]!;
	const split = splitOf(hashes.length);
	return nodeHash(rootOfHashes(hashes.slice(0, split)), rootOfHashes(hashes.slice(split)));
}

/** The largest power of two smaller than `size` (k of RFC 6962 §2.1); `size` is at least 2. */
export function splitOf(size: number): number {
	let split = 1;
	while (split * 2 < size) split *= 2;
	return split;
}

/** PATH(index, D[size]) of RFC 6962 §2.1.1, as subtrees: from the leaf's sibling up to the root's child. */
export function inclusionSubtrees(index: number, size: number): Subtree[] {
	const path: Subtree[] = [];
	let [start, end] = [0, size];
	while (end - start > 1) {
		const middle = start + splitOf(end - start);
		path.push(index < middle ? { start: middle, end } : { start, end: middle });
		if (index < middle) end = middle;
		else start = middle;
	}
	return path.reverse();
}

/** PROOF(first, D[second]) of RFC 6962 §2.1.2, as subtrees; empty when `first` is 0 or equal to `second`. */
export function consistencySubtrees(first: number, second: number): Subtree[] {
	if (first === 0) return [];
	const proof: Subtree[] = [];
	let [start, end] = [0, second];
	while (first < end) {
		const middle = start + splitOf(end - start);
		proof.push(first <= middle ? { start: middle, end } : { start, end: middle });
		if (first <= middle) end = middle;
		else start = middle;
	}
	// SUBPROOF's third argument: the first tree's own root is known to the verifier, so it is left out.
	if (start > 0) proof.push({ start, end });
	return proof.reverse();
}

/** RFC 9162 §2.1.3.2. LOG_NOT_INCLUDED unless the leaf stands at `index` in the tree; true of exactly one proof. */
export function verifyInclusion(
	leaf: Uint8Array,
	index: number,
	head: TreeHead,
	proof: readonly Uint8Array[],
): void {
	if (index >= head.size) throw notIncluded(index, head);
	let [node, last, current] = [index, head.size - 1, leaf];
	for (const sibling of proof) {
		if (last === 0) throw notIncluded(index, head);
		if (isOdd(node) || node === last) {
			current = nodeHash(sibling, current);
			[node, last] = pastEvenLevels(node, last);
		} else {
			current = nodeHash(current, sibling);
		}
		[node, last] = [half(node), half(last)];
	}
	if (last !== 0 || !sameHash(current, head.root)) throw notIncluded(index, head);
}

/**
 * RFC 9162 §2.1.4.2: that the tree `second` begins with the entries of `first`.
 * LOG_TRUNCATED: `second` is smaller. LOG_FORKED: the proof does not show it; it takes exactly one.
 */
export function verifyConsistency(first: TreeHead, second: TreeHead, proof: readonly Uint8Array[]): void {
	if (second.size < first.size) throw truncated(first, second);
	if (first.size === 0 || first.size === second.size) {
		const expected = first.size === 0 ? EMPTY_ROOT : second.root;
		if (proof.length > 0 || !sameHash(first.root, expected)) throw forked(first, second);
		return;
	}
	const [start, ...rest] = isPowerOfTwo(first.size) ? [first.root, ...proof] : proof;
	if (start === undefined) throw forked(first, second);
	let [node, last] = pastOddLevels(first.size - 1, second.size - 1);
	let [before, after] = [start, start];
	for (const sibling of rest) {
		if (last === 0) throw forked(first, second);
		if (isOdd(node) || node === last) {
			before = nodeHash(sibling, before);
			after = nodeHash(sibling, after);
			[node, last] = pastEvenLevels(node, last);
		} else {
			after = nodeHash(after, sibling);
		}
		[node, last] = [half(node), half(last)];
	}
	const same = last === 0 && sameHash(before, first.root) && sameHash(after, second.root);
	if (!same) throw forked(first, second);
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.compare(a, b) === 0;
}

/** The log states a smaller tree than it did before. */
export function truncated(first: TreeHead, second: TreeHead): SigningError {
	return new SigningError("LOG_TRUNCATED", `the log had ${first.size} entries and now has ${second.size}`, {
		hint: "a mirror may lag behind; if the registry itself says this, entries that it had logged are gone: do not use it, and tell its admin",
		details: { before: described(first), now: described(second) },
	});
}

/** The log states two trees of which neither begins with the other. */
export function forked(first: TreeHead, second: TreeHead): SigningError {
	return new SigningError(
		"LOG_FORKED",
		`the log of ${second.size} entries does not begin with the ${first.size} that it had before`,
		{
			hint: "do not use this registry: its log was rewritten, or it shows different logs to different hosts; keep both checkpoints as proof",
			details: { before: described(first), now: described(second) },
		},
	);
}

function notIncluded(index: number, head: TreeHead): SigningError {
	return new SigningError(
		"LOG_NOT_INCLUDED",
		`the log of ${head.size} entries does not hold this at ${index}`,
		{
			hint: "do not use what this was to prove: it is not what the registry logged",
			details: { index, ...described(head) },
		},
	);
}

function described(head: TreeHead): { size: number; root: string } {
	return { size: head.size, root: Buffer.from(head.root).toString("base64") };
}

// Numbers beyond 2^31 have no bitwise operators in JavaScript.
function isOdd(n: number): boolean {
	return n % 2 === 1;
}

function half(n: number): number {
	return Math.floor(n / 2);
}

/** Up to where `node` is a right child or the leftmost: the levels on which it has no sibling to its right. */
function pastEvenLevels(node: number, last: number): [number, number] {
	while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
	return [node, last];
}

/** Up to where `node` is a left child: the levels below it are complete in both trees. */
function pastOddLevels(node: number, last: number): [number, number] {
	while (isOdd(node)) [node, last] = [half(node), half(last)];
	return [node, last];
}

export function isPowerOfTwo(n: number): boolean {
	return Number.isInteger(Math.log2(n)) && 2 ** Math.log2(n) === n;
}

function sha256(...parts: Uint8Array[]): Uint8Array {
	return new Uint8Array(hash("sha256", Buffer.concat(parts), "buffer"));
}
