// The tree against the specification: published vectors, the recursive definitions of RFC 6962 written down once more, every
// size up to 300 with every index and every older size, and the sizes around one and two levels of tiles.
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import {
	consistencySubtrees,
	EMPTY_ROOT,
	inclusionSubtrees,
	leafHash,
	rootOfHashes,
	type Subtree,
	type TreeHead,
	verifyConsistency,
	verifyInclusion,
} from "./merkle.ts";
import { GrowingLog } from "./testing/growing-log.ts";

/** The eight leaves of certificate-transparency's own tests, and the roots of the trees of 1 to 8 of them. */
const LEAVES = [
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
].map((hex) => Buffer.from(hex, "hex"));
const ROOTS = [
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();

/** MTH, PATH and PROOF of RFC 6962 §2.1, word for word; slow, and sharing nothing with the code under test. */
function MTH(D: readonly Uint8Array[]): Buffer {
	if (D.length === 0) return sha256();
	if (D.length === 1) return sha256(Buffer.of(0), D[0]!);
	const k = kOf(D.length);
	return sha256(Buffer.of(1), MTH(D.slice(0, k)), MTH(D.slice(k)));
}

function PATH(m: number, D: readonly Uint8Array[]): Buffer[] {
	if (D.length === 1) return [];
	const k = kOf(D.length);
	if (m < k) return [...PATH(m, D.slice(0, k)), MTH(D.slice(k))];
	return [...PATH(m - k, D.slice(k)), MTH(D.slice(0, k))];
}

function PROOF(m: number, D: readonly Uint8Array[]): Buffer[] {
	return SUBPROOF(m, D, true);
}

function SUBPROOF(m: number, D: readonly Uint8Array[], b: boolean): Buffer[] {
	if (m === D.length) return b ? [] : [MTH(D)];
	const k = kOf(D.length);
	if (m <= k) return [...SUBPROOF(m, D.slice(0, k), b), MTH(D.slice(k))];
	return [...SUBPROOF(m - k, D.slice(k), false), MTH(D.slice(0, k))];
}

function kOf(n: number): number {
	return 2 ** Math.floor(Math.log2(n - 1));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const entries = (count: number) => Array.from({ length: count }, (_, n) => Buffer.from(`entry ${n}`));

describe("known answers", () => {
	test("the empty tree is the hash of nothing", () => {
		expect(hex(EMPTY_ROOT)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	});

	test("the roots of certificate-transparency's trees of 1 to 8 leaves", async () => {
		const log = new GrowingLog();
		for (const [at, leaf] of LEAVES.entries()) {
			log.append(leaf);
			expect(hex(log.head().root)).toBe(ROOTS[at]);
		}
	});

	test("RFC 6962 §2.1.3: the proofs of its example of seven leaves", () => {
		const spans = (subtrees: Subtree[]) => subtrees.map(({ start, end }) => `${start}-${end}`);
		expect(spans(inclusionSubtrees(0, 7))).toEqual(["1-2", "2-4", "4-7"]); // [b, h, l]
		expect(spans(inclusionSubtrees(3, 7))).toEqual(["2-3", "0-2", "4-7"]); // [c, g, l]
		expect(spans(inclusionSubtrees(4, 7))).toEqual(["5-6", "6-7", "0-4"]); // [f, j, k]
		expect(spans(inclusionSubtrees(6, 7))).toEqual(["4-6", "0-4"]); // [i, k]
		expect(spans(consistencySubtrees(3, 7))).toEqual(["2-3", "3-4", "0-2", "4-7"]); // [c, d, g, l]
		expect(spans(consistencySubtrees(4, 7))).toEqual(["4-7"]); // [l]
		expect(spans(consistencySubtrees(6, 7))).toEqual(["4-6", "6-7", "0-4"]); // [i, j, k]
	});
});

describe("against the recursive definition", () => {
	const SIZES = 300;
	const all = entries(SIZES);
	/** MTH of [start, end), computed once each: the definition alone would take hours for all pairs. */
	const memo = new Map<string, Buffer>();
	const mth = ({ start, end }: Subtree): Buffer => {
		const key = `${start}-${end}`;
		const known = memo.get(key);
		if (known !== undefined) return known;
		const k = kOf(end - start);
		const hash =
			end - start === 1
				? sha256(Buffer.of(0), all[start]!)
				: sha256(Buffer.of(1), mth({ start, end: start + k }), mth({ start: start + k, end }));
		memo.set(key, hash);
		return hash;
	};

	test("root, paths and proofs from tiles, for some sizes in full", async () => {
		const log = new GrowingLog();
		for (const [at, entry] of all.entries()) {
			log.append(entry);
			const size = at + 1;
			if (![1, 2, 3, 7, 8, 64, 100, 255, 256, 257, 300].includes(size)) continue;
			const D = all.slice(0, size);
			const tree = log.tree();
			expect(hex(tree.head.root)).toBe(hex(MTH(D)));
			for (const index of [0, 1, at >> 1, at - 1, at].filter((n) => n >= 0 && n < size)) {
				expect((await tree.inclusionProof(index)).map(hex)).toEqual(PATH(index, D).map(hex));
			}
			for (const old of [1, 2, at >> 1, at, size].filter((n) => n >= 1 && n <= size)) {
				expect((await tree.consistencyProof(old)).map(hex)).toEqual(PROOF(old, D).map(hex));
				expect(hex(await tree.rootAt(old))).toBe(hex(MTH(D.slice(0, old))));
			}
		}
	});

	test(`every index in every size up to ${SIZES} verifies, and at no neighbour`, () => {
		for (let size = 1; size <= SIZES; size++) {
			const head = { size, root: mth({ start: 0, end: size }) };
			for (let index = 0; index < size; index++) {
				const proof = inclusionSubtrees(index, size).map(mth);
				verifyInclusion(leafHash(all[index]!), index, head, proof);
			}
			const proof = inclusionSubtrees(size - 1, size).map(mth);
			const leaf = leafHash(all[size - 1]!);
			refused(() => verifyInclusion(leaf, size, head, proof));
			if (size > 1) refused(() => verifyInclusion(leaf, size - 2, head, proof));
			refused(() => verifyInclusion(leaf, size - 1, head, [...proof, proof[0] ?? leaf]));
			if (proof.length > 0) refused(() => verifyInclusion(leaf, size - 1, head, proof.slice(1)));
		}
	});

	test(`every pair of sizes up to ${SIZES} is consistent, and no changed proof shows it`, () => {
		for (let second = 1; second <= SIZES; second++) {
			const now = { size: second, root: mth({ start: 0, end: second }) };
			verifyConsistency({ size: 0, root: EMPTY_ROOT }, now, []);
			for (let first = 1; first <= second; first++) {
				const before = { size: first, root: mth({ start: 0, end: first }) };
				const proof = consistencySubtrees(first, second).map(mth);
				verifyConsistency(before, now, proof);
				if ((first * 31 + second) % 61 !== 0) continue;
				const other = sha256(before.root);
				forked(() => verifyConsistency({ size: first, root: other }, now, proof));
				forked(() => verifyConsistency(before, { size: second, root: other }, proof));
				forked(() => verifyConsistency(before, now, [...proof, other]));
				for (const [at] of proof.entries()) {
					forked(() => verifyConsistency(before, now, proof.toSpliced(at, 1)));
					forked(() => verifyConsistency(before, now, proof.with(at, other)));
				}
				if (first < second)
					expect(() => verifyConsistency(now, before, proof)).toThrow(code("LOG_TRUNCATED"));
			}
		}
	});
});

describe("around the edges of tiles", () => {
	let log: GrowingLog;
	let leaves: Uint8Array[];
	beforeAll(async () => {
		leaves = entries(70_000).map(leafHash);
		log = GrowingLog.of(entries(70_000));
	});
	const headAt = (size: number) => ({ size, root: rootOfHashes(leaves.slice(0, size)) });
	const SIZES = [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 70_000];

	test.each(SIZES)("a tree of %i", async (size) => {
		const tree = log.tree(headAt(size));
		const indexes = [0, 1, 255, 256, 65_535, 65_536, size - 2, size - 1].filter((n) => n >= 0 && n < size);
		for (const index of indexes) {
			verifyInclusion(leaves[index]!, index, tree.head, await tree.inclusionProof(index));
			expect(Buffer.from(await tree.entry(index)).toString()).toBe(`entry ${index}`);
		}
		const older = [1, 254, 255, 256, 257, 65_535, 65_536, size - 1, size].filter((n) => n <= size);
		for (const before of older.map(headAt)) {
			expect(hex(await tree.rootAt(before.size))).toBe(hex(before.root));
			verifyConsistency(before, tree.head, await tree.consistencyProof(before.size));
			await tree.demandExtends(before);
		}
	});

	test("a consistency check reads the tiles on two edges, not the log", async () => {
		const tree = log.tree(headAt(70_000));
		log.reads.length = 0;
		await tree.demandExtends(headAt(69_000));
		expect(log.reads.sort()).toEqual(["0/269/256", "0/273/112", "1/1/17", "2/0/1"]);
	});

	test("the roots of the past are those that the log had then", async () => {
		const log = new GrowingLog();
		const heads: TreeHead[] = [];
		for (const entry of entries(300)) {
			heads.push(log.head());
			log.append(entry);
		}
		const tree = log.tree();
		for (const { size, root } of heads) expect(hex(await tree.rootAt(size))).toBe(hex(root));
	});
});

const code = (name: string) => expect.objectContaining({ code: name });
const refused = (run: () => void) => expect(run).toThrow(code("LOG_NOT_INCLUDED"));
const forked = (run: () => void) => expect(run).toThrow(code("LOG_FORKED"));
