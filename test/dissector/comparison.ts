// Our program against the two that it must agree with: the oracle by its keys, the C dissector by its flow hash. Refuses a
// difference that has no reason, and a reason that does not explain the difference.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configAssignments, DEFAULT_CONFIG, type DissectorConfig } from "./config.ts";
import { foundFolder } from "./found.ts";
import { encodeKeys, KEYS_SIZE, type Uncarried } from "./keys.ts";
import { ask, type Question } from "./native.ts";
import { type Dissection, dissect } from "./oracle.ts";

const ANSWER_SIZE = 12 + KEYS_SIZE;
/** net/core/flow_dissector.c, MAX_FLOW_DISSECT_HDRS: without a tag the C code sees one header more. */
const HEADERS_BEHIND_FIRST = 15;

/** The compiled programs, and a namespace that the test made and removes. */
export interface Machine {
	readonly testRun: string;
	readonly hashOracle: string;
	readonly object: string;
	readonly namespace: string;
}

/** `same`: equal hashes; `no hash`: too short for the kernel to make an skb of it; else why the hashes differ. */
export type Outcome = "same" | "no hash" | Uncarried;

export interface Failure {
	readonly question: Question;
	readonly what: string;
}

export interface Comparison {
	readonly outcomes: ReadonlyMap<Outcome, number>;
	readonly failures: readonly Failure[];
}

export interface Answer {
	/** The flow hash with the C dissector, and with ours; 0 is none. */
	readonly theirs: number;
	readonly ours: number;
	/** What our program returns (32 bits), and its keys. */
	readonly keys: Buffer;
}

/** Asks the kernel; gives the answer to a question by its place. */
export function answers(
	machine: Machine,
	questions: readonly Question[],
	config: DissectorConfig,
): (index: number) => Answer {
	const { testRun, hashOracle, object, namespace } = machine;
	const args = ["compare", hashOracle, object, namespace, ...configAssignments(config)];
	const output = ask(testRun, args, questions, ANSWER_SIZE);
	return (index) => {
		const at = index * ANSWER_SIZE;
		return {
			theirs: output.readUInt32LE(at),
			ours: output.readUInt32LE(at + 4),
			keys: output.subarray(at + 8, at + ANSWER_SIZE),
		};
	};
}

function keysOf({ retval, keys }: Dissection): Buffer {
	const bytes = Buffer.alloc(4 + KEYS_SIZE);
	bytes.writeUInt32LE(retval);
	bytes.set(encodeKeys(keys), 4);
	return bytes;
}

/** Keys and hashes of every question; where a hash may differ, the packet without its reason must have our hash in C. */
export function compare(
	machine: Machine,
	questions: readonly Question[],
	config: DissectorConfig = DEFAULT_CONFIG,
): Comparison {
	const answer = answers(machine, questions, config);
	const outcomes = new Map<Outcome, number>();
	const failures: Failure[] = [];
	const excused: {
		question: Question;
		ours: number;
		followed: number;
		neutral: () => Uint8Array | undefined;
	}[] = [];
	// The hash is made with the caller's flag; tunnels that only we see have another hash by intention.
	const sameTunnels = config === DEFAULT_CONFIG;
	for (const [index, question] of questions.entries()) {
		const { theirs, ours, keys } = answer(index);
		if (!keys.equals(keysOf(dissect(question.data, question.flags, config)))) {
			failures.push({ question, what: "keys" });
		}
		const outcome = outcomeOf(theirs, ours, question);
		const reason = outcome === "different" ? dissect(question.data, 2) : undefined;
		const whys = reason?.uncarried ?? new Set();
		const [why] = whys.has("random") ? (["random"] as const) : whys;
		if (outcome !== "different") outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
		else if (why === undefined) {
			if (sameTunnels) failures.push({ question, what: "hash" });
		} else {
			outcomes.set(why, (outcomes.get(why) ?? 0) + 1);
			if (reason !== undefined && why !== "random") excused.push({ question, ours, ...reason });
		}
	}
	if (sameTunnels) failures.push(...unexplained(machine, excused));
	return { outcomes, failures };
}

function outcomeOf(theirs: number, ours: number, { data }: Question): "same" | "no hash" | "different" {
	if (ours === 0 && theirs === 0 && data.length < 54) return "no hash";
	return ours === theirs && ours !== 0 ? "same" : "different";
}

/** The excused whose neutral twin (no tags, key 0, no stale bytes) does not have our hash in C either. */
function unexplained(
	machine: Machine,
	excused: readonly {
		question: Question;
		ours: number;
		followed: number;
		neutral: () => Uint8Array | undefined;
	}[],
): readonly Failure[] {
	const checked = excused.flatMap(({ question, ours, followed, neutral }) => {
		const data = followed <= HEADERS_BEHIND_FIRST ? neutral() : undefined;
		return data === undefined ? [] : [{ question, ours, data }];
	});
	const twins = checked.map(({ question, data }) => ({ ...question, data }));
	if (twins.length === 0) return [];
	const answer = answers(machine, twins, DEFAULT_CONFIG);
	return checked.flatMap(({ question, ours }, index) => {
		const { theirs } = answer(index);
		// Without its tag a packet may be too short for the kernel to make an skb of it.
		return theirs === ours || theirs === 0 ? [] : [{ question, what: "hash, also of its neutral twin" }];
	});
}

/**
 * The smallest packet that still fails: cuts, pieces taken out, bytes set to 0, each kept when `fails` (asked with many
 * candidates at once) says that it fails as before. At most `rounds` questions.
 */
export function minimise(
	question: Question,
	fails: (candidates: readonly Question[]) => readonly boolean[],
	rounds = 200,
): Question {
	let smallest = question;
	for (let round = 0; round < rounds; round++) {
		const candidates = smaller(smallest.data).map((data) => ({ ...smallest, data }));
		const found = fails(candidates).indexOf(true);
		if (found === -1) return smallest;
		smallest = candidates[found]!;
	}
	return smallest;
}

/** In the order of how much they take away; bytes are only ever set to 0, so this ends. */
function smaller(data: Uint8Array): readonly Uint8Array[] {
	const shorter: Uint8Array[] = [];
	for (let step = data.length; step >= 1; step >>= 1) {
		if (data.length - step >= 15) shorter.push(data.slice(0, data.length - step));
		for (let at = 14; at + step <= data.length; at += step) {
			if (data.length - step < 15) continue;
			const rest = new Uint8Array(data.length - step);
			rest.set(data.subarray(0, at));
			rest.set(data.subarray(at + step), at);
			shorter.push(rest);
		}
	}
	for (const [at, byte] of data.entries()) {
		if (byte === 0) continue;
		const zeroed = data.slice();
		zeroed[at] = 0;
		shorter.push(zeroed);
	}
	return shorter;
}

/** Saves a packet for corpus.ts, which makes it a vector of the package; the name is of its bytes. Gives the file. */
export function saveFound(question: Question, why: string): string {
	const hex = Buffer.from(question.data).toString("hex");
	const name = `${createHash("sha256").update(hex).digest("hex").slice(0, 12)}.json`;
	mkdirSync(foundFolder, { recursive: true });
	const file = join(foundFolder, name);
	writeFileSync(file, `${JSON.stringify({ why, data: hex, flags: question.flags })}\n`);
	return file;
}
