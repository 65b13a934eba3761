// Copying a registry's tree: what arrives, what is fetched again, and what a lying origin cannot put in.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Durable, openDurable } from "#host/durable.ts";
import { faultAt, noFaults } from "#host/faults.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { fileOf, LOG_ORIGIN, TreeRegistry } from "#test/harness/tree-registry.ts";
import type { CopyReport, VerifiedHead } from "./copy.ts";
import { FolderTree, WritableFolderTree } from "./folder-tree.ts";
import { pathsOfState, prune } from "./prune.ts";
import { codeOf, copyOf, headOf, MemoryTree, NOW } from "./testing/copying.ts";
import type { TreeReader } from "./tree.ts";
import { CHECKPOINT_PATH, metadataPath, NAMES_PATH, TIMESTAMP_PATH } from "./tree-path.ts";

const ALPHA = "alpha/alpha-1.0.0.kfn";

let made: TreeRegistry;
let out: string;

beforeEach(async () => {
	made = await TreeRegistry.make(NOW);
	await made.publish("alpha", "1.0.0");
	await made.publish("beta", "1.0.0");
	out = temporary();
});

function temporary(): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-copy-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

interface Changes {
	readonly head?: VerifiedHead;
	readonly origin?: TreeReader;
	readonly durable?: Durable;
	readonly bases?: readonly TreeReader[];
	readonly to?: string;
}

function copy(changes: Changes = {}): Promise<CopyReport> {
	const to = new WritableFolderTree(changes.to ?? out, changes.durable ?? openDurable(noFaults));
	const origin = changes.origin ?? new MemoryTree(made.files);
	return copyOf(changes.head ?? headOf(made.files), origin, to, changes.bases);
}

/** The origin, with some files replaced, or taken away. */
function lying(changes: Readonly<Record<string, Uint8Array | undefined>>): TreeReader {
	const files = new Map(made.files);
	for (const [path, bytes] of Object.entries(changes)) {
		if (bytes === undefined) files.delete(path);
		else files.set(path, bytes);
	}
	return new MemoryTree(files);
}

/** Every file is the origin's, byte for byte, and all that the newest metadata leads to is there. */
async function expectWhole(folder: string): Promise<void> {
	const tree = new FolderTree(folder);
	for (const path of tree.list()) {
		if (path === NAMES_PATH) continue;
		expect(readFileSync(join(folder, path)).equals(made.files.get(path)!), path).toBe(true);
	}
	expect(tree.leftovers()).toEqual([]);
	await copyOf(headOf(made.files), new FolderTree(folder));
	expect(readFileSync(join(folder, TIMESTAMP_PATH)).equals(made.files.get(TIMESTAMP_PATH)!)).toBe(true);
	expect(readFileSync(join(folder, CHECKPOINT_PATH)).equals(made.files.get(CHECKPOINT_PATH)!)).toBe(true);
}

describe("an honest origin", () => {
	test("a copy has every file that the metadata names, byte for byte, and the names on one page", async () => {
		const report = await copy();
		await expectWhole(out);
		expect(report).toMatchObject({ kept: 0, names: ["alpha", "beta"], log: { origin: LOG_ORIGIN, size: 2 } });
		expect(new Set(new FolderTree(out).list())).toEqual(report.paths);
		expect(JSON.parse(readFileSync(join(out, NAMES_PATH), "utf8"))).toEqual({
			schema: "kfn.names/1",
			names: ["alpha", "beta"],
			next: null,
		});
	});

	test("all roots come, back to the first, each tied to the next", async () => {
		await made.repository.rotate("root");
		await made.repository.rotate("timestamp");
		await made.seal();
		await copy();
		for (const version of [1, 2, 3]) {
			const path = metadataPath("root", version);
			expect(readFileSync(join(out, path)).equals(made.files.get(path)!)).toBe(true);
		}
	});

	test("run again, nothing is fetched but the checkpoint, and nothing is written", async () => {
		await copy();
		const [origin, faults] = [new MemoryTree(made.files), faultAt(0, "fail")];
		const report = await copy({ origin, durable: openDurable(faults) });
		expect(origin.asked).toEqual([CHECKPOINT_PATH]);
		expect(faults.passed).toEqual([]);
		expect(report.placed).toBe(0);
	});

	test("after a publish, only what is new is fetched", async () => {
		await copy();
		await made.publish("alpha", "1.1.0");
		const origin = new MemoryTree(made.files);
		await copy({ origin });
		await expectWhole(out);
		const targets = ["alpha/index.json", "alpha/alpha-1.1.0.kfn"];
		const expected = [
			...new Set(targets.map((target) => made.pathOfRole(made.binOf(target)))),
			...targets.map((target) => made.pathOf(target)),
			...[CHECKPOINT_PATH, "v1/log/tile/0/000.p/3", "v1/log/tile/entries/000.p/3"],
		];
		expect([...new Set(origin.asked)].sort()).toEqual(expected.sort());
	});

	test("a file that was damaged on the disk is fetched again, tiles of the log included", async () => {
		await copy();
		for (const path of [made.pathOf(ALPHA), made.pathOfRole("bin-0"), "v1/log/tile/0/000.p/2"]) {
			writeFileSync(join(out, path), readFileSync(join(out, path)).fill(0x30));
			const report = await copy();
			expect(report.placed, path).toBeGreaterThan(0);
			await expectWhole(out);
		}
	});

	test("--since: only what the older copy lacks is written, and the two together are the whole", async () => {
		await copy();
		await made.publish("beta", "2.0.0");
		const difference = temporary();
		await copy({ to: difference, bases: [new FolderTree(out)] });
		const written = new FolderTree(difference).list();
		expect(written).toContain(made.pathOf("beta/beta-2.0.0.kfn"));
		for (const head of [TIMESTAMP_PATH, CHECKPOINT_PATH, NAMES_PATH]) expect(written).toContain(head);
		const before = new FolderTree(out).list().filter((path) => !/timestamp|checkpoint|names/.test(path));
		expect(written.filter((path) => before.includes(path))).toEqual([]);
		cpSync(difference, out, { recursive: true });
		await expectWhole(out);
	});

	test("at most eight requests are under way", async () => {
		await made.fillLog(5 * 256 + 3);
		for (let i = 0; i < 20; i++) made.repository.place(`many-${i}/index.json`, Buffer.from(`${i}`));
		for (const bin of [0, 1, 2, 3]) {
			const member = Array.from({ length: 20 }, (_, i) => `many-${i}/index.json`).find(
				(path) => made.binOf(path) === `bin-${bin}`,
			);
			await made.repository.signTargetsOf(member!);
		}
		await made.seal();
		let now = 0;
		let most = 0;
		const origin: TreeReader = {
			description: "",
			read: async (path) => {
				most = Math.max(most, ++now);
				await new Promise((done) => setImmediate(done));
				now--;
				return made.files.get(path);
			},
		};
		await copy({ origin });
		expect(most).toBe(8);
	});

	test("a log of many tiles: all of it, and what grew since", async () => {
		await made.fillLog(256 * 20 + 188);
		await copy();
		await expectWhole(out);
		await made.publish("alpha", "1.1.0");
		const origin = new MemoryTree(made.files);
		await copy({ origin });
		const tiles = origin.asked.filter((path) => path.startsWith("v1/log/tile/"));
		expect([...new Set(tiles)].sort()).toEqual(["v1/log/tile/0/020.p/189", "v1/log/tile/entries/020.p/189"]);
		await expectWhole(out);
	});
});

describe("a lying origin puts nothing into a mirror", () => {
	const refused = async (changes: Changes, expected: string) => {
		expect(await codeOf(copy(changes))).toBe(expected);
		const tree = new FolderTree(out);
		expect(tree.list(), "no state is visible").not.toContain(TIMESTAMP_PATH);
		// What was placed before the lie are files of the true state, all of them.
		for (const path of tree.list()) {
			expect(readFileSync(join(out, path)).equals(made.files.get(path)!), path).toBe(true);
		}
	};

	test("a changed archive", async () => {
		const path = made.pathOf(ALPHA);
		const changed = Buffer.from(made.files.get(path)!);
		changed[0]! ^= 1;
		await refused({ origin: lying({ [path]: changed }) }, "TRUST_MISMATCH");
	});

	test("an archive cut short, or longer", async () => {
		const path = made.pathOf(ALPHA);
		const bytes = made.files.get(path)!;
		await refused({ origin: lying({ [path]: bytes.slice(1) }) }, "TRUST_MISMATCH");
		await refused({ origin: lying({ [path]: Buffer.concat([bytes, Buffer.of(0)]) }) }, "TRUST_MISMATCH");
	});

	test("mix-and-match: an older bin under the newer one's name", async () => {
		const bin = made.binOf("alpha/index.json");
		const old = made.files.get(made.pathOfRole(bin))!;
		await made.publish("alpha", "1.1.0");
		await refused({ origin: lying({ [made.pathOfRole(bin)]: old }) }, "TRUST_MISMATCH");
	});

	test("a bin left out: its file, and its line in a signed snapshot", async () => {
		const path = made.pathOfRole(made.binOf("alpha/index.json"));
		await refused({ origin: lying({ [path]: undefined }) }, "CLI_MIRROR_INCOMPLETE");
		await made.repository.signSnapshot((meta) => ({ "targets.json": meta["targets.json"]! }));
		await made.repository.signTimestamp();
		out = temporary();
		await refused({}, "TRUST_MISMATCH");
	});

	test("a bin signed by another key", async () => {
		const bin = made.binOf("alpha/index.json");
		const path = made.pathOfRole(bin);
		const { version } = parseEnvelope(made.files.get(path)!, "targets").signed;
		const forged = await (await TreeRegistry.make(NOW)).forge(bin, "targets", { targets: {}, version });
		await refused({ origin: lying({ [path]: forged }) }, "TRUST_SIGNATURES");
	});

	test("freeze: an expired bin", async () => {
		await made.forge("bin-0", "targets", { targets: {}, expires: "2026-11-28T12:00:00Z" });
		await made.seal();
		await refused({}, "TRUST_EXPIRED");
	});

	test("a bin that lists another bin's target", async () => {
		const bin = ["bin-0", "bin-1"].find((name) => name !== made.binOf("x/y.kfn"))!;
		await made.forge(bin, "targets", { targets: { "x/y.kfn": fileOf(Buffer.from("x")) } });
		await made.seal();
		await refused({}, "TRUST_MISMATCH");
	});

	test.each(["../../etc/cron.d/x", "x/../../y", "/x/y", "x//y", "x/.y", "y", "x/y z", "x/y?z", "x\\y/z"])(
		"a target whose name leaves the tree, or means something to a server: %s",
		async (target) => {
			await made.forge(made.binOf(target), "targets", { targets: { [target]: fileOf(Buffer.from("x")) } });
			await made.seal();
			await refused({}, "TRUST_MALFORMED");
		},
	);

	test("a forged older root", async () => {
		await made.repository.rotate("root");
		await made.seal();
		const other = await TreeRegistry.make(NOW);
		const path = metadataPath("root", 1);
		await refused({ origin: lying({ [path]: other.files.get(path)! }) }, "TRUST_SIGNATURES");
	});

	test("an unlisted file is not even asked for", async () => {
		const evil = `v1/targets/alpha/${"e".repeat(64)}.alpha-9.0.0.kfn`;
		const origin = new MemoryTree(new Map(made.files).set(evil, Buffer.from("evil")));
		await copy({ origin });
		expect(origin.asked).not.toContain(evil);
		await expectWhole(out);
	});

	test("a checkpoint by another key, or none", async () => {
		const other = await TreeRegistry.make(NOW);
		const forged = other.files.get(CHECKPOINT_PATH)!;
		await refused({ origin: lying({ [CHECKPOINT_PATH]: forged }) }, "LOG_SIGNATURE");
		await refused({ origin: lying({ [CHECKPOINT_PATH]: undefined }) }, "CLI_MIRROR_INCOMPLETE");
	});

	test("tiles and entries of another log: none of them is placed", async () => {
		for (const path of ["v1/log/tile/0/000.p/2", "v1/log/tile/entries/000.p/2"]) {
			const changed = Buffer.from(made.files.get(path)!);
			changed[changed.length - 1]! ^= 1;
			await refused({ origin: lying({ [path]: changed }) }, "LOG_TILE");
			expect(new FolderTree(out).list()).not.toContain(path);
			await refused({ origin: lying({ [path]: undefined }) }, "CLI_MIRROR_INCOMPLETE");
		}
	});

	test("a log that was rewritten or truncated since the last copy", async () => {
		await copy();
		const before = readFileSync(join(out, CHECKPOINT_PATH));
		await made.forgetLog();
		await made.publish("alpha", "2.0.0");
		expect(await codeOf(copy())).toBe("LOG_TRUNCATED");
		await made.publish("beta", "2.0.0");
		await made.publish("beta", "2.1.0");
		expect(await codeOf(copy())).toBe("LOG_FORKED");
		expect(readFileSync(join(out, CHECKPOINT_PATH)).equals(before)).toBe(true);
	});
});

test("an older state does not replace a newer one; one of a time before the keys changed does", async () => {
	const old = new Map(made.files);
	await made.publish("alpha", "1.1.0");
	await copy();
	const newest = readFileSync(join(out, TIMESTAMP_PATH));
	expect(await codeOf(copy({ head: headOf(old) }))).toBe("TRUST_ROLLBACK");
	expect(readFileSync(join(out, TIMESTAMP_PATH)).equals(newest)).toBe(true);
	// Fast-forward recovery: new timestamp keys start again from version 1.
	await made.repository.rotate("timestamp");
	made.repository.versions.set("timestamp", 0);
	await made.repository.signTimestamp();
	await copy();
	expect(readFileSync(join(out, TIMESTAMP_PATH)).equals(newest)).toBe(false);
	await expectWhole(out);
});

describe("pruning", () => {
	const pruned = async (to = out) => {
		const tree = new WritableFolderTree(to, openDurable(noFaults));
		const before = await pathsOfState(tree);
		const { paths } = await copy({ to });
		return prune(tree, new Set([...before, ...paths]));
	};

	test("what neither this state nor the one before it names goes; what is not ours stays", async () => {
		expect(await pruned()).toBe(0);
		const [first, index] = [made.pathOfRole("snapshot"), made.pathOf("alpha/index.json")];
		const mine = join(out, "v1/targets/alpha/notes.txt");
		writeFileSync(mine, "mine");
		const left = ".1.root.json.tmp";
		writeFileSync(join(out, "v1/metadata", left), "half");
		await made.publish("alpha", "1.1.0");
		expect(await pruned()).toBe(1);
		const list = new FolderTree(out).list();
		for (const path of [first, index, "v1/log/tile/0/000.p/2"]) expect(list).toContain(path);
		const second = made.pathOfRole("snapshot");
		await made.publish("alpha", "1.2.0");
		expect(await pruned()).toBeGreaterThan(4);
		const then = new FolderTree(out).list();
		for (const path of [first, index, "v1/log/tile/0/000.p/2"]) expect(then).not.toContain(path);
		for (const path of [second, metadataPath("root", 1)]) expect(then).toContain(path);
		expect(readFileSync(mine, "utf8")).toBe("mine");
		await expectWhole(out);
	});

	test("a damaged state keeps nothing back and loses nothing", async () => {
		await copy();
		writeFileSync(join(out, TIMESTAMP_PATH), "{}");
		await pruned();
		await expectWhole(out);
	});
});
