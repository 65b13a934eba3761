// The package's vectors: cases of the table as batches, with the answers that the kernel's own GRO agreed to. Refuses a case that the table does not have.
import { encode, type Sequence } from "./batch.ts";
import { TABLE } from "./table.ts";

const CASES = [
	...["two of the same size", "large, then small", "small, then large", "pure acknowledgements"],
	...["PSH ends a run and stays", "FIN and PSH", "SYN", "URG", "CWR in between", "ECE on all", "ECE on one"],
	...["another acknowledgement number", "a gap", "the sequence wraps", "another window", "other timestamps"],
	...[
		"same timestamps",
		"a wrong checksum ends nothing",
		"a data offset below 5",
		"another TTL",
		"another ToS",
	],
	...["another ECN", "a trailer in a run ends it", "an IP length too long"],
].flatMap((name, index) => [`${name}, IPv${index % 2 === 0 ? 4 : 6}`]);
const MORE = [
	...[
		"IDs count",
		"IDs wrap",
		"ID fixed",
		"ID fixed, without DF",
		"fixed, then counting",
		"counting, then fixed",
	],
	...[
		"DF on one",
		"the reserved bit",
		"fragments",
		"IPv4 options",
		"a wrong IPv4 checksum",
		"another flow label",
	],
	...["extension header 0", "extension headers that differ", "the 9th flow pushes the oldest out"],
];

export interface VectorCase extends Sequence {
	readonly name: string;
}

export const VECTOR_CASES: readonly VectorCase[] = [...CASES, ...MORE].map((name) => {
	const found = TABLE.find((entry) => entry.name === name);
	if (found === undefined) throw new Error(`the table has no case ${name}`);
	return found;
});

/** The line of vectors/table.jsonl for a case and what the function answered. */
export function vectorLine({ name, ...sequence }: VectorCase, out: Buffer): string {
	const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
	const data = encode(sequence).toString("hex");
	return JSON.stringify({ name: slug, why: name, program: "gro", data, retval: 2, out: out.toString("hex") });
}
