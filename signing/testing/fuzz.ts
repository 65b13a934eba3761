// For tests only: mutations of a file for a parser, seeded, so that KFN_FUZZ_SEED repeats a run and KFN_FUZZ_RUNS prolongs it. Refuses any
// outcome but a value or a SigningError.
import { expect } from "vitest";
import { SigningError } from "../errors.ts";

export const SEED = Number(process.env["KFN_FUZZ_SEED"] ?? 20261123);
export const RUNS = Number(process.env["KFN_FUZZ_RUNS"] ?? 3000);

/** Runs `parse` on mutations of `original`; the distinct outcomes. Anything but a value or a SigningError fails with its input. */
export async function fuzz(
	original: Buffer,
	parse: (bytes: Buffer) => unknown,
	runs = RUNS,
): Promise<string[]> {
	const random = randomOf(SEED);
	const outcomes = new Set<string>();
	for (let run = 0; run < runs; run++) {
		const bytes = mutate(original, random);
		try {
			await parse(bytes);
			outcomes.add("value");
		} catch (error) {
			if (!(error instanceof SigningError)) {
				throw new Error(`run ${run}: ${JSON.stringify(bytes.toString("latin1"))}`, { cause: error });
			}
			expect(error.message).toMatch(/^[\x20-\x7e…]*$/);
			outcomes.add(error.code);
		}
	}
	return [...outcomes];
}

type Random = (below: number) => number;

/** xorshift32: any generator does, as long as a seed repeats it. */
function randomOf(seed: number): Random {
	let state = seed >>> 0 || 1;
	return (below) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		state >>>= 0;
		return state % below;
	};
}

const TOKENS = [
	"{",
	"}",
	"[",
	"]",
	'"',
	",",
	":",
	"null",
	"0",
	"-1",
	"1e9",
	"\\u0000",
	"__proto__",
	"\n",
	" ",
	"9",
	"a",
	"A",
	"=",
	"\u00e9",
	"*",
];

function mutate(original: Buffer, random: Random): Buffer {
	let bytes = original;
	for (let times = 1 + random(3); times > 0; times--) {
		const at = random(bytes.length + 1);
		const end = Math.min(bytes.length, at + 1 + random(random(2) === 0 ? 4 : 200));
		const replacements = [
			Buffer.of(random(256)),
			Buffer.from(TOKENS[random(TOKENS.length)]!),
			Buffer.alloc(0),
			Buffer.concat([bytes.subarray(at, end), bytes.subarray(at, end)]),
			Buffer.from("0123456789abcdefABCXYZ+/".charAt(random(24))),
		];
		const kind = random(replacements.length);
		// A single byte takes a single byte's place, so that many mutations stay well-formed and get past the first check.
		const until = kind === 0 || kind === 4 ? Math.min(bytes.length, at + 1) : end;
		bytes = Buffer.concat([
			bytes.subarray(0, at),
			replacements[kind]!,
			bytes.subarray(kind === 1 && random(2) === 0 ? at : until),
		]);
	}
	return bytes;
}
