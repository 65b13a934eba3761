// The flow dissector in this kernel: the vectors, every cut of them, and its flow hashes next to the C dissector's.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveFlowDissector, skipUnless } from "#test/harness/feature.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { buildHashOracle, buildObject, buildTestRun } from "./build.ts";
import { capturesMissing, readCaptures } from "./captures.ts";
import { mutants } from "./mutate.ts";
import { answersOf, ask, type Question, questionsOf } from "./native.ts";
import { dissect, expectation } from "./oracle.ts";
import { readVectors } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const object = join(folder, "flow_dissector.bpf.o");
const hashOracle = join(folder, "hash_oracle.bpf.o");
const testRun = join(folder, "test_run");
/** BPF_PROG_TEST_RUN wants the packet, headroom and skb_shared_info in one page. */
const LONGEST = 3000;

beforeAll(() => {
	buildObject(object);
	buildHashOracle(hashOracle);
	buildTestRun(testRun);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the flow dissector in this kernel", () => {
	test("has no relocations and no maps", () => {
		const sections = execFileSync("readelf", ["-SW", object], { encoding: "utf8" });
		expect(sections).toMatch(/ flow_dissector +PROGBITS/);
		expect(sections).not.toMatch(/\.rel(a)?flow_dissector|\.maps|\.rodata|\.bss|\.data /);
	});

	test("gives what the vectors say", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const vectors = readVectors();
		const answers = answersOf(testRun, questionsOf(vectors), ["keys", object]);
		expect(answers).toEqual(vectors.map(({ name, retval, out }) => ({ name, retval, out })));
	});

	test("gives what the oracle says for every captured packet", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const questions = capturedQuestions(context);
		const expected = questions.map(({ name, data, flags }) => ({ name, ...expectation(data, flags) }));
		expect(answersOf(testRun, questions, ["keys", object])).toEqual(expected);
	});
});

describe("the kernel's flow hash, C dissector against ours", () => {
	test("is the same for every vector and its cuts", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const vectors = questionsOf(readVectors()).filter(({ data }) => data.length < LONGEST);
		const cuts = vectors.flatMap(({ name, data }) =>
			Array.from({ length: Math.min(data.length, 400) - 14 }, (_, index) => ({
				name: `${name} length ${index + 15}`,
				data: data.subarray(0, index + 15),
				flags: 0,
			})),
		);
		await expectSameHashes(cuts);
	});

	test("is the same for mutants of the vectors", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const seeds = questionsOf(readVectors())
			.map(({ data }) => data)
			.filter((data) => data.length > 20 && data.length < 400);
		await expectSameHashes(
			mutants(seeds, 100_000, 1).map((data) => ({ name: Buffer.from(data).toString("hex"), data, flags: 0 })),
		);
	});

	test("is the same for every captured packet", async (context) => {
		skipUnless(context, await haveFlowDissector());
		await expectSameHashes(capturedQuestions(context));
	});
});

/** Demands equal hashes wherever the keys can carry what the C dissector hashes, and different ones somewhere else. */
async function expectSameHashes(questions: readonly Question[]): Promise<void> {
	await using namespace = await openNamespace("diss");
	const output = ask(testRun, ["hash", hashOracle, object, namespace.path], questions, 8);
	const outcomes = questions.map(({ name, data }, index) => {
		const ours = output.readUInt32LE(index * 8 + 4);
		if (ours === 0) return { outcome: data.length < 54 ? "too short" : "no hash", name };
		if (ours === output.readUInt32LE(index * 8)) return { outcome: "same", name };
		const [reason] = dissect(data).uncarried;
		return { outcome: reason ?? "different", name };
	});
	const named = (outcome: string) =>
		outcomes.filter((one) => one.outcome === outcome).map(({ name }) => name);
	expect(named("different")).toEqual([]);
	expect(named("no hash")).toEqual([]);
	// A tagged packet must differ: otherwise it was not our program that made the second hash.
	expect(named("vlan")).not.toEqual([]);
	expect(named("same").length).toBeGreaterThan(questions.length / 2);
}

function capturedQuestions(context: { skip(note?: string): never }): readonly Question[] {
	const missing = capturesMissing();
	if (missing !== undefined) context.skip(missing);
	const questions = readCaptures()
		.filter(({ data }) => data.length > 14)
		.map(({ file, number, data }) => ({
			name: `${file} ${number}`,
			data: data.subarray(0, LONGEST),
			flags: 0,
		}));
	expect(questions.length).toBeGreaterThan(1000);
	return questions;
}
