// Fuzzing, bounded and seeded: whatever the bytes, a reader gives a value or a BundleError, never anything else.
import { describe, expect, it } from "vitest";
import { readArchive } from "./archive.ts";
import { openBundle, openContents } from "./bundle.ts";
import { readElf } from "./elf.ts";
import { BundleError } from "./errors.ts";
import { parseKernelRange } from "./kernel-range.ts";
import { parseManifest, serializeManifest } from "./manifest.ts";
import { parseNote, readNoteSection } from "./note.ts";
import { parsePackageManifest } from "./package-manifest.ts";
import { frameOf, seal } from "./testing/raw-tar.ts";
import { sampleBundle, samplePackage } from "./testing/sample.ts";
import { parseVectors } from "./vectors.ts";

/** Overridable, so that a longer run elsewhere needs no edit: KFN_FUZZ_ROUNDS, KFN_FUZZ_SEED. */
const ROUNDS = Number(process.env["KFN_FUZZ_ROUNDS"] ?? 4000);
const SEED = Number(process.env["KFN_FUZZ_SEED"] ?? 20261123);

/** Mulberry32: small, and the same on every machine. */
function generator(seed: number): (below: number) => number {
	let state = seed >>> 0;
	return (below) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
	};
}

const EDGES = [0, 1, 0x7f, 0x80, 0xff];

function mutate(original: Uint8Array, random: (below: number) => number): Buffer {
	let bytes = Buffer.from(original);
	for (let edits = 1 + random(4); edits > 0; edits--) {
		const at = random(bytes.length + 1);
		const length = 1 + random(16);
		const kind = random(6);
		if (kind === 0) bytes = bytes.subarray(0, at);
		else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
		else if (kind === 2)
			bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1), at), bytes.subarray(at)]);
		else if (kind === 3) bytes.fill(EDGES[random(EDGES.length)]!, at, Math.min(at + length, bytes.length));
		else if (at < bytes.length) bytes[at]! ^= kind === 4 ? 1 << random(8) : random(256);
		bytes = Buffer.from(bytes);
	}
	return bytes;
}

interface Tally {
	accepted: number;
	refused: Map<string, number>;
}

async function fuzz(original: Uint8Array, read: (bytes: Buffer) => unknown, rounds = ROUNDS): Promise<Tally> {
	const random = generator(SEED);
	const tally: Tally = { accepted: 0, refused: new Map() };
	for (let round = 0; round < rounds; round++) {
		const bytes = mutate(original, random);
		try {
			await read(bytes);
			tally.accepted++;
		} catch (error) {
			if (!(error instanceof BundleError))
				throw new Error(`round ${round}: ${bytes.toString("hex").slice(0, 4000)}`, { cause: error });
			expect(error.message).not.toMatch(/\p{Cc}/u);
			tally.refused.set(error.code, (tally.refused.get(error.code) ?? 0) + 1);
		}
	}
	return tally;
}

const sample = sampleBundle();
const tarText = await (async () => {
	const { zstdDecompressSync } = await import("node:zlib");
	return zstdDecompressSync(sample.archive);
})();

describe("fuzzing", () => {
	it("archives: a changed byte is refused, or one that zstd gives no meaning", async () => {
		const original = await readArchive(sample.archive);
		const tally = await fuzz(sample.archive, async (bytes) => {
			expect(await readArchive(bytes)).toEqual(original);
		});
		expect(tally.accepted).toBeLessThan(ROUNDS / 100);
		expect(tally.refused.size).toBeGreaterThan(3);
	});

	it("tars inside a good frame, with their checksums made right: whatever is accepted is safe to unpack", async () => {
		const tally = await fuzz(tarText, async (bytes) => {
			for (let at = 0; at + 512 <= bytes.length; at += 512) {
				if (bytes.toString("latin1", at + 257, at + 262) === "ustar") seal(bytes.subarray(at, at + 512));
			}
			const entries = await readArchive(frameOf(bytes));
			for (const { path } of entries)
				expect(path).toMatch(/^(?!.*(^|\/)\.{0,2}(\/|$))[A-Za-z0-9_][A-Za-z0-9._/-]*$/);
		});
		expect(tally.accepted).toBeGreaterThan(0);
		expect(tally.refused.size).toBeGreaterThan(5);
	});

	it("whole bundles: only the signature file may change", async () => {
		const tally = await fuzz(
			tarText,
			async (bytes) => {
				const bundle = await openBundle(frameOf(bytes));
				expect([bundle.manifestBytes, bundle.files]).toEqual([
					sample.manifestBytes,
					new Map([...bundle.files.keys()].map((path) => [path, sample.files.get(path)])),
				]);
			},
			ROUNDS / 4,
		);
		expect(tally.refused.size).toBeGreaterThan(5);
	});

	it("manifests: what is accepted has one spelling", async () => {
		await fuzz(sample.manifestBytes, (bytes) => {
			expect(Buffer.from(serializeManifest(parseManifest(bytes)))).toEqual(bytes);
		});
	});

	it("manifests of a bundle: none but the original fits its files", async () => {
		const rest = [...sample.files].map(([path, bytes]) => ({ path, bytes }));
		const tally = await fuzz(sample.manifestBytes, (bytes) => {
			const { manifest } = openContents([
				{ path: "kfn.json", bytes },
				{ path: "kfn.sig.json", bytes: Buffer.alloc(0) },
				...rest,
			]);
			// Free texts may differ; nothing that says what runs may.
			expect([manifest.files, manifest.tag, manifest.variants]).toEqual([
				sample.manifest.files,
				sample.manifest.tag,
				sample.manifest.variants.map((variant, i) => ({ ...variant, name: manifest.variants[i]!.name })),
			]);
		});
		expect(tally.refused.size).toBeGreaterThan(1);
	});

	it("objects: programs lie inside the file", async () => {
		const object = sample.files.get("obj/sample.bpf.o")!;
		const tally = await fuzz(object, (bytes) => {
			for (const program of readElf(bytes).programs) expect(program.insns.length % 8).toBe(0);
		});
		expect(tally.accepted).toBeGreaterThan(0);
	});

	it.each([
		["package manifests", Buffer.from(JSON.stringify(samplePackage())), parsePackageManifest],
		["vectors", Buffer.from(sample.files.get("vectors/basic.jsonl")!), parseVectors],
		["note sections", noteSection(), readNoteSection],
		[
			"note texts",
			noteSection().subarray(16),
			(bytes: Uint8Array) => parseNote(Buffer.from(bytes).toString("latin1")),
		],
		[
			"kernel ranges",
			Buffer.from(">=5.10 <6.18"),
			(bytes: Uint8Array) => parseKernelRange(Buffer.from(bytes).toString("latin1")),
		],
	])("%s", async (_what, original, read) => {
		const tally = await fuzz(original, read);
		expect(tally.refused.size).toBeGreaterThan(0);
	});
});

function noteSection(): Buffer {
	const section = readElf(sample.files.get("obj/sample.bpf.o")!).sections.find((s) => s.name === ".note.kfn");
	return Buffer.from(section!.bytes);
}
