// Asks a dissector: one compiled for the host (native/replay.c), or the kernel (native/test_run.c). Refuses to judge the answer.
import { execFileSync } from "node:child_process";
import { KEYS_SIZE } from "./keys.ts";
import type { Vector } from "./vectors.ts";

export interface Question {
	readonly name: string;
	readonly data: Uint8Array;
	readonly flags: number;
}

/** In the form of a vector's expectation. */
export interface Answer {
	readonly name: string;
	readonly retval: number;
	readonly out: string;
}

const ANSWER_SIZE = 4 + KEYS_SIZE;

export function questionsOf(vectors: readonly Vector[]): readonly Question[] {
	return vectors.map(({ name, data, flags }) => ({
		name,
		data: Buffer.from(data, "hex"),
		flags: flags ?? 0,
	}));
}

/** One answer per question, in order; throws when a sanitizer, the kernel or the program itself objects. */
export function answersOf(
	program: string,
	questions: readonly Question[],
	args: readonly string[] = [],
): readonly Answer[] {
	const output = ask(program, args, questions, ANSWER_SIZE);
	return questions.map(({ name }, index) => ({
		name,
		retval: output.readUInt32LE(index * ANSWER_SIZE),
		out: output.toString("hex", index * ANSWER_SIZE + 4, (index + 1) * ANSWER_SIZE),
	}));
}

/** Feeds packets to a program's stdin and gives its stdout, which must be `answerSize` bytes for each. */
export function ask(
	program: string,
	args: readonly string[],
	questions: readonly Question[],
	answerSize: number,
): Buffer {
	const input = questions.flatMap(({ data, flags }) => {
		const head = Buffer.alloc(8);
		head.writeUInt32LE(data.length, 0);
		head.writeUInt32LE(flags, 4);
		return [head, data];
	});
	const options = { input: Buffer.concat(input), maxBuffer: 1 << 28, stdio: "pipe" } as const;
	const output = execFileSync(program, args, options);
	if (output.length !== questions.length * answerSize) throw new Error(`${output.length} bytes of answers`);
	return output;
}
