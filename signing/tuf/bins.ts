// Which bin lists a target (succinct hashed bins: TAP 15, TUF 1.0.34 §4.5). Refuses bin counts that are no power of two.
import { createHash } from "node:crypto";
import { SigningError } from "../errors.ts";
import type { SuccinctRoles } from "./metadata.ts";

type BinShape = Pick<SuccinctRoles, "bit_length" | "name_prefix">;

/** How many bins a new registry has (docs/decisions/0006-hashed-bins.md). */
export const DEFAULT_BINS = 256;

/** The bit length for `count` bins, 2 to 1024. */
export function bitLengthOf(count: number): number {
	const bits = Math.log2(count);
	if (Number.isInteger(bits) && bits >= 1 && bits <= 10) return bits;
	throw new SigningError("TRUST_MALFORMED", `${count} is not a power of two from 2 to 1024`);
}

/** The name of the bin that lists `path`: the first bits of its sha256, in hex padded to the longest. */
export function binOf(path: string, { bit_length, name_prefix }: BinShape): string {
	const head = createHash("sha256").update(path).digest().readUInt32BE(0);
	return binName(head >>> (32 - bit_length), { bit_length, name_prefix });
}

/** All bins, in order. */
export function binNames(shape: BinShape): string[] {
	return Array.from({ length: 2 ** shape.bit_length }, (_, index) => binName(index, shape));
}

function binName(index: number, { bit_length, name_prefix }: BinShape): string {
	const digits = (2 ** bit_length - 1).toString(16).length;
	return `${name_prefix}-${index.toString(16).padStart(digits, "0")}`;
}
