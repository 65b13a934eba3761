// The suite's TARGET_DIR: one file for each target path, whatever characters the path has. Refuses to believe its own
// files: one counts as the target only while it has the length and hashes that metadata lists now.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDurable } from "#host/durable.ts";
import { noFaults } from "#host/faults.ts";
import { isTarget, type Target } from "#signing/tuf/updater.ts";

export interface ArtifactFolder {
	holds(target: Target): Promise<boolean>;
	/** `bytes` have been verified; they replace what an older listing of the same path had. */
	keep(target: Target, bytes: Uint8Array): void;
}

export function openArtifactFolder(path: string): ArtifactFolder {
	const durable = openDurable(noFaults);
	const fileOf = (target: Target) => join(path, artifactName(target.path));
	return {
		async holds(target) {
			const file = fileOf(target);
			return existsSync(file) && isTarget(target, new Uint8Array(readFileSync(file)));
		},
		keep: (target, bytes) => durable.writeFile(fileOf(target), bytes),
	};
}

/** Percent-encoded, dots too, so that no path is `.` or `..` or hidden. */
export function artifactName(path: string): string {
	return encodeURIComponent(path).replaceAll(".", "%2E");
}
