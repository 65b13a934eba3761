// How a hold is told to a human: at what, since when, and which fixes it keeps out.

import type { OpenAdvisory } from "#host/advisories/judge.ts";
import type { NewerVersion } from "../client/newer-versions.ts";
import { oneLine } from "../printable.ts";

/** An advisory that is left open. */
export type LeftOpen = Pick<OpenAdvisory, "id" | "aliases" | "summary">;

export function leftOpen({ id, aliases, summary }: LeftOpen): LeftOpen {
	return { id, aliases, summary };
}

/** One hold in the documents of `kfn hold`, `kfn upgrade` and `kfn apply` (docs/formats/holds.md). */
export interface HoldStatus {
	readonly name: string;
	/** The one version that it may go to; null: it stays as it is. */
	readonly version: string | null;
	readonly reason: string | null;
	readonly since: string;
	/** The versions that are active, lowest first. */
	readonly active: readonly string[];
	/** The advisories that are open while it stays at what is active, as this host knows them. */
	readonly open: readonly LeftOpen[];
	/** Newest first; null where it cannot be told. */
	readonly keepsOut: readonly NewerVersion[] | null;
	/** Why it cannot be told; null where it can. */
	readonly unknown: { readonly code: string; readonly message: string } | null;
}

export function holdText(status: HoldStatus): string {
	const { name, version, reason, since, active, keepsOut, unknown } = status;
	const at = version ?? (active.length === 0 ? "no version, for none is active" : active.join(", "));
	const why = reason === null ? "" : `: ${oneLine(reason)}`;
	const lines = [`${name} is held at ${at} since ${since}${why}`, ...status.open.map(openLine)];
	if (unknown !== null)
		lines.push(`which fixes it keeps out cannot be told: ${unknown.message} [${unknown.code}]`);
	else if (keepsOut === null || keepsOut.length === 0) lines.push("it keeps nothing out");
	else lines.push(...keepsOut.map(keptOutLine));
	return lines.map((line, i) => (i === 0 ? line : `  ${line}`)).join("\n");
}

/** One line of what is left open, for whoever was kept from fixing it. */
export function openLine({ id, aliases, summary }: LeftOpen): string {
	return `leaves open ${[id, ...aliases].join(", ")}: ${oneLine(summary)}`;
}

function keptOutLine({ version, fixes }: NewerVersion): string {
	if (fixes === null) return `keeps out ${version}; its fixes were not looked at`;
	return `keeps out ${version}, which ${fixes.length === 0 ? "names no fix" : `fixes ${oneLine(fixes.join(", "))}`}`;
}
