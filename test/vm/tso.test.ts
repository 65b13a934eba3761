// packages/tso on other kernels: a clsact filter on 6.1, a tcx link on 6.12 and 7.x. The table and 300 random superpackets are segmented
// as that kernel segments them, TCP through the program arrives whole, and CWR stands where that kernel has it, with AccECN, too, on 7.x.
// About 25 seconds a kernel.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { requireTools, skipUnless } from "../harness/feature.ts";
import { buildTools } from "../tso/build.ts";
import { boot, haveKernel } from "./boot.ts";
import { packTree, place, placeBase, placeModules } from "./image.ts";

let folder: string;
let undo: Undo;
let initrd: string;

beforeAll(async () => {
	requireTools("busybox", "cpio", "zstd");
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-tso-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const tree = join(folder, "tree");
	placeBase(tree, "tso-init.sh");
	placeModules(tree);
	const tools = await buildTools(folder, "static");
	for (const tool of ["differential", "ecn_watch", "hold", "stream"] as const)
		place(tree, join("bin", tool), readFileSync(tools[tool]), 0o755);
	place(tree, "tso.bpf.o", readFileSync(tools.object));
	place(tree, "watch.bpf.o", readFileSync(tools.watch));
	initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
});

afterAll(() => undo.run());

describe.each(["6.1", "6.12", "7"])("on Linux %s", (series) => {
	it("tso segments as this kernel does, and TCP through it arrives whole", async (context) => {
		skipUnless(context, haveKernel(series));
		const { reports } = await boot(series, initrd, 240_000);
		const lines = (name: string) => {
			const report = reports.get(name)!;
			expect({ name, ...report }).toMatchObject({ exit: 0 });
			return report.text
				.split("\n")
				.filter((line) => line.startsWith("{"))
				.map((line) => JSON.parse(line));
		};
		expect(lines("table")).toMatchObject([{ superpackets: 46, ours: 32 }]);
		const [random] = lines("random");
		expect(random.superpackets).toBe(300);
		expect(random.ours).toBeGreaterThan(200);
		for (const name of ["ipv4", "ipv6"]) {
			const [sent, received, held] = lines(name);
			expect([name, received.bytes, received.hash]).toEqual([name, sent.bytes, sent.hash]);
			// Each of the segments, of 1,448 bytes at most, ran it.
			expect(held.runs).toBeGreaterThan(sent.bytes / 1448);
		}
		for (const [name, where] of [["ecn", "first"], ...(series === "7" ? [["accecn", "all"]] : [])] as const)
			for (const by of ["kernel", "program"]) {
				const [sent, received, seen, held] = lines(`${name}-${by}`);
				expect([by, received.bytes, received.hash]).toEqual([by, sent.bytes, sent.hash]);
				expect({ name, by, ...seen }).toMatchObject({ [where as string]: seen.superpackets, other: 0 });
				expect(seen.superpackets).toBeGreaterThan(2);
				if (by === "program") expect(held.runs).toBeGreaterThan(sent.bytes / 1448);
			}
	});
});
