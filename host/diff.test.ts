// What kfn diff finds between generations of a fake host: versions, fixes, source, instructions; and what it says where it cannot.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample } from "#test/harness/host-world.ts";
import { diffBundles } from "./bundle-diff.ts";
import { diffGenerations } from "./diff.ts";
import { install } from "./install.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/history.md"), "utf8");
let key: SecretKey;
let v1: SignedSample;
let v2: SignedSample;

beforeAll(async () => {
	key = await generateKeyPair("test");
	v1 = await signedSample({ version: "1.0.0", offset: 20, signers: [key] });
	v2 = await signedSample({ version: "1.1.0", offset: 24, fixes: ["KFN-2026-0001"], signers: [key] });
});

/** 1: 1.0.0 in one scope; 2: in two; 3: 1.1.0 in both. */
async function threeGenerations(): Promise<FakeHost> {
	const fake = openFakeHost({ key });
	for (const scope of [BLUE, RED]) await fake.locked((lock) => install(lock, { bundle: v1.archive, scope }));
	await fake.locked((lock) => upgrade(lock, { bundle: v2.archive }));
	return fake;
}

test("without numbers, the current generation is compared with the one before it", async () => {
	using fake = await threeGenerations();
	const { from, to, functions, bundles } = diffGenerations(fake.host);
	expect([from, to]).toEqual([2, 3]);
	expect(functions.map(({ change, scope }) => [change, scope])).toEqual([
		["changed", BLUE],
		["changed", RED],
	]);
	// One pair, however many scopes it is in.
	expect(bundles).toHaveLength(1);
	const { diff } = bundles[0]!;
	expect(diff?.fixed).toEqual(["KFN-2026-0001"]);
	expect(diff?.source.map(({ path, added, removed }) => [path, added, removed])).toEqual([
		["src/sample.bpf.c", 1, 1],
	]);
	expect(diff?.source[0]?.patch).toMatch(/\n-.*nhoff \+ 20;\n\+.*nhoff \+ 24;\n/);
	expect(diff?.programs[0]?.patch).toMatch(/\n-w2 \+= 20\n\+w2 \+= 24\n/);
});

test("the page's example is what is printed", async () => {
	using fake = await threeGenerations();
	const { bundles } = diffGenerations(fake.host, { from: 1, to: 3 });
	const told = bundles.map((pair) => ({
		...pair,
		diff: pair.diff && { ...pair.diff, source: pair.diff.source.map((file) => ({ ...file, patch: null })) },
	}));
	const masked = (value: unknown) => JSON.stringify(value).replaceAll(/\b[0-9a-f]{64}\b/g, "DIGEST");
	const example = JSON.parse(/```json diff\n(.*?)```/s.exec(PAGE)?.[1] ?? "") as { bundles: unknown };
	expect(masked(told)).toBe(masked(example.bundles));
});

test("going back, a fix is named as lost; against nothing there is no pair", async () => {
	using fake = await threeGenerations();
	const back = diffGenerations(fake.host, { from: 3, to: 2 });
	expect(back.bundles[0]?.diff).toMatchObject({ fixed: [], unfixed: ["KFN-2026-0001"] });
	expect(diffGenerations(fake.host, { from: 0, to: 1 })).toMatchObject({
		functions: [{ change: "added", from: null }],
		bundles: [],
	});
	expect(diffGenerations(fake.host, { from: 1 })).toMatchObject({ from: 1, to: 3 });
	expect(diffGenerations(fake.host, { from: 2, to: 2 })).toMatchObject({ functions: [], bundles: [] });
});

test("generations that do not exist, or were never committed, are refused", async () => {
	using fake = await threeGenerations();
	for (const to of [4, 99]) {
		expect(() => diffGenerations(fake.host, { to })).toThrow(
			expect.objectContaining({ code: "HOST_NO_GENERATION" }),
		);
	}
	rmSync(fake.host.layout.generation(1), { recursive: true });
	expect(() => diffGenerations(fake.host, { from: 1 })).toThrow(
		expect.objectContaining({ code: "HOST_NO_GENERATION" }),
	);
});

test("no byte is shown that is not the manifest's: what the store cannot give is said instead", async () => {
	using fake = await threeGenerations();
	const entry = fake.host.layout.storeEntry(v1.sha256);
	writeFileSync(join(entry, "src/sample.bpf.c"), "int evil;\n");
	expect(diffGenerations(fake.host).bundles).toMatchObject([
		{ diff: null, unknown: { code: "HOST_STORE_DIGEST" } },
	]);
	rmSync(entry, { recursive: true });
	const { functions, bundles } = diffGenerations(fake.host);
	expect(functions).toHaveLength(2);
	expect(bundles).toMatchObject([{ diff: null, unknown: { code: "HOST_STORE_MISSING" } }]);
});

test("a file that only one side has is added or removed, and only tagged files count", async () => {
	const [before, after] = await Promise.all([v1, v2].map(({ archive }) => openBundle(archive)));
	const sideOf = ({ manifest, files }: NonNullable<typeof before>) => ({
		manifest,
		read: (path: string) => files.get(path)!,
	});
	const header = "src/kfn/sample.h";
	const without = {
		...sideOf(before!),
		manifest: {
			...before!.manifest,
			tag: { ...before!.manifest.tag, files: before!.manifest.tag.files.filter((path) => path !== header) },
		},
	};
	const there = diffBundles(without, sideOf(after!)).source;
	expect(there.map(({ path, change }) => [path, change])).toEqual([
		[header, "added"],
		["src/sample.bpf.c", "changed"],
	]);
	expect(diffBundles(sideOf(after!), without).source[0]).toMatchObject({ path: header, change: "removed" });
	expect(diffBundles(sideOf(before!), sideOf(before!))).toEqual({
		fixed: [],
		unfixed: [],
		source: [],
		programs: [],
	});
});
