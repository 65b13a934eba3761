// packages/gro on other kernels: it loads, and answers the table and 500 random batches as on this machine, whose kernel is the oracle of
// test/gro. About 8 seconds a kernel.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askRaw, buildObject, buildTestRun, inputOf, TIMELESS } from "../gro/ask.ts";
import { encode } from "../gro/batch.ts";
import { randomSequences } from "../gro/random.ts";
import { TABLE } from "../gro/table.ts";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { requireTools, skipUnless } from "../harness/feature.ts";
import { boot, haveKernel } from "./boot.ts";
import { packTree, place, placeBase } from "./image.ts";

let folder: string;
let undo: Undo;
let initrd: string;
let wanted: string;

beforeAll(async () => {
	requireTools("busybox", "cpio", "zstd");
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-gro-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const tree = join(folder, "tree");
	const [object, testRun] = [join(folder, "gro.bpf.o"), join(folder, "test_run")];
	buildObject(object);
	buildTestRun(testRun, true);
	const input = inputOf([...TABLE, ...randomSequences(1_000_003, 500)].map(encode));
	wanted = createHash("sha256")
		.update(askRaw(testRun, [object, TIMELESS], input))
		.digest("hex");
	placeBase(tree, "gro-init.sh");
	place(tree, "bin/test_run", readFileSync(testRun), 0o755);
	place(tree, "gro.bpf.o", readFileSync(object));
	place(tree, "batches", input);
	initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
});

afterAll(() => undo.run());

describe.each(["6.1", "6.12", "7"])("on Linux %s", (series) => {
	it("gro answers as it does here", async (context) => {
		skipUnless(context, haveKernel(series));
		const { reports } = await boot(series, initrd, 120_000);
		const report = reports.get("gro")!;
		expect(report.exit, report.text).toBe(0);
		expect(report.text).toContain(wanted);
	});
});
