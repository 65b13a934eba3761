// The checked-in vectors of packages/flow-dissector: where they lie and what they must say. Refuses to ask the program.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VECTOR_FILES } from "./corpus.ts";
import { expectation } from "./oracle.ts";

/** One line of a vectors file (docs/formats). */
export interface Vector {
	readonly name: string;
	readonly why: string;
	readonly program: string;
	readonly data: string;
	readonly flags?: number;
	readonly retval: number;
	readonly out: string;
}

export const PROGRAM = "flow_dissect";
export const packageFolder = fileURLToPath(new URL("../../packages/flow-dissector", import.meta.url));
export const vectorsFolder = join(packageFolder, "vectors");

/** File name → the text that the corpus and the oracle make of it. */
export function generateVectors(): ReadonlyMap<string, string> {
	return new Map(
		Object.entries(VECTOR_FILES).map(([file, specs]) => [
			file,
			specs.map((spec) => `${JSON.stringify(toVector(spec))}\n`).join(""),
		]),
	);
}

/** Every vector below a folder, in the order of file names and lines. */
export function readVectors(folder = vectorsFolder): readonly Vector[] {
	return readdirSync(folder)
		.filter((name) => name.endsWith(".jsonl"))
		.toSorted()
		.flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
		.map((line): Vector => JSON.parse(line));
}

function toVector(spec: { name: string; why: string; data: Uint8Array; flags: number }): Vector {
	const { name, why, flags } = spec;
	const { retval, out } = expectation(spec.data, flags);
	const data = Buffer.from(spec.data).toString("hex");
	return { name, why, program: PROGRAM, data, ...(flags === 0 ? {} : { flags }), retval, out };
}
