// Which program type and hook an ELF section means, as libbpf reads section names. Loads nothing.
import type { Hook, ProgramType } from "./manifest-shape.ts";

export interface ProgramKind {
	readonly type: ProgramType;
	readonly hook: Hook;
	/** What a host must have for it, in the vocabulary of `requires.features`. */
	readonly features: readonly string[];
}

const KINDS: ReadonlyMap<string, ProgramKind> = new Map<string, ProgramKind>([
	[
		"flow_dissector",
		{ type: "flow_dissector", hook: "netns", features: ["link:netns", "prog_type:flow_dissector"] },
	],
	["tc", { type: "sched_cls", hook: "tc", features: ["prog_type:sched_cls"] }],
]);

/** The kind of the programs in a section; undefined for a section that kfn has no hook for. */
export function programKind(section: string): ProgramKind | undefined {
	return KINDS.get(section);
}
