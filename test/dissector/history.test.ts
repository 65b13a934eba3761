// packages/flow-dissector/history/1.0.0.patch: gives a package that builds, passes its own vectors and has the GRE key bug.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildNative, buildObject } from "./build.ts";
import { answersOf, questionsOf } from "./native.ts";
import { packageFolder, readVectors } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const staged = join(folder, "flow-dissector");
const program = join(folder, "replay");

beforeAll(() => {
	cpSync(packageFolder, staged, { recursive: true });
	const input = readFileSync(join(packageFolder, "history", "1.0.0.patch"));
	execFileSync("patch", ["-p1", "--fuzz=0"], { cwd: staged, input, stdio: "pipe" });
	buildNative(program, staged);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("flow-dissector 1.0.0", () => {
	test("is named 1.0.0 in manifest and changelog", () => {
		expect(JSON.parse(readFileSync(join(staged, "kfn.package.json"), "utf8"))).toMatchObject({
			version: "1.0.0",
		});
		expect(readFileSync(join(staged, "CHANGELOG.md"), "utf8")).not.toContain("1.0.1");
	});

	test("compiles for BPF", () => {
		buildObject(join(folder, "flow_dissector.bpf.o"), staged);
		expect(existsSync(join(folder, "flow_dissector.bpf.o"))).toBe(true);
	});

	test("passes its own vectors", () => {
		const vectors = readVectors(join(staged, "vectors"));
		expect(answersOf(program, questionsOf(vectors))).toEqual(
			vectors.map(({ name, retval, out }) => ({ name, retval, out })),
		);
	});

	test("does not see the flow inside of GRE with a key", () => {
		const own = new Set(readVectors(join(staged, "vectors")).map(({ name }) => name));
		const fixed = readVectors().filter(({ name }) => !own.has(name));
		const seen = fixed.filter(({ retval }) => retval === 0);
		expect(seen.length).toBeGreaterThan(0);
		for (const [index, answer] of answersOf(program, questionsOf(seen)).entries()) {
			expect(answer.out).not.toBe(seen[index]?.out);
		}
	});
});
