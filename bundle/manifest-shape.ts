// The manifest's shape (docs/formats/bundle.md, "Manifest"). Types only; manifest.ts reads and writes it.
import type { ConfigParameter } from "./config.ts";
import type { Digest } from "./digest.ts";
import type { BundleName, Version } from "./name.ts";
import type { Tag } from "./tag.ts";

export interface FunctionId {
	readonly name: BundleName;
	readonly abi: number;
}

/** What a variant needs of a host; the same facts stand in the object's note (docs/formats/elf-note.md). */
export interface Requires {
	/** See kernel-range.ts. */
	readonly kernel: string;
	/** Sorted: `device:backlog`, `ksym:<name>`, `link:netns`, `link:tcx`, `prog_type:<type>`. */
	readonly features: readonly string[];
}

export type ProgramType = "flow_dissector" | "sched_cls" | "xdp";
export type Hook = "netns" | "tc-egress" | "tc-ingress" | "none";

export interface Program {
	readonly name: string;
	readonly section: string;
	readonly type: ProgramType;
	readonly hook: Hook;
	/** Instructions of 8 bytes each, the subprograms' included. */
	readonly insns: number;
	/** SHA-256 of the instructions as the kernel hashes them for its tag: maps' places are zero; null where CO-RE or symbols of the kernel change them. */
	readonly insnsDigest: Digest | null;
}

export interface Variant {
	readonly name: string;
	readonly object: string;
	readonly requires: Requires;
	readonly programs: readonly Program[];
	/** Private arrays of the object, sorted by name; absent where it has none. */
	readonly maps?: readonly MapRecord[];
}

export type MapType = "array" | "percpu-array";

export interface MapRecord {
	readonly name: string;
	readonly type: MapType;
	/** Bytes. */
	readonly valueSize: number;
	/** `possible-cpus`: as many as the machine may ever have CPUs. */
	readonly entries: number | "possible-cpus";
}

export interface StateMap {
	readonly map: string;
	readonly migrate: "keep" | "drop";
}

export interface BuildUnit {
	readonly source: string;
	readonly object: string;
}

export interface BuildRecord {
	readonly compiler: "clang";
	readonly version: string;
	readonly flags: readonly string[];
	readonly units: readonly BuildUnit[];
}

export interface FileRecord {
	readonly path: string;
	readonly size: number;
	readonly sha256: Digest;
}

/** kfn.json. */
export interface Manifest {
	readonly schema: "kfn.bundle/1";
	readonly name: BundleName;
	readonly version: Version;
	readonly summary: string;
	/** Why nobody should run it without saying that they want to. */
	readonly experimental?: string;
	readonly license: string;
	readonly function: FunctionId;
	readonly tag: { readonly value: Tag; readonly files: readonly string[] };
	readonly variants: readonly Variant[];
	readonly config: Readonly<Record<string, ConfigParameter>>;
	readonly state: readonly StateMap[];
	readonly vectors: readonly string[];
	readonly fixes: readonly string[];
	readonly build: BuildRecord;
	readonly files: readonly FileRecord[];
}
