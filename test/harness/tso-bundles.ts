// The two versions of packages/tso that a device's firmware and a host go through: 1.0.0 is the package, 1.0.1 the package with a
// fix that changes what it does, and so its tag. Refuses to patch what it does not find.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const TOP = join(import.meta.dirname, "../..");

/** TCP_MIN_SND_MSS (include/net/tcp.h): the patched version leaves smaller segments to the kernel. */
export const MSS_MIN = 48;

const PATCHES = [
	["kfn.package.json", '"version": "1.0.0"', '"version": "1.0.1"'],
	["src/superpacket.h", "p->payload_len <= mss ||", `p->payload_len <= mss || mss < ${MSS_MIN} ||`],
	[
		"CHANGELOG.md",
		"## 1.0.0",
		`## 1.0.1\n\nSegments of less than ${MSS_MIN} bytes are left alone.\n\n## 1.0.0`,
	],
] as const;

/** Copies packages/ below `folder` and patches it to 1.0.1; returns both packages' folders. */
export function layTsoVersions(folder: string): { before: string; after: string } {
	cpSync(join(TOP, "packages"), join(folder, "packages"), { recursive: true });
	const after = join(folder, "packages/tso");
	for (const [path, from, to] of PATCHES) {
		const file = join(after, path);
		const text = readFileSync(file, "utf8");
		if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
		writeFileSync(file, text.replace(from, to));
	}
	return { before: join(TOP, "packages/tso"), after };
}
