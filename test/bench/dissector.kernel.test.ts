// That the benchmark's peers are fair, on this kernel: what they answer, ours answers too. Refuses to look at a time.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandError, run } from "#test/harness/command.ts";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { tailCallRows, unequalWork } from "./dissector.ts";
import { SHAPES } from "./dissector-shapes.ts";
import { type Answer, answersOf, buildTool, hashTimesOf, type Tool } from "./dissector-tool.ts";
import { ratioOf } from "./row.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-bench-dissector-"));
let tool: Tool;

beforeAll(async () => {
	tool = await buildTool(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the tail-call dissector that ours is timed against", () => {
	test.for(["tailCall", "tailCallWithoutMap"] as const)("%s finds what ours finds", async (peer, context) => {
		await skipUnlessKernel(context);
		for (const shape of SHAPES) {
			const { ours, [peer]: theirs } = shape.vxlanPort ? tool.vxlan : tool.plain;
			const [answers] = await answersOf(tool, [shape], [ours, theirs]);
			expect(unequalWork(shape, answers![0]!, answers![1]!)).toBeUndefined();
			// A shape that ours leaves to the C dissector compares nothing.
			expect([shape.name, answers![0]!.retval]).toEqual([shape.name, 0]);
		}
	});

	test("an empty program would be noticed", async (context) => {
		await skipUnlessKernel(context);
		const answers = await answersOf(tool, SHAPES, [tool.plain.ours, tool.floor]);
		for (const [index, [ours, floor]] of answers.entries()) {
			expect(unequalWork(SHAPES[index]!, ours!, floor!)).toContain(SHAPES[index]!.name);
			expect(floor!.instructions).toBe(2);
		}
	});

	test("a shape that ours leaves to the C dissector is no win: no ratio", () => {
		const answer = (retval: number): Answer => ({ retval, keys: "", instructions: 10, helpers: 0 });
		const [left, right] = [129, 0].map((retval) =>
			tailCallRows(SHAPES[0]!, [answer(0), answer(retval), answer(0)], [[20], [21], [50]]),
		);
		expect(left!.map((row) => [row.ours, ratioOf(row), row.note?.slice(0, 22)])).toEqual([
			[1, undefined, "left to the C dissecto"],
			[0, undefined, "left to the C dissecto"],
		]);
		expect(ratioOf(right![0]!)).toBe(0.0333);
	});

	test("is counted through its tail calls: one a header, and the map's update", async (context) => {
		await skipUnlessKernel(context);
		const shapes = SHAPES.filter(({ name }) => name === "ipv4-tcp" || name === "vlan");
		const answers = await answersOf(tool, shapes, [tool.plain.tailCall, tool.plain.tailCallWithoutMap]);
		expect(answers.map((all) => all.map(({ helpers }) => helpers))).toEqual([
			[2, 1],
			[3, 2],
		]);
	});
});

describe("the tool that times the C dissector", () => {
	test("times every shape with each dissector in turn", async (context) => {
		await skipUnlessKernel(context);
		await using namespace = await openNamespace("bench-dissector");
		const times = await hashTimesOf(tool, SHAPES, tool.plain.ours, namespace.path, {
			rounds: 3,
			repeat: 100,
		});
		expect(times.flatMap((one) => Object.values(one).map((samples) => samples.length))).toEqual(
			SHAPES.flatMap(() => [3, 3, 3, 3]),
		);
	});

	test("refuses the machine's own namespace", async (context) => {
		await skipUnlessKernel(context);
		const args = ["hash", "1", "1", tool.flowHash, tool.floor, tool.plain.ours, "/proc/1/ns/net"];
		const refusal = await run(tool.program, args).catch((error: unknown) => error);
		expect(refusal).toBeInstanceOf(CommandError);
		expect((refusal as CommandError).result).toMatchObject({ code: 2, stdout: "" });
	});
});
