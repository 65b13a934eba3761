// What the maps that say whose keys count have in common (publishers.json, vendors.json): lists of keys, and how many must sign.
// Refuses a key twice and a threshold out of reach; who an entry is for is each map's own.
import { SigningError } from "./errors.ts";
import { type PublicKey, parsePublicKey } from "./public-key.ts";

/** Makes a map's own MALFORMED error of a reason. */
export type Malformed = (
	why: string,
	more?: { cause?: unknown; details?: Record<string, unknown> },
) => SigningError;

export interface KeyMapRules {
	/** A list of `min` to `max` values. */
	readonly listOf: (value: unknown, min: number, max: number, what: string) => readonly unknown[];
	readonly refuseTwice: (values: readonly string[], message: (value: string) => string) => void;
	/** One key line; for a bad one with the KEY_ error as its cause. */
	readonly parseKey: (line: unknown, where: string) => PublicKey;
	/** A whole number from 1 to `keys`. */
	readonly parseThreshold: (value: unknown, keys: number, where: string) => number;
}

export function keyMapRules(malformed: Malformed): KeyMapRules {
	return {
		listOf(value, min, max, what) {
			if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
			throw malformed(`the ${what} are not a list of ${min} to ${max}`);
		},
		refuseTwice(values, message) {
			const seen = new Set<string>();
			for (const value of values) {
				if (seen.has(value)) throw malformed(message(value));
				seen.add(value);
			}
		},
		parseKey(line, where) {
			if (typeof line !== "string") throw malformed(`${where} is not text`);
			try {
				return parsePublicKey(line);
			} catch (error) {
				if (!(error instanceof SigningError)) throw error;
				const details = { ...error.details, key: error.code };
				throw malformed(`${where}: ${error.message}`, { cause: error, details });
			}
		},
		parseThreshold(value, keys, where) {
			const isWhole = typeof value === "number" && Number.isInteger(value);
			if (isWhole && value >= 1 && value <= keys) return value;
			throw malformed(`the threshold of ${where} is not a whole number from 1 to its ${keys} keys`);
		},
	};
}
