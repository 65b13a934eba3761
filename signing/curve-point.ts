// What kind of point of edwards25519 (RFC 8032 §5.1) 32 public bytes encode, as libsodium's C function
// crypto_core_ed25519_is_valid_point decides it; libsodium-wrappers lacks that function, and the loader must not refuse a
// key that the CLI took. Refuses secrets: variable time, so never for anything but public keys.

/**
 * - `prime-order`: in the group of order L, without the neutral element: fit to be a public key.
 * - `weak`: of order 1, 2, 4 or 8, or with such a component.
 * - `no-point`: no x belongs to this y.
 */
export type PointKind = "prime-order" | "weak" | "no-point";

const P = 2n ** 255n - 19n;
/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const SQRT_MINUS_1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752n;

/** Classifies 32 bytes, little-endian y with the sign of x as the top bit. About a millisecond. */
export function kindOfPoint(bytes: Uint8Array): PointKind {
	const encoded = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
	const sign = encoded >> 255n;
	// y >= p would be a second encoding of y - p < 19. None of those 19 is in the prime-order group, so each comes out as weak
	// or as no point, and needs no check of its own; ed25519-attacks.test.ts goes through all of them.
	const y = (encoded & (2n ** 255n - 1n)) % P;
	const x = xOf(y, sign);
	if (x === undefined) return "no-point";
	const neutral = x === 0n && y === 1n;
	return !neutral && isInPrimeOrderGroup(x, y) ? "prime-order" : "weak";
}

/** RFC 8032 §5.1.3, steps 2 to 4, but for x = 0 with the sign set: that is a point of small order, and refused as such. */
function xOf(y: bigint, sign: bigint): bigint | undefined {
	const u = mod(y * y - 1n);
	const v = mod(D * y * y + 1n);
	const x = mod(u * v ** 3n * power(mod(u * v ** 7n), (P - 5n) / 8n));
	const square = mod(v * x * x);
	const root = square === u ? x : square === mod(-u) ? mod(x * SQRT_MINUS_1) : undefined;
	if (root === undefined) return undefined;
	return (root & 1n) === sign ? root : mod(-root);
}

/** [X, Y, Z], x = X/Z, y = Y/Z. */
type Projective = readonly [X: bigint, Y: bigint, Z: bigint];

/** L·(x, y) is the neutral element (0 : 1 : 1). */
function isInPrimeOrderGroup(x: bigint, y: bigint): boolean {
	const point: Projective = [x, y, 1n];
	let product = point;
	for (const bit of L.toString(2).slice(1)) {
		product = add(product, product);
		if (bit === "1") product = add(product, point);
	}
	return product[0] === 0n && product[1] === product[2];
}

/** Complete addition, Bernstein, Birkner, Joye, Lange, Peters 2008 §6, with a = -1. */
function add([X1, Y1, Z1]: Projective, [X2, Y2, Z2]: Projective): Projective {
	const a = mod(Z1 * Z2);
	const b = mod(a * a);
	const c = mod(X1 * X2);
	const d = mod(Y1 * Y2);
	const e = mod(mod(D * c) * d);
	const f = b - e;
	const g = b + e;
	return [mod(mod(a * f) * ((X1 + Y1) * (X2 + Y2) - c - d)), mod(mod(a * g) * (d + c)), mod(f * g)];
}

function power(base: bigint, exponent: bigint): bigint {
	let result = 1n;
	for (const bit of exponent.toString(2)) {
		result = mod(result * result);
		if (bit === "1") result = mod(result * base);
	}
	return result;
}

function mod(n: bigint): bigint {
	const rest = n % P;
	return rest < 0n ? rest + P : rest;
}
