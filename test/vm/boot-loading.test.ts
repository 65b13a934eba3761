// Boot loading on Debian's kernels, with an initramfs only: attached before the first interface is up, what is forged or does not fit is
// refused and the machine goes on, kfn=off, and the counter. Bundles are small ones; the flow dissector itself is in kernels.test.ts.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, json, planOf, REQUIRES, Rig, signatureFile } from "#host/native/fixture.ts";
import { run } from "../harness/command.ts";
import { requireTools, skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel } from "./boot.ts";
import { packTree, placeBase } from "./image.ts";

let rig: Rig;
let initrd: string;

beforeAll(async () => {
	requireTools("busybox", "cpio", "zstd");
	rig = new Rig();
	const good = rig.bundle({ mark: 1 });
	const unsigned = rig.bundle({ mark: 2, signatures: () => signatureFile([]) });
	const tampered = rig.bundle({ mark: 3 });
	const object = join(tampered.dir, "obj/x.bpf.o");
	writeFileSync(
		object,
		readFileSync(object).map((byte, i, all) => (i === all.length >> 1 ? byte ^ 1 : byte)),
	);
	const wrongKernel = rig.bundle({ mark: 4, requires: { ...REQUIRES, kernel: ">=99.1" } });
	const other = rig.bundle({ mark: 5 });
	for (const [i, bundle] of [good, unsigned, tampered, wrongKernel, other].entries())
		generation(i + 1, bundle.planned("netns:root"));
	placeBase(rig.root, "boot-init.sh");
	symlinkSync("bin", join(rig.root, "sbin"));
	initrd = join(rig.root, "..", `${rig.root.split("/").at(-1)}.cpio.zst`);
	await packTree(rig.root, initrd);
});
afterAll(async () => {
	await run("rm", ["-f", initrd]);
	rig.dispose();
});

function generation(n: number, planned: Json): void {
	const folder = join(rig.root, "var/lib/kfn/generations", String(n));
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, "plan.json"), json(planOf([planned], { generation: n })));
}

// biome-ignore lint/suspicious/noExplicitAny: the loader's answers, whose shape is what the tests check
function answerOf(booted: Boot, name: string, exit = 0): any {
	const report = booted.reports.get(name);
	expect({ name, exit: report?.exit, text: report?.text }).toEqual({ name, exit, text: expect.any(String) });
	return JSON.parse(report!.text);
}

async function bootOnce(series: string, append = ""): Promise<Boot> {
	const booted = await boot(series, initrd, 240_000, append);
	const release = booted.reports.get("kernel")?.text.trim();
	process.stdout.write(
		`  ${release} ${append}: booted and ended in ${(booted.milliseconds / 1000).toFixed(1)} s\n`,
	);
	return booted;
}

describe.each(["6.1", "6.12", "7"])("on Linux %s, all initramfs", (series) => {
	it("functions are there before the first interface is up; what is refused stops nothing; boots are counted", async (context) => {
		skipUnless(context, haveKernel(series));
		const booted = await bootOnce(series);
		const answer = (name: string, exit?: number) => answerOf(booted, name, exit);

		const initramfs = answer("initramfs");
		expect(initramfs).toMatchObject({
			stage: "initramfs",
			generation: 1,
			counted: false,
			functions: [{ step: "attach" }],
		});
		const took = initramfs.endMicroseconds - initramfs.startMicroseconds;
		process.stdout.write(
			`  loaded in ${took} µs, ${initramfs.endMicroseconds / 1e6} s after the start (under TCG)\n`,
		);
		// IFF_UP (include/uapi/linux/if.h) is bit 0: no interface has it, before and after.
		for (const when of ["flags-before", "flags-after"])
			expect(booted.reports.get(when)?.text).toMatch(/^(\S+ 0x[0-9a-f]*[02468ace]\n)+$/);
		expect(booted.reports.get("packets")).toMatchObject({ exit: 0 });
		expect(answer("inspect").pins[0].programs[0].runCount).toBeGreaterThanOrEqual(10);
		expect(answer("system")).toMatchObject({ generation: 1, counted: true, functions: [{ step: "keep" }] });
		expect(answer("good")).toMatchObject({ generation: 1, good: true });

		const refusals = { 2: "LOAD_SIGNATURE_MISSING", 3: "LOAD_FILE_DIGEST", 4: "LOAD_UNSUPPORTED_KERNEL" };
		for (const [n, code] of Object.entries(refusals)) {
			const { error } = answer(`refused-${n}`, 1);
			expect(error.code).toBe("LOAD_BOOT_INCOMPLETE");
			expect(error.details.boot.left).toMatchObject([{ error: { code }, running: false }]);
			expect(answer(`inspect-${n}`).pins).toEqual([]);
		}
		const { boot: fallback } = answer("fallback", 1).error.details;
		expect(fallback).toMatchObject({ generation: 1, why: "refused", refused: [{ generation: 4 }] });

		const boots = [1, 2, 3].map((n) => answer(`boot-${n}`));
		expect(boots.map(({ generation: n, why }) => [n, why])).toEqual([
			[5, "current"],
			[1, "unfinished"],
			[0, "unfinished"],
		]);
		expect([1, 2, 3].map((n) => answer(`inspect-boot-${n}`).pins.length)).toEqual([1, 1, 0]);
	});
});

it("kfn=off on the kernel's command line: nothing is loaded", async (context) => {
	skipUnless(context, haveKernel("6.12"));
	const booted = await bootOnce("6.12", "kfn=off");
	for (const name of ["initramfs", "system", "refused-2", "boot-1"])
		expect(answerOf(booted, name)).toMatchObject({ off: "parameter", functions: [], generation: 0 });
	// Not even a bpffs was mounted.
	expect(answerOf(booted, "inspect-boot-1", 1).error.code).toBe("LOAD_BPFFS_NOT_MOUNTED");
});
