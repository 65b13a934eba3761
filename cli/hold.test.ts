// What a hold keeps out: newer versions and their fixes, read from real bundles behind a Source that stands in for the network.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import { ofBundle } from "#host/advisories/testing/documents.ts";
import { hold } from "#host/holds.ts";
import { install } from "#host/install.ts";
import type { IndexVersion } from "#registry/api/wire.ts";
import { newAdvisory } from "#signing/advisory.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { BLUE, openFakeHost } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample } from "#test/harness/host-world.ts";
import { newerVersions } from "./client/newer-versions.ts";
import type { Source } from "./client/source.ts";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";
import { holdStatuses } from "./ops/hold.ts";
import { holdText } from "./output/hold.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/holds.md"), "utf8");
const VERSIONS = ["1.0.0", "1.0.1", "1.1.0", "2.0.0-rc.1"];
const FIXES: Readonly<Record<string, string[]>> = { "1.1.0": ["KFN-2026-0001"] };
const YANKED = ["1.0.1"];
let key: SecretKey;
let samples: SignedSample[];
let source: Source;

beforeAll(async () => {
	key = await generateKeyPair("test");
	const make = (version: string) => signedSample({ version, fixes: FIXES[version] ?? [], signers: [key] });
	samples = await Promise.all(VERSIONS.map(make));
	source = await sourceOf(samples);
});

async function sourceOf(published: readonly SignedSample[]): Promise<Source> {
	const versions = await Promise.all(published.map(indexed));
	const blob = async (digest: string) => published.find(({ sha256 }) => sha256 === digest)!.archive;
	const index = async (name: string) => ({ schema: "kfn.index/1" as const, name, versions });
	return { description: "test", index, blob, statements: async () => [await advisory()] };
}

/** Of the versions below 1.1.0, which the registry lists; and one under an alias, of which 1.1.0's manifest says that it is fixed. */
function advisory(): Promise<DsseEnvelope> {
	const document = ofBundle("x_KFN-2026-0002", ["0", { fixed: "1.1.0" }], { names: ["sample"] });
	return signDsseEnvelope(newAdvisory(document), key);
}

async function indexed({ version, archive, sha256, tag }: SignedSample): Promise<IndexVersion> {
	const { manifest, manifestDigest } = await openBundle(archive);
	const yanked = YANKED.includes(version) ? { at: "2026-11-23T10:00:00.000Z", reason: "a test" } : null;
	const { function: fn } = manifest;
	const bytes = { sha256, size: archive.length, manifestSha256: manifestDigest, tag };
	const rest = { requires: [], publishedAt: "2026-11-23T10:00:00.000Z", log: null };
	return { version, ...bytes, function: fn, yanked, ...rest };
}

const context = { signal: new AbortController().signal } as Context;
const archiveOf = (version: string) => samples.find((sample) => sample.version === version)!.archive;

test("newer versions come newest first with their fixes; what is yanked or a prerelease is not offered", async () => {
	expect(await newerVersions(source, "sample", "1.0.0")).toEqual([
		{ version: "1.1.0", fixes: ["KFN-2026-0001"] },
	]);
	expect(await newerVersions(source, "sample", "1.1.0")).toEqual([]);
	expect(await newerVersions(source, "sample", "2.0.0-alpha")).toEqual([
		{ version: "2.0.0-rc.1", fixes: [] },
	]);
});

test("kfn hold says what the hold keeps out, as docs/formats/holds.md shows", async () => {
	using fake = openFakeHost({ key });
	await fake.locked((lock) => install(lock, { bundle: archiveOf("1.0.0"), scope: BLUE }));
	const changed = await fake.locked((lock) => hold(lock, { name: "sample" }));
	const holds = await holdStatuses(context, fake.host, async () => source);
	expect({ changed, holds }).toEqual(JSON.parse(/```json hold\n(.*?)```/s.exec(PAGE)?.[1] ?? ""));
	expect(holdText(holds[0]!).split("\n")).toEqual([
		"sample is held at 1.0.0 since 2026-11-23T10:00:00.000Z",
		"  leaves open x_KFN-2026-0002: what x_KFN-2026-0002 says",
		"  keeps out 1.1.0, which fixes KFN-2026-0001, x_KFN-2026-0002",
	]);
});

test("what a manifest calls fixed is not, where the advisory itself says otherwise", async () => {
	const knows = (id: string) => id === "KFN-2026-0001";
	expect(await newerVersions(source, "sample", "1.0.0", { knows, closes: () => [] })).toEqual([
		{ version: "1.1.0", fixes: [] },
	]);
});

test("where no registry answers, the hold says that it cannot tell", async () => {
	using fake = openFakeHost({ key });
	await fake.locked((lock) => hold(lock, { name: "sample", version: "1.0.0" }));
	const refuse = async () => {
		throw new CliError("CLI_REGISTRY_UNREACHABLE", "nobody is there");
	};
	const [status] = await holdStatuses(context, fake.host, refuse);
	expect(status).toMatchObject({
		active: [],
		open: [],
		keepsOut: null,
		unknown: { code: "CLI_REGISTRY_UNREACHABLE", message: "nobody is there" },
	});
	expect(holdText(status!)).toContain("cannot be told: nobody is there [CLI_REGISTRY_UNREACHABLE]");
});

test("of many newer versions only the newest are looked at, and the others are named", async () => {
	const many = Array.from({ length: 20 }, (_, i) => ({ ...samples[2]!, version: `3.0.${i}` }));
	const index = await sourceOf([]);
	const versions = await Promise.all(many.map(indexed));
	const crowded = {
		...index,
		index: async (name: string) => ({ schema: "kfn.index/1" as const, name, versions }),
		blob: async () => samples[2]!.archive,
	};
	const found = await newerVersions(crowded, "sample", "1.0.0");
	expect(found.map(({ version }) => version).slice(0, 2)).toEqual(["3.0.19", "3.0.18"]);
	expect(found.filter(({ fixes }) => fixes === null).map(({ version }) => version)).toEqual([
		"3.0.3",
		"3.0.2",
		"3.0.1",
		"3.0.0",
	]);
});
