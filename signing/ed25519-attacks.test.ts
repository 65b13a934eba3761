// The edge cases in which Ed25519 verifiers differ ("Taming the many EdDSAs", Chalkias, Garillot, Nikolaenko, SSR 2020,
// table 2): each is built here from the curve's equation, shown to be what it claims, and held against verify().
//
// What libsodium 1.0.22 does, and why that is right for kfn:
//  - refused: small-order A (0, 1, 10, 11). Under such a key one signature fits many messages: "this publisher signed
//    it" would mean nothing.
//  - refused: small-order R (0, 2, 8, 9). No honest signer makes one; refusing costs nothing.
//  - refused: S >= L (6, 7). Otherwise anyone can make a second signature out of a first.
//  - refused: second encodings of A or R (8 to 11). One point, one spelling, one key id.
//  - refused: what only the cofactored equation takes (4, 5). The C loader (libsodium 1.0.18) and OpenSSL are
//    cofactorless too; CLI and loader must never disagree. libsodium's development branch is cofactored: an upgrade
//    that brings it in turns this test red.
//  - accepted: A and R with a small-order component that cancels out (3). Harmless, since only the key's owner can make
//    it, and out of reach: such an A is refused when it is parsed, by the loader and by us.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readySodium, verify } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import { type KeyId, type PublicKey, publicKeyOfBytes } from "./public-key.ts";

// ---- The curve of RFC 8032 §5.1, in a few lines of big integers: slow, short, and nothing of libsodium in it.
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a: bigint, m = P) => ((a % m) + m) % m;
const power = (base: bigint, exponent: bigint): bigint => {
	let result = 1n;
	for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b))
		if (e & 1n) result = mod(result * b);
	return result;
};
const invert = (a: bigint) => power(a, P - 2n);
const D = mod(-121665n * invert(121666n));
const SQRT_MINUS_1 = power(2n, (P - 1n) / 4n);

type Point = readonly [x: bigint, y: bigint];
const IDENTITY: Point = [0n, 1n];
/** x = X/Z, y = Y/Z: one inversion per multiplication instead of one per addition. */
type Projective = readonly [X: bigint, Y: bigint, Z: bigint];
const addProjective = ([X1, Y1, Z1]: Projective, [X2, Y2, Z2]: Projective): Projective => {
	const [z, xx, yy] = [mod(Z1 * Z2), mod(X1 * X2), mod(Y1 * Y2)];
	const e = mod(D * xx * yy);
	const [f, g] = [mod(z * z - e), mod(z * z + e)];
	return [mod(z * f * ((X1 + Y1) * (X2 + Y2) - xx - yy)), mod(z * g * (yy + xx)), mod(f * g)];
};
const affine = ([X, Y, Z]: Projective): Point => [mod(X * invert(Z)), mod(Y * invert(Z))];
const add = (p: Point, q: Point): Point => affine(addProjective([...p, 1n], [...q, 1n]));
const times = (k: bigint, point: Point): Point => {
	let result: Projective = [0n, 1n, 1n];
	for (let p: Projective = [...point, 1n], e = k; e > 0n; e >>= 1n, p = addProjective(p, p)) {
		if (e & 1n) result = addProjective(result, p);
	}
	return affine(result);
};
const equal = (a: Point, b: Point) => a[0] === b[0] && a[1] === b[1];
/** The x for a y (taken mod p, as a lenient decoder does) and its low bit; RFC 8032 §5.1.3. */
const xOf = (y: bigint, sign: bigint): bigint => {
	const square = mod((y * y - 1n) * invert(D * y * y + 1n));
	let x = power(square, (P + 3n) / 8n);
	if (mod(x * x) !== square) x = mod(x * SQRT_MINUS_1);
	if (mod(x * x) !== square) throw new Error("not on the curve");
	return (x & 1n) === sign ? x : mod(-x);
};
const little = (n: bigint) => new Uint8Array(Buffer.from(n.toString(16).padStart(64, "0"), "hex").reverse());
const fromLittle = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
const encode = ([x, y]: Point) => little(y | ((x & 1n) << 255n));
const decode = (bytes: Uint8Array): Point => {
	const n = fromLittle(bytes);
	const y = mod(n & (2n ** 255n - 1n));
	return [xOf(y, n >> 255n), y];
};
const hash = (R: Uint8Array, A: Uint8Array, M: Uint8Array) =>
	mod(fromLittle(createHash("sha512").update(R).update(A).update(M).digest()), L);

const B: Point = [xOf(mod(4n * invert(5n)), 0n), mod(4n * invert(5n))];
/** A point of order 8: L times a point outside the prime-order group. */
const T: Point = (() => {
	for (let y = 2n; ; y++) {
		try {
			const candidate = times(L, [xOf(y, 0n), y]);
			if (!equal(times(4n, candidate), IDENTITY)) return candidate;
		} catch {
			// About half of all y have no x.
		}
	}
})();
const TORSION = [...Array(8).keys()].map((i) => times(BigInt(i), T));

/** Every encoding that decodes to a point of small order: the canonical one, y + p, and -0 where x = 0. */
const SMALL_ORDER_ENCODINGS = TORSION.flatMap(([x, y]) => {
	const ys = y < 19n ? [y, y + P] : [y];
	const signs = x === 0n ? [0n, 1n] : [x & 1n];
	return ys.flatMap((each) => signs.map((sign) => little(each | (sign << 255n))));
});

test("the arithmetic of this file is the curve's", () => {
	expect(equal(times(L, B), IDENTITY)).toBe(true);
	expect(Buffer.from(encode(B)).toString("hex")).toBe(`58${"66".repeat(31)}`);
	expect(new Set(TORSION.map(String)).size).toBe(8);
	expect(equal(times(8n, T), IDENTITY)).toBe(true);
});

describe("weak public keys are refused when parsed", () => {
	test("there are 14 encodings", () => {
		expect(new Set(SMALL_ORDER_ENCODINGS.map((e) => Buffer.from(e).toString("hex"))).size).toBe(14);
	});

	test.each(SMALL_ORDER_ENCODINGS.map((e) => Buffer.from(e).toString("hex")))("%s", (encoding) => {
		expect(codeOf(() => publicKeyOfBytes(Buffer.from(encoding, "hex")))).toBe("KEY_WEAK");
	});

	test("no y >= p is a key, whatever point a lenient decoder would take it for", () => {
		const codes = new Set<string>();
		for (let y = P; y < 2n ** 255n; y++) {
			for (const sign of [0n, 1n]) codes.add(codeOf(() => publicKeyOfBytes(little(y | (sign << 255n)))));
		}
		expect([...codes].sort()).toEqual(["KEY_MALFORMED", "KEY_WEAK"]);
	});

	test("y with no point on the curve is KEY_MALFORMED", () => {
		expect(codeOf(() => publicKeyOfBytes(little(2n)))).toBe("KEY_MALFORMED");
	});

	test("a key with a small-order component is KEY_WEAK, each of the seven; without, it is a key", () => {
		const honest = times(0x1234567890abcdefn ** 3n, B);
		for (const [i, torsion] of TORSION.entries()) {
			const code = codeOf(() => publicKeyOfBytes(encode(add(honest, torsion))));
			expect(code, `${i} T`).toBe(i === 0 ? "no error" : "KEY_WEAK");
		}
	});

	test("libsodium takes exactly the same points for keys, of a thousand from everywhere", async () => {
		const sodium = await readySodium();
		let taken = 0;
		for (let n = 0; n < 1000; n++) {
			const seed = createHash("sha256").update(`point ${n}`).digest();
			const bytes = n % 2 === 0 ? new Uint8Array(seed) : sodium.crypto_sign_seed_keypair(seed).publicKey;
			let libsodium = true;
			try {
				sodium.crypto_sign_ed25519_pk_to_curve25519(bytes);
			} catch {
				libsodium = false;
			}
			expect(codeOf(() => publicKeyOfBytes(bytes)) === "no error", Buffer.from(bytes).toString("hex")).toBe(
				libsodium,
			);
			if (libsodium) taken++;
		}
		expect(taken).toBeGreaterThan(500);
		expect(taken).toBeLessThan(600);
	});
});

/**
 * A = aB + iT, R = rB + jT, S = r + ha + shift: the cofactored equation always holds, the cofactorless one when
 * j + hi = 0 mod 8. A message with the wanted outcome is searched for.
 */
interface Case {
	readonly name: string;
	readonly a: bigint;
	readonly i: number;
	readonly r: bigint;
	readonly j: number;
	readonly cofactorless: boolean;
	readonly shift?: bigint;
	/** Another encoding of the point: y + p instead of y. */
	readonly lenient?: "A" | "R";
	/** Whether the hash is over the canonical encoding instead of the bytes as sent. */
	readonly reencoded?: boolean;
	readonly accepted: boolean;
}
const [a, r] = [0x1234567890abcdefn ** 3n, 0xfedcba9876543210n ** 3n];
/** The only small-order points with a second y are those with y < 19: index 0 (y = 1), and 2 and 6 (y = 0). */
const CASES: readonly Case[] = [
	{ name: "honest", a, i: 0, r, j: 0, cofactorless: true, accepted: true },
	{ name: "0 small A, small R, S = 0", a: 0n, i: 1, r: 0n, j: 3, cofactorless: true, accepted: false },
	{ name: "1 small A, mixed R", a: 0n, i: 1, r, j: 3, cofactorless: true, accepted: false },
	{ name: "1 identity A, honest R", a: 0n, i: 0, r, j: 0, cofactorless: true, accepted: false },
	{ name: "2 mixed A, small R", a, i: 1, r: 0n, j: 3, cofactorless: true, accepted: false },
	{ name: "2 honest A, identity R", a, i: 0, r: 0n, j: 0, cofactorless: true, accepted: false },
	{ name: "3 mixed A, mixed R, torsion cancels", a, i: 1, r, j: 3, cofactorless: true, accepted: true },
	{ name: "4 mixed A, mixed R, cofactored only", a, i: 1, r, j: 3, cofactorless: false, accepted: false },
	{ name: "5 mixed A, honest R, cofactored only", a, i: 1, r, j: 0, cofactorless: false, accepted: false },
	{ name: "5 honest A, mixed R, cofactored only", a, i: 0, r, j: 4, cofactorless: false, accepted: false },
	{ name: "6 malleability, S + L", a, i: 0, r, j: 0, shift: L, cofactorless: true, accepted: false },
	{ name: "7 malleability, S + 14 L", a, i: 0, r, j: 0, shift: 14n * L, cofactorless: true, accepted: false },
	{
		name: "8 R with y + p, re-encoded for the hash",
		a,
		i: 1,
		r: 0n,
		j: 2,
		lenient: "R",
		reencoded: true,
		cofactorless: true,
		accepted: false,
	},
	{
		name: "9 R with y + p, hashed as sent",
		a,
		i: 1,
		r: 0n,
		j: 2,
		lenient: "R",
		cofactorless: true,
		accepted: false,
	},
	{
		name: "10 A with y + p, re-encoded for the hash",
		a: 0n,
		i: 2,
		r,
		j: 2,
		lenient: "A",
		reencoded: true,
		cofactorless: true,
		accepted: false,
	},
	{
		name: "11 A with y + p, hashed as sent",
		a: 0n,
		i: 2,
		r,
		j: 2,
		lenient: "A",
		cofactorless: true,
		accepted: false,
	},
];

describe("Taming the many EdDSAs", () => {
	test.each(CASES)("$name: accepted $accepted", async (kase) => {
		const { A, R, S, M, h } = build(kase);
		const left = times(mod(S, L), B);
		const right = add(decode(R), times(h, decode(A)));
		expect(equal(left, right), "the cofactorless equation").toBe(kase.cofactorless);
		expect(equal(times(8n, left), times(8n, right)), "the cofactored equation").toBe(true);
		const signature = new Uint8Array([...R, ...little(S)]);
		expect(await verify(unparsed(A), signature, M)).toBe(kase.accepted);
	});
});

function build({ a, i, r, j, cofactorless, shift = 0n, lenient, reencoded = false }: Case) {
	const [pointA, pointR] = [add(times(a, B), TORSION[i]!), add(times(r, B), TORSION[j]!)];
	const second = (point: Point) => little((point[1] + P) | ((point[0] & 1n) << 255n));
	const A = lenient === "A" ? second(pointA) : encode(pointA);
	const R = lenient === "R" ? second(pointR) : encode(pointR);
	for (let n = 0; ; n++) {
		const M = new TextEncoder().encode(`kfn ${n}`);
		const h = reencoded ? hash(encode(pointR), encode(pointA), M) : hash(R, A, M);
		const cancels = (BigInt(j) + h * BigInt(i)) % 8n === 0n;
		if (cancels === cofactorless) return { A, R, S: mod(r + h * a, L) + shift, M, h };
	}
}

/** A key that parsing would refuse, as verify() would see it if a caller went around the parser. */
function unparsed(bytes: Uint8Array): PublicKey {
	return { keyid: "0".repeat(64) as KeyId, bytes, comment: "" };
}

function codeOf(action: () => unknown): string {
	try {
		action();
	} catch (error) {
		if (error instanceof SigningError) return error.code;
		throw error;
	}
	return "no error";
}
