// The same packets, byte for byte, from the program and from the kernel's own software GSO. About 25 seconds, most of it the 10,000
// random superpackets; KFN_TSO_SEED and KFN_TSO_SUPERPACKETS choose others.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveRoot, skipUnless } from "../harness/feature.ts";
import { openWire } from "../harness/wire.ts";
import { buildTools, type Tools } from "./build.ts";
import { compare } from "./differential.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
const SEED = Number(process.env["KFN_TSO_SEED"] ?? Date.now() % 1_000_000_000);
const COUNT = Number(process.env["KFN_TSO_SUPERPACKETS"] ?? 10_000);
let tools: Tools;

beforeAll(async () => {
	tools = await buildTools(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Of the table: 46 shapes, of which 14 are the kernel's. */
const TABLE = { superpackets: 46, ours: 32 };

describe("a table of shapes is segmented as the kernel segments it", () => {
	test.for(["tcx", "clsact"] as const)("by a program on a %s hook", async (hook, context) => {
		skipUnless(context, haveRoot());
		await using wire = await openWire("tso");
		expect(await compare(wire, tools, hook, "table")).toMatchObject(TABLE);
	});

	test("where the device makes no checksums", async (context) => {
		skipUnless(context, haveRoot());
		await using wire = await openWire("tso");
		expect(await compare(wire, tools, "tcx", "table", "no offload")).toMatchObject(TABLE);
	});
});

describe(`random superpackets, KFN_TSO_SEED=${SEED}`, () => {
	test(`${COUNT} of them`, async (context) => {
		skipUnless(context, haveRoot());
		await using wire = await openWire("tso");
		const found = await compare(wire, tools, "tcx", { seed: SEED, count: COUNT });
		expect(found).toMatchObject({ superpackets: COUNT, zeros: 0 });
		// About one in five is of a shape that is left to the kernel.
		expect(found.ours / COUNT).toBeGreaterThan(0.7);
		expect(found.packets / COUNT).toBeGreaterThan(5);
	});

	test("some of them, where the device makes no checksums", async (context) => {
		skipUnless(context, haveRoot());
		await using wire = await openWire("tso");
		const count = Math.ceil(COUNT / 5);
		const found = await compare(wire, tools, "tcx", { seed: SEED + 1, count }, "no offload");
		expect(found.superpackets).toBe(count);
		// One checksum in 65,536.
		expect(found.zeros).toBeLessThan(20);
	});
});
