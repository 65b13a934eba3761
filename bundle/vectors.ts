// Test vectors, vectors/*.jsonl: packets and what a program must answer (docs/formats/vectors.md). Runs nothing.
import { BundleError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { plain } from "./plain.ts";
import { fits, jsonOf } from "./schema.ts";
import vectorSchema from "./vector.schema.json" with { type: "json" };

export interface Vector {
	readonly name: string;
	/** Why this answer is right: a spec section, a CVE, a kernel commit. */
	readonly why: string;
	readonly program: string;
	/** The packet from its Ethernet header on. */
	readonly data: Uint8Array;
	/** `struct bpf_flow_keys.flags` that goes in through ctx_in; 0 when the line does not say. */
	readonly flags: number;
	readonly retval: number;
	/** What data_out must be, every byte of it; undefined when it is not compared. */
	readonly out: Uint8Array | undefined;
}

interface VectorLine {
	name: string;
	why: string;
	program: string;
	data: string;
	flags?: number;
	retval: number;
	out?: string;
}

function invalid(where: string, what: string): BundleError {
	return new BundleError("BUNDLE_VECTORS_INVALID", `${plain(where)} ${plain(what)}`, {
		hint: "docs/formats/vectors.md shows a line that is right.",
	});
}

/** How many keys a flat JSON object's text has; more than the parsed object means that one stands there twice. */
function countKeys(line: string): number {
	return [...line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter((match) => match[1] !== undefined).length;
}

function parseLine(bytes: Uint8Array, where: string): Vector {
	const json = jsonOf(bytes);
	if (!json.ok) throw invalid(where, json.what);
	const answer = fits<VectorLine>(vectorSchema, json.value);
	if (!answer.ok) throw invalid(where, `${answer.path}: ${answer.what}`);
	const line = answer.value;
	if (countKeys(Buffer.from(bytes).toString("utf8")) !== Object.keys(line).length) {
		throw invalid(where, "names a field twice");
	}
	return {
		name: line.name,
		why: line.why,
		program: line.program,
		data: Buffer.from(line.data, "hex"),
		flags: line.flags ?? 0,
		retval: line.retval,
		out: line.out === undefined ? undefined : Buffer.from(line.out, "hex"),
	};
}

/**
 * Reads one file of vectors: a JSON object per line, each line ended by a line feed, no empty lines, unknown and repeated
 * fields refused; at least 1 and at most 4096 vectors with distinct names. BUNDLE_VECTORS_INVALID with file and line.
 */
export function parseVectors(bytes: Uint8Array, file = "vectors"): Vector[] {
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (text.at(-1) !== 0x0a) throw invalid(file, "does not end in a line feed");
	const vectors: Vector[] = [];
	for (let start = 0; start < text.length; ) {
		const end = text.indexOf(0x0a, start);
		if (vectors.length === LIMITS.vectors) throw invalid(file, `has more than ${LIMITS.vectors} vectors`);
		vectors.push(parseLine(text.subarray(start, end), `${file}:${vectors.length + 1}`));
		start = end + 1;
	}
	checkNames(vectors);
	return vectors;
}

/** Demands distinct names and at most 4096 vectors over all files of a bundle. */
export function checkNames(vectors: readonly Vector[]): void {
	if (vectors.length > LIMITS.vectors) throw invalid("the bundle", `has more than ${LIMITS.vectors} vectors`);
	const seen = new Set<string>();
	for (const vector of vectors) {
		if (seen.has(vector.name)) throw invalid(`the vector "${vector.name}"`, "stands there twice");
		seen.add(vector.name);
	}
}

/** `sizeof(struct bpf_flow_keys)`, what BPF_PROG_TEST_RUN of a flow dissector gives back. */
const FLOW_KEYS_BYTES = 56;

/** Demands that a vector's program exists and, for a flow dissector, that `out` is a whole struct bpf_flow_keys. */
export function checkVectorFits(vector: Vector, types: ReadonlyMap<string, string>): void {
	const type = types.get(vector.program);
	const where = `the vector "${vector.name}"`;
	if (type === undefined) throw invalid(where, `runs the program "${vector.program}", which a variant lacks`);
	if (type === "flow_dissector" && vector.out !== undefined && vector.out.length !== FLOW_KEYS_BYTES) {
		throw invalid(where, `expects ${vector.out.length} bytes; struct bpf_flow_keys has ${FLOW_KEYS_BYTES}`);
	}
}
