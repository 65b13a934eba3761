// The two versions of packages/flow-dissector that the tests and the demo upgrade between: 1.0.1 is the package, 1.0.0
// the package with the patch that takes its last fix back.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";

const TOP = join(import.meta.dirname, "../..");
const PACKAGE = join(TOP, "packages/flow-dissector");

/** Copies packages/ below `folder` and patches it back to 1.0.0; returns both packages' folders. */
export async function layDissectorVersions(folder: string): Promise<{ before: string; after: string }> {
	cpSync(join(TOP, "packages"), join(folder, "packages"), { recursive: true });
	const before = join(folder, "packages/flow-dissector");
	await run("patch", ["-p1", "-s", "-i", join(PACKAGE, "history/1.0.0.patch")], { cwd: before });
	return { before, after: PACKAGE };
}
