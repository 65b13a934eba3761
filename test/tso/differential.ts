// Has superpackets segmented by the kernel's software GSO and by the program, and hands back what the comparison counted. Refuses the machine's own devices: the wire is one of a namespace made for it.
import { IN, OUT, type Wire } from "../harness/wire.ts";
import type { Tools } from "./build.ts";

export type Hook = "tcx" | "clsact";

export interface Comparison {
	readonly superpackets: number;
	/** Those that the program segmented, as the times it ran prove. */
	readonly ours: number;
	/** What arrived of all of them, the same from both. */
	readonly packets: number;
	/** Checksums that are 0 from the kernel and 0xffff from the program: the same sum. */
	readonly zeros: number;
}

/** Which superpackets: the table, or `count` random ones of a seed. */
export type Superpackets = "table" | { readonly seed: number; readonly count: number };

/** Throws, with the first packet that differs, where not every byte is the same. */
export async function compare(
	wire: Wire,
	tools: Tools,
	hook: Hook,
	superpackets: Superpackets,
	offload: "offload" | "no offload" = "offload",
): Promise<Comparison> {
	const which = superpackets === "table" ? ["table", "0", "1000"] : randomArgs(superpackets);
	const features = offload === "offload" ? [] : ["tx"];
	const { stdout } = await wire.netns.run(
		tools.differential,
		[tools.object, hook, OUT, IN, ...which, ...features],
		{ timeoutMs: 100_000 },
	);
	return JSON.parse(stdout) as Comparison;
}

function randomArgs({ seed, count }: { seed: number; count: number }): string[] {
	return [String(seed), "0", String(count)];
}
