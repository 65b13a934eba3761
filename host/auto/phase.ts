// When a host of a fleet takes a release: spread over so many hours after its publication, by a hash of the host's machine id
// (machine-id(5)). Stable per machine and release, like apt's phased updates: a later look never draws again.
import { createHash } from "node:crypto";
import type { Host } from "../host.ts";
import { readIfThere } from "../state-file.ts";

export interface Release {
	readonly name: string;
	readonly version: string;
	/** As the registry's index says; whoever could lie here could leave the release out as well. */
	readonly publishedAt: string;
}

/** The first moment at which this machine takes the release. */
export function phaseOf(machineId: string, release: Release, hours: number): Date {
	const { name, version, publishedAt } = release;
	const digest = createHash("sha256").update(`kfn-phase/1\n${machineId}\n${name}\n${version}\n`).digest();
	const share = digest.readUInt32BE(0) / 2 ** 32;
	return new Date(Date.parse(publishedAt) + share * hours * 3_600_000);
}

/** This host's machine id; undefined where it has none (yet): it has no turn of its own then, and takes releases at once. */
export function machineIdOf({ layout }: Host): string | undefined {
	const text = readIfThere(layout.machineId)?.toString("utf8").trim() ?? "";
	return /^[0-9a-f]{32}$/.test(text) ? text : undefined;
}
