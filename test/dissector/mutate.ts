// Packets that nobody meant to send: seeded mutations of given ones. Refuses randomness that a second run cannot repeat.

/** Values that decide something in some header: IHLs, protocols, ethertype bytes, flags, lengths. */
const DECISIVE = [
	0x00, 0x01, 0x02, 0x04, 0x06, 0x08, 0x11, 0x1f, 0x20, 0x21, 0x29, 0x2b, 0x2c, 0x2f, 0x32, 0x33, 0x3c, 0x40,
	0x45, 0x46, 0x47, 0x48, 0x4f, 0x60, 0x65, 0x58, 0x80, 0x81, 0x84, 0x86, 0x88, 0x89, 0xa0, 0xa8, 0xb0, 0xdd,
	0xff,
] as const;

/** `count` mutants of `seeds` with `seed`; each has 1 to 4 changed bytes, some a cut end or a piece moved, all ≥ 15 bytes. */
export function mutants(seeds: readonly Uint8Array[], count: number, seed: number): readonly Uint8Array[] {
	const below = seeded(seed);
	return Array.from({ length: count }, () => mutant(seeds[below(seeds.length)]!, below));
}

function mutant(origin: Uint8Array, below: (limit: number) => number): Uint8Array {
	const bytes = Uint8Array.from(origin);
	for (let change = below(4); change >= 0; change--) {
		const at = 12 + below(Math.min(bytes.length, 120) - 12);
		bytes[at] = below(4) === 0 ? below(256) : DECISIVE[below(DECISIVE.length)]!;
	}
	// Headers again behind themselves make stacks that no seed has.
	if (below(4) === 0) bytes.copyWithin(14 + below(40), 14, 14 + below(60));
	return below(4) === 0 ? bytes.slice(0, 15 + below(bytes.length - 14)) : bytes;
}

/** Numbers below a limit: mulberry32, small, seedable, good enough to pick bytes with. */
export function seeded(seed: number): (limit: number) => number {
	let state = seed >>> 0;
	return (limit) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let value = Math.imul(state ^ (state >>> 15), state | 1);
		value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
		return ((value ^ (value >>> 14)) >>> 0) % limit;
	};
}
