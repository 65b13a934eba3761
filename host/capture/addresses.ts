// Writes IP addresses as people read them. Refuses nothing but a wrong length.

/** Dotted decimal of 4 bytes in network order. */
export function formatIpv4(bytes: Uint8Array): string {
	expectLength(bytes, 4);
	return bytes.join(".");
}

/** RFC 5952 text of 16 bytes in network order: lowercase, the longest run of zero groups as `::`, IPv4-mapped as `::ffff:1.2.3.4`. */
export function formatIpv6(bytes: Uint8Array): string {
	expectLength(bytes, 16);
	const groups = Array.from({ length: 8 }, (_, n) => (bytes[2 * n]! << 8) | bytes[2 * n + 1]!);
	// RFC 5952 section 5: the well-known prefix of RFC 4291 section 2.5.5.2.
	if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
		return `::ffff:${formatIpv4(bytes.subarray(12))}`;
	}
	const run = longestZeroRun(groups);
	const hex = groups.map((group) => group.toString(16));
	if (run.length < 2) return hex.join(":");
	return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
	let best = { start: 0, length: 0 };
	let start = 0;
	for (const [index, group] of groups.entries()) {
		if (group !== 0) start = index + 1;
		else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
	}
	return best;
}

function expectLength(bytes: Uint8Array, length: number): void {
	if (bytes.length !== length)
		throw new RangeError(`an address of ${length} bytes was given ${bytes.length}`);
}
