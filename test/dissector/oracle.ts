// What the keys of a packet must be: an independent dissector, written from the RFCs and the hook's documentation
// (Documentation/bpf/prog_flow_dissector.rst). Refuses to share a line, a table or a trick with the program it judges.
import { DEFAULT_CONFIG } from "./config.ts";
import { encodeKeys, type FlowKeys, initialKeys, type Uncarried, VERDICT } from "./keys.ts";
import { Walk } from "./oracle-walk.ts";

const ETHERNET_LENGTH = 14;

export interface Dissection {
	readonly retval: number;
	readonly keys: FlowKeys;
	readonly uncarried: ReadonlySet<Uncarried>;
	/** The same packet without what the keys cannot carry, where that can be cut out: both must give it the same hash. */
	readonly neutral: () => Uint8Array | undefined;
	/** Headers behind the first. */
	readonly followed: number;
}

/** Dissects an Ethernet frame (at least 14 bytes) as BPF_PROG_TEST_RUN would have the program do it, the kernel's clamp included. */
export function dissect(frame: Uint8Array, flags = 0, config = DEFAULT_CONFIG): Dissection {
	const ethertype = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
	const walk = new Walk(frame, initialKeys(ETHERNET_LENGTH, ethertype, flags), config);
	const verdict = walk.run();
	const { keys } = walk;
	keys.nhoff = Math.min(Math.max(keys.nhoff, ETHERNET_LENGTH), frame.length);
	keys.thoff = Math.min(Math.max(keys.thoff, keys.nhoff), frame.length);
	return {
		retval: VERDICT[verdict],
		keys,
		uncarried: walk.uncarried,
		neutral: () => walk.neutral(),
		followed: walk.followed,
	};
}

/** `dissect` in the form of a vector. */
export function expectation(
	frame: Uint8Array,
	flags = 0,
	config = DEFAULT_CONFIG,
): { retval: number; out: string } {
	const { retval, keys } = dissect(frame, flags, config);
	return { retval, out: Buffer.from(encodeKeys(keys)).toString("hex") };
}
