// What packages/tso's README says of queues and of memory, on Linux 6.1 in a VM: behind fq segments overtake each other, behind queues that do not
// spread by socket none does; and without memory for a superpacket in one piece it is the kernel's to segment, and nothing is lost. About a minute.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { buildTools } from "../tso/build.ts";
import { type Boot, boot } from "./boot.ts";
import { placeTool } from "./device-image.ts";
import { packTree, place, placeBase } from "./image.ts";
import { SYSTEM_TAR } from "./system-image.ts";

const MODULES = ["sch_ingress", "cls_bpf", "sch_fq", "sch_tbf"];

let folder: string;
let undo: Undo;
let booted: Boot;

/** The kernel of the Debian system, with the modules that the queues are; fq_codel is in it. */
async function placeKernel(tree: string): Promise<string> {
	const { stdout } = await run("tar", ["-tf", SYSTEM_TAR]);
	const pathOf = (end: RegExp) => {
		const path = stdout.split("\n").find((line) => end.test(line));
		if (path === undefined) throw new Error(`the system has no ${end}: run: npm run setup -- --vm`);
		return path;
	};
	const read = async (path: string) => {
		const { stdoutBytes } = await run("tar", ["-xOf", SYSTEM_TAR, path]);
		return Buffer.from(stdoutBytes);
	};
	for (const [index, name] of MODULES.entries())
		place(tree, `modules/${index}-${name}.ko`, await read(pathOf(new RegExp(`/${name}\\.ko$`))));
	place(folder, "vmlinuz", await read(pathOf(/boot\/vmlinuz-/)));
	return join(folder, "vmlinuz");
}

beforeAll(async () => {
	requireTools("busybox", "cpio", "tc", "zstd");
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-tso-conditions-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const tree = join(folder, "tree");
	placeBase(tree, "tso-conditions-init.sh");
	const kernel = await placeKernel(tree);
	await placeTool(tree, "tc");
	const tools = await buildTools(folder, "static");
	for (const tool of ["fragment", "hold", "stream"] as const)
		place(tree, join("bin", tool), readFileSync(tools[tool]), 0o755);
	place(tree, "tso.bpf.o", readFileSync(tools.object));
	await packTree(tree, join(folder, "initrd.zst"));
	booted = await boot("6.1", join(folder, "initrd.zst"), 240_000, "", kernel);
}, 300_000);

afterAll(() => undo.run());

interface Transfer {
	readonly reordered: number;
	readonly again: number;
	readonly runs: number;
}

/** Whole, whatever happened on the way. */
function transferOf(name: string): Transfer {
	const report = booted.reports.get(name)!;
	expect({ name, ...report }).toMatchObject({ exit: 0 });
	const lines = report.text.split("\n").filter((line) => line.startsWith("{"));
	const [sent, received, order, held] = lines.map((line) => JSON.parse(line));
	expect([name, received.bytes, received.hash]).toEqual([name, 4_000_000, sent.hash]);
	return { ...order, runs: held?.runs ?? 0 };
}

/** Of 1,448 bytes at most. */
const SEGMENTS = 4_000_000 / 1448;

it.each(["tbf", "fq_codel"])("behind %s segments stay in order", (kind) => {
	expect(transferOf(`${kind}-kernel`)).toMatchObject({ reordered: 0 });
	const { reordered, runs } = transferOf(`${kind}-program`);
	expect(reordered).toBe(0);
	expect(runs).toBeGreaterThan(SEGMENTS);
});

it("behind fq the clones are another flow than the last segment, and TCP sends again what was not lost", () => {
	expect(transferOf("fq-kernel")).toMatchObject({ reordered: 0, again: 0 });
	const { reordered, again } = transferOf("fq-program");
	expect(reordered).toBeGreaterThan(50);
	expect(again).toBeGreaterThan(0);
});

it("without memory for one in a piece superpackets are left to the kernel, whole", () => {
	const plenty = transferOf("plenty").runs;
	expect(plenty).toBeGreaterThan(SEGMENTS);
	expect(booted.reports.get("fragmented")).toMatchObject({ exit: 0 });
	expect(booted.reports.get("fragmented")!.text).toMatch(/^fragmented: \d{4,} pages free, 0 blocks$/m);
	// Acknowledgements run it, too: one for two segments.
	const scarce = transferOf("scarce").runs;
	expect(scarce).toBeLessThan(SEGMENTS);
	expect(plenty - scarce).toBeGreaterThan(SEGMENTS / 2);
});
