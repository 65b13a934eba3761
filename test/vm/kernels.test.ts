import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel, parseReports } from "./boot.ts";
import { type EffortRow, readEffort, writeEffort } from "./effort.ts";
import { buildImage, type Image } from "./image.ts";
import { FLOWS, pppoeHashes, replayed } from "./pppoe.ts";

/** The series from before the fix of CVE-2026-46306 (6.1.175, 6.12.88, 7.0.7); all others here are from after it. */
const BEFORE_FIX = "6.1.170";
/** include/uapi/linux/bpf.h: enum bpf_ret_code */
const [BPF_OK, BPF_DROP, CONTINUE] = [0, 2, 129];

let folder: string;
let undo: Undo;
let image: Image;

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	image = await buildImage(folder);
});

afterAll(() => undo.run());

// biome-ignore lint/suspicious/noExplicitAny: the loader's answers, whose shape is what the tests check
type Answer = any;

/** A boot, and a reader for a report that must be JSON and have the exit code. */
type Booted = readonly [Boot, (name: string, exit?: number) => Answer];

const boots = new Map<string, Promise<Booted>>();

/** Runs a series through the VM, once for all tests. */
function bootSeries(series: string): Promise<Booted> {
	const known = boots.get(series);
	if (known !== undefined) return known;
	const started = bootOnce(series);
	boots.set(series, started);
	return started;
}

async function bootOnce(series: string): Promise<Booted> {
	const booted = await boot(series, image.initrd, 240_000);
	const seconds = (booted.milliseconds / 1000).toFixed(1);
	process.stdout.write(
		`  ${booted.reports.get("kernel")?.text.trim()}: booted, tested and ended in ${seconds} s\n`,
	);
	const answer = (name: string, exit = 0): Answer => {
		const report = booted.reports.get(name);
		expect({ name, exit: report?.exit, text: report?.text }).toEqual({
			name,
			exit,
			text: expect.any(String),
		});
		return JSON.parse(report!.text);
	};
	return [booted, answer];
}

/** Debian's version of the kernel, such as 6.1.170-3. */
function debianVersion(booted: Boot): string {
	const version = /Debian (\S+)/.exec(booted.reports.get("version")?.text ?? "")?.[1];
	if (version === undefined) throw new Error("uname -v names no version of Debian's");
	return version;
}

const measured: EffortRow[] = [];
afterAll(() => {
	if (process.env["KFN_UPDATE"] === "1") writeEffort(measured);
});

describe.each(["6.1", "6.1.170", "6.12", "7"])("on Linux %s", (series) => {
	it("the flow dissector loads, answers its vectors, is attached, swapped, kept, guarded and taken off", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		expect(debianVersion(booted)).toMatch(new RegExp(`^${series}[.-]`));

		const features = answer("probe").features;
		for (const feature of ["link:netns", "prog_type:flow_dissector"])
			expect(features[feature].have).toBe("yes");

		const checked = answer("check").functions[0];
		expect(checked).toMatchObject({ scope: "netns:root", tag: image.before.tag, verified: "loader" });
		expect(checked.vectors.run).toBeGreaterThan(0);
		expect(answer("attach").functions).toMatchObject([{ step: "attach", bundle: { version: "1.0.0" } }]);

		expect(booted.reports.get("packets")).toMatchObject({
			exit: 0,
			text: expect.stringContaining(" 0% packet loss"),
		});
		const [attached] = answer("inspect-attached").pins;
		expect(attached).toMatchObject({
			function: "flow-dissector",
			scope: "netns:root",
			link: { alive: true },
		});
		// Five requests and five answers, each dissected for packet steering by the attached program.
		expect(attached.programs[0].runCount).toBeGreaterThanOrEqual(10);

		expect(answer("replace").functions).toMatchObject([{ step: "replace", bundle: { version: "1.0.1" } }]);
		expect(answer("keep").functions).toMatchObject([{ step: "keep", bundle: { version: "1.0.1" } }]);
		const [replaced] = answer("inspect-replaced").pins;
		expect(replaced.link.id).toBe(attached.link.id);
		expect(replaced.programs[0].id).not.toBe(attached.programs[0].id);

		expect(answer("tampered", 3).error.code).toBe("LOAD_FILE_DIGEST");
		expect(answer("inspect-tampered").pins).toMatchObject([{ pinnedProgramId: replaced.pinnedProgramId }]);

		expect(answer("patch").functions).toMatchObject([{ step: "replace", bundle: { version: "1.0.1" } }]);
		expect(answer("detach").detached).toEqual([{ function: "flow-dissector", scope: "netns:root" }]);
		expect(answer("inspect-detached").pins).toEqual([]);
	});

	it("a signature for the kernel, which has no such key or checks none, changes nothing, and the answer says why", async (context) => {
		skipUnless(context, haveKernel(series));
		const [, answer] = await bootSeries(series);
		const [signed] = answer("check-signed").functions;
		expect(signed).toMatchObject({ verified: "loader", keyring: null });
		expect(signed.programs).toEqual(answer("check-real").functions[0].programs);
		expect(signed.verifiedReason).toMatch(series === "7" ? /^the kernel has no key / : /before Linux 6\.18$/);
	});

	it("what runs is proved by a second copy, and its answers are counted from outside", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		expect(answer("prove").functions).toMatchObject([{ proof: "proved", reason: null }]);
		// The same program with another parameter.
		expect(answer("prove-other").functions).toMatchObject([{ proof: "differs" }]);
		const retvals = replayed(booted.reports.get("replay-attached")!.text);
		const seen = (value: number) => retvals.filter((retval) => retval === value).length;
		expect(answer("watched").functions).toMatchObject([
			{
				...{ function: "flow-dissector", scope: "netns:root", reason: null, runs: retvals.length },
				verdicts: { ok: seen(BPF_OK), drop: seen(BPF_DROP), continue: seen(CONTINUE), other: 0 },
			},
		]);
	});

	it("a program with maps and a subprogram runs at a device, by tcx or clsact, is counted, proved, swapped and taken off", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		const hasTcx = !series.startsWith("6.1.") && series !== "6.1";
		expect(answer("probe").features["link:tcx"].have).toBe(hasTcx ? "yes" : "no");
		expect(answer("tc-attach").functions).toMatchObject([{ step: "attach", scope: "dev:lo" }]);
		expect(booted.reports.get("tc-ping")?.text).toContain(" 0% packet loss");
		const [watched] = answer("tc-watched").functions;
		expect(watched).toMatchObject({ reason: null, verdicts: { ok: 0, drop: 0, other: 0 } });
		// Five requests and five answers leave by it.
		expect(watched.verdicts.continue).toBeGreaterThanOrEqual(10);
		const [pin] = answer("tc-inspect").pins;
		expect(pin).toMatchObject({
			scope: "dev:lo",
			link: { type: hasTcx ? "tcx" : "clsact", ifindex: 1, alive: true },
		});
		expect(answer("tc-prove").functions).toMatchObject([{ proof: "proved", running: { maps: 1 } }]);
		expect(answer("tc-prove-other").functions).toMatchObject([{ proof: "differs" }]);
		expect(answer("tc-replace").functions).toMatchObject([{ step: "replace", bundle: { version: "2.0.0" } }]);
		expect(answer("tc-keep").functions).toMatchObject([{ step: "keep" }]);
		expect(answer("tc-detach").detached).toEqual([{ function: "pass", scope: "dev:lo" }]);
		expect(answer("tc-gone").pins).toEqual([]);
	});

	it("the flow dissector passes every vector, at the effort in flow-dissector-kernels.md", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		const [real] = answer("check-real").functions;
		const [everything] = answer("check-everything").functions;
		const row: EffortRow = {
			series,
			kernel: debianVersion(booted),
			instructions: real.programs[0].insns,
			effort: real.programs[0].verifiedInsns,
			configuredEffort: everything.programs[0].verifiedInsns,
			vectors: real.vectors.run,
		};
		process.stdout.write(`  ${JSON.stringify(row)}\n`);
		expect(row.vectors).toBe(image.vectors);
		// Other parameters are another program to the kernel; equal numbers of equal programs would prove nothing.
		expect(everything.programs[0].kernelTag).not.toBe(real.programs[0].kernelTag);
		measured.push(row);
		if (process.env["KFN_UPDATE"] !== "1") expectRow(row);
	});

	it("a compressed PPPoE protocol field (CVE-2026-46306) is looked behind by no dissector but the old C code", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		const hashes = (when: string) => pppoeHashes(answer(`hash-${when}`));
		const c = hashes("c");
		const seen = (when: string) => new Set(hashes(when).compressed).size;
		const found = ["c", "attached", "patched", "detached"].map((when) => `${when} ${seen(when)}`).join(", ");
		process.stdout.write(`  hashes of ${FLOWS} compressed flows: ${found}\n`);
		expect(new Set(c.lawful).size).toBe(FLOWS);
		if (series === BEFORE_FIX) {
			// Each flow has the hash of its lawful twin: the C code found the same addresses and ports at odd offsets.
			expect(c.compressed).toEqual(c.lawful);
		} else {
			expect(new Set(c.compressed).size).toBe(1);
			expect(c.lawful).not.toContain(c.compressed[0]);
		}

		for (const when of ["attached", "patched"]) {
			const ours = hashes(when);
			expect(new Set(ours.compressed).size).toBe(1);
			expect(ours.lawful).not.toContain(ours.compressed[0]);
			expect(ours.lawful).toEqual(c.lawful);
			if (series !== BEFORE_FIX) expect(ours.compressed).toEqual(c.compressed);
		}
		// Taken off again, the kernel is as vulnerable as before: it was the bundle.
		expect(hashes("detached")).toEqual(c);

		const replay = (when: string) => replayed(booted.reports.get(`replay-${when}`)!.text);
		// Compressed, compressed as flower asks, lawful, lawful as flower asks.
		expect(replay("attached")).toEqual([BPF_DROP, CONTINUE, BPF_OK, CONTINUE]);
		expect(replay("patched")).toEqual([BPF_DROP, BPF_DROP, BPF_OK, CONTINUE]);
	});
});

/** The same kernel costs the same; a newer one of its series may differ by a quarter until the table is made again. */
function expectRow(row: EffortRow): void {
	const known = readEffort().find(({ series }) => series === row.series);
	if (known?.kernel === row.kernel) {
		expect(row).toEqual(known);
		return;
	}
	process.stdout.write(`  flow-dissector-kernels.md is of ${known?.kernel}: KFN_UPDATE=1 npm run test:vm\n`);
	expect(row).toMatchObject({ instructions: known?.instructions, vectors: known?.vectors });
	expect(row.effort).toBeLessThan(1.25 * (known?.effort ?? 0));
	expect(row.configuredEffort).toBeLessThan(1.25 * (known?.configuredEffort ?? 0));
}

describe("on Linux 5.10, which is older than the bundle asks for", () => {
	it("the flow dissector is refused with the reason, and nothing is attached", async (context) => {
		skipUnless(context, haveKernel("5.10"));
		const [booted, answer] = await bootSeries("5.10");
		expect(booted.reports.get("kernel")?.text).toMatch(/^5\.10\./);
		for (const command of ["check", "attach", "replace"]) {
			const { error } = answer(command, 1);
			expect(error.code).toBe("LOAD_UNSUPPORTED_KERNEL");
			expect(error.details.variants.generic).toContain("outside its kernel range");
		}
		for (const when of ["attached", "replaced", "detached"])
			expect(answer(`inspect-${when}`).pins).toEqual([]);
	});
});

describe("the console reader", () => {
	const report = (name: string, output: string, exit: number, written = output) => {
		const digest = createHash("sha256").update(written).digest("hex");
		return `@@ begin ${name}\n${output}@@ end ${name} ${exit} ${digest}\n`.replaceAll("\n", "\r\n");
	};

	it("finds reports among other lines, and none that did not end", () => {
		const text = `\x1bcSeaBIOS\r\n${report("a", "{}\n", 0)}noise\r\n@@ begin b\r\nx\r\n${report("c", "", 3)}`;
		expect([...parseReports(text)]).toEqual([
			["a", { text: "{}\n", exit: 0 }],
			["c", { text: "", exit: 3 }],
		]);
	});

	it("refuses a report that lost a byte, even where what is left reads well", () => {
		const text = report("inspect", '{"runCount":1}\n', 0, '{"runCount":10}\n');
		expect(() => parseReports(text)).toThrow("the report inspect was damaged");
	});
});
