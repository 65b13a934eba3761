import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel, parseReports } from "./boot.ts";
import { buildImage, type Image } from "./image.ts";

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

/** Runs a series through the VM; the second value reads a report that must be JSON and have the exit code. */
async function bootSeries(series: string): Promise<[Boot, (name: string, exit?: number) => Answer]> {
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

describe.each(["6.1", "6.12", "7"])("on Linux %s", (series) => {
	it("the flow dissector loads, answers its vectors, is attached, swapped, kept, guarded and taken off", async (context) => {
		skipUnless(context, haveKernel(series));
		const [booted, answer] = await bootSeries(series);
		expect(booted.reports.get("kernel")?.text).toMatch(new RegExp(`^${series}\\.`));

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

		expect(answer("detach").detached).toEqual([{ function: "flow-dissector", scope: "netns:root" }]);
		expect(answer("inspect-detached").pins).toEqual([]);
	});
});

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
