// Attacks on a host's reading of its registry, by name: what is old or mixed, or never ends. Against the real server: its real
// files are replayed, withheld and forged with its real stolen keys, by a real HTTP server in between.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withLock } from "#host/lock.ts";
import { raiseFloor } from "#host/trust-state/floors.ts";
import { readTrustState } from "#host/trust-state/state.ts";
import type { TestBundle } from "#registry/testing/bundles.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { type Forger, forge } from "../harness/forgery.ts";
import { fromFiles } from "../harness/lying-mirror.ts";
import type { TestRegistry } from "../harness/registry.ts";
import { outcome } from "../harness/trust-world.ts";
import { BIN, everything, openAttackedRegistry, type Victim, victim as victimOf } from "./registry-world.ts";

let registry: TestRegistry;
let bundles: readonly TestBundle[];
let older: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
	({ registry, bundles, older } = await openAttackedRegistry());
});
afterAll(() => registry[Symbol.asyncDispose]());

const victim = (): Promise<Victim> => victimOf(registry);
const code = (work: Promise<unknown>) => outcome(work);

test("an honest mirror: the newest version's exact bytes", async () => {
	const source = await (await victim()).open();
	const index = await source.index("sample");
	expect(index.versions.map(({ version }) => version)).toEqual(["1.1.0", "1.0.0"]);
	const { sha256, size } = index.versions[0]!;
	expect(Buffer.from(await source.blob(sha256, size))).toEqual(Buffer.from(bundles[1]!.archive));
	expect(await code(source.index("nothing"))).toBe("TRUST_NO_TARGET");
});

describe("rollback", () => {
	test("of everything: the registry as it was", async () => {
		const { mirror, open } = await victim();
		await open();
		mirror.serve(fromFiles(older));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of the timestamp, by a thief of its key", async () => {
		const { forger, open } = await victim();
		await open();
		await forger.timestamp((signed) => ({ ...signed, version: 1 }));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of the snapshot, by a thief of the timestamp's key", async () => {
		const { forger, open } = await victim();
		await open();
		const meta = { "snapshot.json": { version: 1 } };
		await forger.timestamp((signed) => ({ ...signed, version: signed.version + 1, meta }));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test.each([BIN, "bin-0"])("of %s, by a thief of the snapshot's and timestamp's keys", async (bin) => {
		const { forger, open } = await victim();
		await open();
		await forger.snapshot((signed) => {
			const meta = { ...signed.meta };
			if (bin === BIN) meta[`${bin}.json`] = { version: 1 };
			else delete meta[`${bin}.json`];
			return { ...signed, meta };
		});
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of targets, by a thief of all online keys", async () => {
		const { forger, mirror, open } = await victim();
		const { root, targets } = registry.trust;
		const first = await forger.file("1.targets.json");
		// The offline signers have signed a second version, which the host has seen.
		mirror.lie(
			"v1/metadata/2.targets.json",
			await forge(first, "targets", targets, (signed) => ({ ...signed, version: 2 })),
		);
		await forger.snapshot((signed) => ({
			...signed,
			meta: { ...signed.meta, "targets.json": { version: 2 } },
		}));
		await open();
		await forger.snapshot((signed) => ({ ...signed, version: signed.version + 1 }));
		await bump(forger, 2);
		expect(await code(open())).toBe("TRUST_ROLLBACK");
		expect(root).toHaveLength(3);
	});

	test("of the root: an old one under the next one's name", async () => {
		const { mirror, open } = await victim();
		mirror.lie("v1/metadata/2.root.json", registry.trust.rootBytes);
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of one bundle's index, by a thief of all online keys", async () => {
		const { forger, mirror, open } = await victim();
		const source = await open();
		await source.index("sample");
		const before = [...older].find(([path]) => path.endsWith(".index.json"))!;
		const sha256 = createHash("sha256").update(before[1]).digest("hex");
		mirror.lie(before[0], before[1]);
		await forger.bin(BIN, (signed) => ({
			...signed,
			targets: {
				...signed.targets,
				"sample/index.json": { length: before[1].byteLength, hashes: { sha256 } },
			},
		}));
		expect(await code((await open()).index("sample"))).toBe("TRUST_ROLLBACK");
	});
});

/** A timestamp above the one that the forger's first lie had. */
async function bump(forger: Forger, by: number): Promise<void> {
	const { signed } = parseEnvelope(await forger.file("timestamp.json"), "timestamp");
	const version = signed.meta["snapshot.json"].version + by;
	await forger.timestamp((now) => ({
		...now,
		version: now.version + by,
		meta: { "snapshot.json": { version } },
	}));
}

test("freeze: the registry as it stands, replayed until it has expired", async () => {
	const world = await victim();
	await world.open();
	world.mirror.serve(fromFiles(await everything(registry)));
	world.ahead = 0.9;
	await world.open();
	world.ahead = 1.1;
	expect(await code(world.open())).toBe("TRUST_EXPIRED");
});

test("freeze with a stolen timestamp key: until the snapshot has expired", async () => {
	const world = await victim();
	await world.forger.timestamp((signed) => ({
		...signed,
		version: signed.version + 1,
		expires: "2999-01-01T00:00:00Z",
	}));
	world.ahead = 6;
	await world.open();
	world.ahead = 8;
	expect(await code(world.open())).toBe("TRUST_EXPIRED");
});

test("mix-and-match: today's snapshot beside yesterday's bin", async () => {
	const { mirror, open } = await victim();
	const versions = (files: ReadonlyMap<string, Uint8Array>) =>
		[...files.keys()].filter((path) => path.endsWith(`.${BIN}.json`));
	const [old] = versions(older);
	const [now] = versions(await everything(registry));
	mirror.lie(now!, older.get(old!)!);
	expect(await code((await open()).index("sample"))).toBe("TRUST_MISMATCH");
});

test("mix-and-match: today's timestamp beside yesterday's snapshot", async () => {
	const { mirror, open } = await victim();
	const snapshots = (files: ReadonlyMap<string, Uint8Array>) =>
		[...files.keys()].filter((path) => path.endsWith(".snapshot.json"));
	mirror.lie(snapshots(await everything(registry))[0]!, older.get(snapshots(older)[0]!)!);
	expect(await code(open())).toBe("TRUST_MISMATCH");
});

describe.each(["v1/metadata/2.root.json", "v1/metadata/timestamp.json"])("%s", (path) => {
	test("endless data", async () => {
		const { mirror, open } = await victim();
		mirror.lie(path, "endless");
		expect(await code(open())).toBe("TRUST_TOO_LARGE");
		expect(mirror.sent.bytes).toBeLessThan(64 * 1024 * 1024);
	});

	test("slow data", async () => {
		const { mirror, open } = await victim();
		mirror.lie(path, "slow");
		expect(await code(open())).toBe("CLI_REGISTRY_SLOW");
	});
});

test("endless and slow data in an archive's place", async () => {
	const { mirror, open } = await victim();
	const source = await open();
	const { sha256, size } = (await source.index("sample")).versions[0]!;
	const path = bundles[1]!.path.slice(1);
	mirror.lie(path, "endless");
	expect(await code(source.blob(sha256, size))).toBe("TRUST_TOO_LARGE");
	mirror.lie(path, "slow");
	expect(await code(source.blob(sha256, size))).toBe("CLI_REGISTRY_SLOW");
});

test("two updates at once, in two real processes: each ends well or is told who holds the host, and one whole set stands", async () => {
	const { host } = await victim();
	const child = join(import.meta.dirname, "../harness/trust-child.ts");
	const spec = JSON.stringify({ root: host.layout.root, url: registry.url });
	const runs = Array.from({ length: 4 }, async () => {
		const process_ = spawn(process.execPath, [child, spec], { stdio: ["ignore", "pipe", "inherit"] });
		const chunks: Buffer[] = [];
		process_.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
		await once(process_, "close");
		return Buffer.concat(chunks).toString().trim();
	});
	const outcomes = await Promise.all(runs);
	expect(outcomes).toContain("accepted");
	for (const result of outcomes) expect(["accepted", "HOST_LOCKED"]).toContain(result);
	expect(readTrustState(host).set!.record.complete).toBe(true);
	await withLock(host, "test", (lock) => raiseFloor(lock, { name: "sample", version: "1.1.0" }));
});
