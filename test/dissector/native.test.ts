// The dissector's own C, compiled for the host with ASan and UBSan, against the vectors and the oracle: every packet cut
// at every length, and each of those with every split into a linear and a non-linear part.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildNative } from "./build.ts";
import { configAssignments, PATCH_CONFIG, TUNNEL_CONFIG } from "./config.ts";
import { UDP_TUNNELS } from "./corpus-tunnel.ts";
import { mutants } from "./mutate.ts";
import { answersOf, type Question, questionsOf } from "./native.ts";
import { expectation } from "./oracle.ts";
import { readVectors } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const program = join(folder, "replay");
const seeds = readVectors()
	.map(({ data }) => Buffer.from(data, "hex"))
	.filter((data) => data.length > 20 && data.length < 400);
const SEED = 1;

beforeAll(() => buildNative(program));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the dissector's C on the host", () => {
	test("gives what the vectors say", () => {
		const vectors = readVectors();
		const answers = answersOf(program, questionsOf(vectors));
		const expected = vectors.map(({ name, retval, out }) => ({ name, retval, out }));
		expect(answers).toEqual(expected);
	});

	test("gives what the oracle says for every prefix of every vector, under every flag", () => {
		const questions = readVectors()
			.map((vector) => ({ name: vector.name, data: Buffer.from(vector.data, "hex") }))
			.filter(({ data }) => data.length < 400)
			.flatMap(({ name, data }) => [0, 1, 2, 4, 7].flatMap((flags) => prefixes(name, data, flags)));
		const expected = questions.map(({ name, data, flags }) => ({ name, ...expectation(data, flags) }));
		expect(questions.length).toBeGreaterThan(10_000);
		expect(answersOf(program, questions)).toEqual(expected);
	});

	test.each([
		["UDP tunnels", TUNNEL_CONFIG],
		["patch", PATCH_CONFIG],
	])("gives what the oracle says with parameters: %s", (_, config) => {
		const flags = config === PATCH_CONFIG ? [0, 8, 15] : [0, 1, 4];
		const questions = [...questionsOf(readVectors()), ...UDP_TUNNELS]
			.filter(({ data }) => data.length < 400)
			.flatMap(({ name, data }) => flags.flatMap((flag) => prefixes(name, data, flag)));
		const expected = questions.map(({ name, data, flags }) => ({
			name,
			...expectation(data, flags, config),
		}));
		expect(answersOf(program, questions, configAssignments(config))).toEqual(expected);
	});

	test("gives what the oracle says for mutants of the vectors", () => {
		const questions = mutants(seeds, 10_000, SEED).map((data, index) => ({
			name: `seed ${SEED} mutant ${index}: ${Buffer.from(data).toString("hex")}`,
			data,
			flags: index % 8,
		}));
		const expected = questions.map(({ name, data, flags }) => ({ name, ...expectation(data, flags) }));
		expect(answersOf(program, questions)).toEqual(expected);
		expect(new Set(expected.map(({ retval }) => retval))).toEqual(new Set([0, 2, 129]));
	});
});

function prefixes(name: string, data: Uint8Array, flags: number): Question[] {
	return Array.from({ length: data.length - 13 }, (_, index) => ({
		name: `${name} flags ${flags} length ${index + 14}`,
		data: data.subarray(0, index + 14),
		flags,
	}));
}
