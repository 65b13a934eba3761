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
	/** What goes in: a packet from its Ethernet header on, or whatever else the function takes. */
	readonly data: Uint8Array;
	/** `struct bpf_flow_keys.flags` that goes in through ctx_in; 0 when the line does not say. */
	readonly flags: number;
	/** Fields of `struct __sk_buff` that go in. */
	readonly ctx: VectorContext | undefined;
	readonly retval: number;
	/** What data_out must be, every byte of it; undefined when it is not compared. */
	readonly out: Uint8Array | undefined;
	/** Fields of `struct __sk_buff` as they must come out; the others are not compared. */
	readonly ctxOut: VectorContext | undefined;
}

/** What BPF_PROG_TEST_RUN lets through of `struct __sk_buff`; gso_size only goes in. */
export interface VectorContext {
	readonly cb?: readonly number[];
	readonly gso_segs?: number;
	readonly gso_size?: number;
	readonly mark?: number;
	readonly priority?: number;
	readonly wire_len?: number;
}

interface VectorLine {
	name: string;
	why: string;
	program: string;
	data: string;
	flags?: number;
	ctx?: VectorContext;
	retval: number;
	out?: string;
	ctxOut?: VectorContext;
}

function invalid(where: string, what: string): BundleError {
	return new BundleError("BUNDLE_VECTORS_INVALID", `${plain(where)} ${plain(what)}`, {
		hint: "docs/formats/vectors.md shows a line that is right.",
	});
}

/** How many keys a line's text has, its contexts' included; more than the parsed objects have means that one stands there twice. */
function countKeys(line: string): number {
	return [...line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter((match) => match[1] !== undefined).length;
}

function parseLine(bytes: Uint8Array, where: string): Vector {
	const json = jsonOf(bytes);
	if (!json.ok) throw invalid(where, json.what);
	const answer = fits<VectorLine>(vectorSchema, json.value);
	if (!answer.ok) throw invalid(where, `${answer.path}: ${answer.what}`);
	const line = answer.value;
	const keys = [line, line.ctx ?? {}, line.ctxOut ?? {}].flatMap((object) => Object.keys(object));
	if (countKeys(Buffer.from(bytes).toString("utf8")) !== keys.length) {
		throw invalid(where, "names a field twice");
	}
	if (line.ctxOut?.gso_size !== undefined)
		throw invalid(where, "/ctxOut: the kernel does not give gso_size back");
	return {
		name: line.name,
		why: line.why,
		program: line.program,
		data: Buffer.from(line.data, "hex"),
		flags: line.flags ?? 0,
		ctx: line.ctx,
		retval: line.retval,
		out: line.out === undefined ? undefined : Buffer.from(line.out, "hex"),
		ctxOut: line.ctxOut,
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
const FLOW_PACKET_BYTES = 16 * 1024;

/** Demands that a vector's program exists and that the vector says nothing that its type does not have. */
export function checkVectorFits(vector: Vector, types: ReadonlyMap<string, string>): void {
	const type = types.get(vector.program);
	const where = `the vector "${vector.name}"`;
	if (type === undefined) throw invalid(where, `runs the program "${vector.program}", which a variant lacks`);
	if (type !== "sched_cls" && (vector.ctx !== undefined || vector.ctxOut !== undefined))
		throw invalid(where, "has ctx or ctxOut, which only a sched_cls program has");
	if (type !== "flow_dissector") {
		if (vector.flags !== 0) throw invalid(where, "has flags, which only a flow dissector has");
		return;
	}
	if (vector.data.length > FLOW_PACKET_BYTES)
		throw invalid(
			where,
			`has ${vector.data.length} bytes; a flow dissector's are at most ${FLOW_PACKET_BYTES}`,
		);
	if (vector.out !== undefined && vector.out.length !== FLOW_KEYS_BYTES) {
		throw invalid(where, `expects ${vector.out.length} bytes; struct bpf_flow_keys has ${FLOW_KEYS_BYTES}`);
	}
}
