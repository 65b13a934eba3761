// The flow dissector in this kernel: the vectors, every cut of them, and its flow hashes next to the C dissector's.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readElf } from "#bundle/elf.ts";
import { haveFlowDissector, skipUnless } from "#test/harness/feature.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { buildHashOracle, buildObject, buildTestRun } from "./build.ts";
import { capturesMissing, readCaptures } from "./captures.ts";
import { compare, minimise, saveFound } from "./comparison.ts";
import { DEFAULT_CONFIG, PATCH_CONFIG, TUNNEL_CONFIG } from "./config.ts";
import { UDP_TUNNELS } from "./corpus-tunnel.ts";
import { randomPacket } from "./grammar.ts";
import { mutants, seeded } from "./mutate.ts";
import { answersOf, type Question, questionsOf } from "./native.ts";
import { expectation } from "./oracle.ts";
import { packageFolder, readVectors } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const object = join(folder, "flow_dissector.bpf.o");
const hashOracle = join(folder, "hash_oracle.bpf.o");
const testRun = join(folder, "test_run");
/** How many packets the fuzzer makes: a million take 20 seconds. */
const FUZZ_PACKETS = Number(process.env["KFN_FUZZ_PACKETS"] ?? 1_000_000);
const FUZZ_SEED = Number(process.env["KFN_FUZZ_SEED"] ?? 1);
const CHUNK = 50_000;
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

	test("has as many instructions as the README says", () => {
		const [program] = readElf(readFileSync(object)).programs;
		const count = (program!.insns.length / 8).toLocaleString("en");
		expect(readFileSync(join(packageFolder, "README.md"), "utf8")).toContain(`${count} instructions`);
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

describe("keys and flow hash, next to oracle and C dissector", () => {
	test("every vector, cut everywhere", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const questions = questionsOf(readVectors()).filter(({ data }) => data.length < 400);
		const { outcomes } = await expectAgreement(questions.flatMap(prefixes));
		expect([...outcomes.keys()]).toEqual(
			expect.arrayContaining(["same", "vlan", "gre-key", "stale-address"]),
		);
	});

	test("every captured packet, cut everywhere", async (context) => {
		skipUnless(context, await haveFlowDissector());
		const { outcomes, packets } = await expectAgreement(capturedQuestions(context).flatMap(prefixes));
		expect(packets).toBeGreaterThan(100_000);
		// A tagged packet must differ: otherwise it was not our program that made the second hash.
		expect(outcomes.get("vlan")).toBeGreaterThan(0);
	}, 300_000);

	test(`${FUZZ_PACKETS} packets of a grammar, and mutants of them`, async (context) => {
		skipUnless(context, await haveFlowDissector());
		const counted = new Map<string, number>();
		for (let done = 0; done < FUZZ_PACKETS; done += CHUNK) {
			const { outcomes } = await expectAgreement(
				fuzzQuestions(FUZZ_SEED + done, Math.min(CHUNK, FUZZ_PACKETS - done)),
			);
			for (const [name, count] of outcomes) counted.set(name, (counted.get(name) ?? 0) + count);
		}
		console.log(`seed ${FUZZ_SEED}:`, Object.fromEntries(counted));
		expect(counted.get("same")).toBeGreaterThan(FUZZ_PACKETS / 2);
	}, 3_600_000);

	test.each([
		["UDP tunnels", TUNNEL_CONFIG],
		["patch", PATCH_CONFIG],
	])("the keys with parameters: %s", async (context, config) => {
		skipUnless(context as never, await haveFlowDissector());
		const tunnels = UDP_TUNNELS.flatMap(prefixes);
		await expectAgreement([...tunnels, ...fuzzQuestions(FUZZ_SEED, 50_000)], config as never);
	});
});

/** Every length from 15 on, under its own flags: the kernel makes no skb of an Ethernet header alone. */
function prefixes({ name, data, flags }: Question): Question[] {
	return Array.from({ length: data.length - 14 }, (_, index) => ({
		name: `${name} length ${index + 15}`,
		data: data.subarray(0, index + 15),
		flags,
	}));
}

/** A tenth are random stacks of headers; the others are mutants of them. */
function fuzzQuestions(seed: number, count: number): readonly Question[] {
	const below = seeded(seed);
	const stacks = Array.from({ length: Math.ceil(count / 10) }, () => randomPacket(below));
	const changed = mutants(stacks, count - stacks.length, seed);
	return [...stacks, ...changed].map((data, index) => ({
		name: `seed ${seed} packet ${index}`,
		data,
		flags: index % 16,
	}));
}

/** Demands no failure; the first that there is gets minimised and saved for the vectors. */
async function expectAgreement(questions: readonly Question[], config = DEFAULT_CONFIG) {
	await using namespace = await openNamespace("diss");
	const machine = { testRun, hashOracle, object, namespace: namespace.path };
	const total = new Map<string, number>();
	for (let at = 0; at < questions.length; at += CHUNK) {
		const { outcomes, failures } = compare(machine, questions.slice(at, at + CHUNK), config);
		for (const [name, count] of outcomes) total.set(name, (total.get(name) ?? 0) + count);
		const [first] = failures;
		if (first !== undefined) {
			const smallest = minimise(first.question, (candidates) => {
				const failing = new Set(
					compare(machine, candidates, config).failures.map(({ question }) => question),
				);
				return candidates.map((candidate) => failing.has(candidate));
			});
			const file = saveFound(smallest, `found by a test: ${first.what}`);
			const hex = Buffer.from(smallest.data).toString("hex");
			throw new Error(
				`${failures.length} differ; ${first.question.name}: ${first.what}; smallest ${hex}, saved as ${file}`,
			);
		}
	}
	return { outcomes: total, packets: questions.length };
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
