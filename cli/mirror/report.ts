// What a copy did, as every one of the three commands says it.
import type { CopyReport } from "./copy.ts";

export interface StateFields {
	readonly bundles: number;
	readonly files: { readonly copied: number; readonly kept: number };
	/** Of the copied files. */
	readonly bytes: number;
	readonly timestamp: { readonly version: number; readonly expires: string };
	readonly log: { readonly origin: string; readonly size: number } | null;
}

export function stateFields({ names, placed, kept, bytes, timestamp, log }: CopyReport): StateFields {
	return { bundles: names.length, files: { copied: placed, kept }, bytes, timestamp, log };
}

/** `3 bundles; 12 files copied (3456 bytes), 40 kept; timestamp 17, expires …; log of 9 entries`. */
export function stateText({ bundles, files, bytes, timestamp, log }: StateFields, pruned = 0): string {
	const parts = [
		counted(bundles, "bundle"),
		`${counted(files.copied, "file")} copied (${bytes} bytes), ${files.kept} kept`,
		`timestamp ${timestamp.version}, expires ${timestamp.expires}`,
		...(log === null ? [] : [`log of ${log.size} entries`]),
		...(pruned === 0 ? [] : [`${counted(pruned, "file")} pruned`]),
	];
	return parts.join("; ");
}

function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? "" : "s"}`;
}
