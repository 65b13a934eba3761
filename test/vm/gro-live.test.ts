// packages/gro-live, which is attached nowhere but here: on Linux 6.12 and 7.x, on the loopback device of a VM. Every byte arrives, nothing
// waits for what does not come, and the kernel has nothing to say. About 25 seconds a kernel.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serializePlan } from "#host/plan.ts";
import { buildDropper, buildObject, buildTool } from "../gro-live/build.ts";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { requireTools, skipUnless } from "../harness/feature.ts";
import { boot, haveKernel, type Report } from "./boot.ts";
import { packTree, place, placeBase, placeModules, storeBundle } from "./image.ts";

const TOP = join(import.meta.dirname, "../..");
const KFN = join(TOP, "node_modules/.bin/kfn");
const PACKAGE = join(TOP, "packages/gro-live");

/** Bytes of the stream that is hashed at both ends; 300 MB take some minutes. */
const HASHED = process.env["KFN_GRO_LIVE_BYTES"];
/** In milliseconds. */
const PATIENCE = HASHED === undefined ? 240_000 : 900_000;

let folder: string;
let undo: Undo;
let initrd: string;

beforeAll(async () => {
	requireTools("busybox", "cpio", "zstd");
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-gro-live-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const tree = join(folder, "tree");
	const built = (name: string) => join(folder, name);
	await Promise.all([
		buildObject(built("gro_live.o")),
		buildDropper(built("drop.o")),
		buildTool("hold", built("hold")),
		buildTool("talk", built("talk")),
		buildTool("features", built("features")),
	]);
	placeBase(tree, "gro-live-init.sh");
	placeModules(tree);
	for (const object of ["gro_live.o", "drop.o"]) place(tree, object, readFileSync(built(object)));
	for (const tool of ["hold", "talk", "features"])
		place(tree, join("bin", tool), readFileSync(built(tool)), 0o755);
	await placePlan(tree);
	initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
});

afterAll(() => undo.run());

/** The bundle as `kfn build` makes it, in the image's store, and plans for the loader: `live`, `unasked`, which does not say that it is experimental, and `empty`. */
async function placePlan(tree: string): Promise<void> {
	const env = { ...process.env, KFN_ROOT: tree, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	await kfn("build", PACKAGE, "--key", "publisher.key", "--out", "gro-live.kfn");
	await kfn("trust", "add", "gro-live", "--key", "publisher.key.pub");
	const live = await storeBundle(tree, join(folder, "gro-live.kfn"), { scope: "dev:lo" });
	const { experimental, ...unasked } = live;
	expect(experimental).toBe(true);
	for (const [name, functions] of Object.entries({ live: [live], unasked: [unasked], empty: [] })) {
		const plan = {
			schema: "kfn.plan/1",
			generation: 1,
			created: "2026-11-29T10:00:00.000Z",
			reason: "",
			functions,
		} as const;
		place(tree, `plans/${name}.json`, Buffer.from(serializePlan(plan)));
	}
}

interface Line extends Record<string, unknown> {
	readonly runs: number;
	/** Segments that were taken out, and packets that brought them. */
	readonly absorbed: number;
	readonly delivered: number;
	/** Trains that were lost, as their next packet did not come, or for lack of memory. */
	readonly missed: number;
	readonly failed: number;
	readonly sent: string;
	readonly received: string;
	readonly dropped: number;
	readonly streams: number;
}

/** What the lines of a report say together; not its retransmits and times, which are the emulator's. */
function said({ text, exit }: Report): Line {
	expect({ exit, text }).toMatchObject({ exit: 0 });
	const lines = text.split("\n").filter((line) => line.startsWith("{"));
	return Object.assign({}, ...lines.map((line) => JSON.parse(line)));
}

function checkStreams(of: (name: string) => Line): void {
	// A segment alone is never taken out: it cannot wait.
	expect(of("ask")).toMatchObject({ absorbed: 0, missed: 0, failed: 0 });
	expect(of("ask").runs).toBeGreaterThan(1000);
	for (const name of ["exchange", "hash", "ipv4", "ipv6", "turns"]) {
		expect({ name, ...of(name) }).toMatchObject({ missed: 0, failed: 0 });
		expect(of(name).absorbed, name).toBeGreaterThan(500);
	}
	// Eleven segments fit into a packet, so of a stream most are taken out.
	expect(of("ipv4").absorbed / of("ipv4").delivered).toBeGreaterThan(5);
	expect(of("hash").received).toBe(of("hash").sent);
	expect(of("hash").sent).toMatch(/^[0-9a-f]{64}$/);
}

function checkLosses(of: (name: string) => Line): void {
	expect(of("overflow")).toMatchObject({ missed: 0, failed: 0 });
	expect(of("overflow").dropped).toBeGreaterThan(0);
	// What was dropped after it was seen in the queue takes its train along, and TCP sends that again.
	expect(of("before").missed).toBeGreaterThan(5);
	// Detached in mid-train: what was taken out is lost, and TCP sends that again, too.
	expect(of("flapping").missed).toBeGreaterThan(0);
}

function checkBundle(of: (name: string) => Line, unasked: Report): void {
	expect(unasked).toMatchObject({ exit: 1, text: expect.stringContaining("LOAD_EXPERIMENTAL") });
	expect(of("bundle")).toMatchObject({ functions: [{ step: "attach", vectors: { run: 6 } }] });
	expect(of("loaded").bytes).toBe(3_000_000);
	expect(of("proof")).toMatchObject({ functions: [{ proof: "proved" }] });
	expect(of("pins")).toMatchObject({ pins: [{ scope: "dev:lo", link: { type: "tcx", alive: true } }] });
	expect(of("removed")).toMatchObject({ detached: [{ function: "gro-live", scope: "dev:lo" }] });
}

/** A sender, two routers and a receiver: only the receiver's packets have neither a sender's socket nor a way to go on. */
function checkRow(of: (name: string) => Line): void {
	expect(of("end")).toMatchObject({ missed: 0, failed: 0 });
	expect(of("end").absorbed).toBeGreaterThan(3000);
	for (const name of ["sender", "router"]) {
		expect({ name, ...of(name) }).toMatchObject({ absorbed: 0, missed: 0, failed: 0 });
		expect(of(name).runs, name).toBeGreaterThan(1000);
	}
}

describe.each(["6.12", "7"])("on Linux %s", (series) => {
	it(
		"gro-live brings every byte, and holds nothing back",
		async (context) => {
			skipUnless(context, haveKernel(series));
			const append = HASHED === undefined ? "" : `kfn.bytes=${HASHED}`;
			const { reports } = await boot(series, initrd, PATIENCE, append);
			const of = (name: string) => said(reports.get(name)!);
			if (HASHED !== undefined) console.info([...reports.values()].map(({ text }) => text).join(""));
			checkStreams(of);
			checkLosses(of);
			checkBundle(of, reports.get("unasked")!);
			// Debian's 7.x has its modules in a package of their own.
			if (series === "6.12") checkRow(of);
			expect(reports.get("taint")!.text.trim()).toBe("0");
			expect(reports.get("dmesg")!.text).not.toMatch(/WARNING|BUG|Oops|Call Trace|refcount|divide/);
		},
		PATIENCE + 60_000,
	);
});
