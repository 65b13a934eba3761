// Which program type and hook an ELF section means, as libbpf reads section names. Loads nothing.
import type { Hook, ProgramType } from "./manifest-shape.ts";

export interface ProgramKind {
	readonly type: ProgramType;
	/** `none`: it is never attached, and runs through BPF_PROG_TEST_RUN only. */
	readonly hook: Hook;
	/** What a host must have for it, in the vocabulary of `requires.features`. */
	readonly features: readonly string[];
}

const KINDS: ReadonlyMap<string, ProgramKind> = new Map<string, ProgramKind>([
	[
		"flow_dissector",
		{ type: "flow_dissector", hook: "netns", features: ["link:netns", "prog_type:flow_dissector"] },
	],
	["tc/egress", { type: "sched_cls", hook: "tc-egress", features: ["prog_type:sched_cls"] }],
	["tc/ingress", { type: "sched_cls", hook: "tc-ingress", features: ["link:tcx", "prog_type:sched_cls"] }],
	["tc", { type: "sched_cls", hook: "none", features: ["prog_type:sched_cls"] }],
	["xdp.frags", { type: "xdp", hook: "none", features: ["prog_type:xdp"] }],
]);

/** The kind of the programs in a section; undefined for a section that kfn has no hook for. */
export function programKind(section: string): ProgramKind | undefined {
	return KINDS.get(section);
}
