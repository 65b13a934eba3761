// The copyright file of the package: our licences, node's, and those of the npm packages that are bundled into the command line.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockEntry {
	readonly version?: string;
	readonly license?: string;
	readonly dev?: boolean;
	readonly optional?: boolean;
}

/** Debian's machine-readable head, then the texts, in the order of names. */
export function thirdPartyLicences(): string {
	const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
		packages: Record<string, LockEntry>;
	};
	const bundled = Object.entries(lock.packages)
		.filter(([path, entry]) => path !== "" && entry.dev !== true && existsSync(path))
		.sort(([a], [b]) => (a < b ? -1 : 1));
	return [
		"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
		"Upstream-Name: kfn",
		"",
		"Files: *",
		"Copyright: the kfn authors",
		"License: Apache-2.0",
		" On Debian systems: /usr/share/common-licenses/Apache-2.0",
		"",
		...bundled.map(([path, entry]) => licenceOf(path, entry)),
	].join("\n");
}

function licenceOf(path: string, { version, license }: LockEntry): string {
	const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
	const file = globSync(["LICEN[SC]E*", "licen[sc]e*", "COPYING*"], { cwd: path }).sort()[0];
	const text = file === undefined ? "" : readFileSync(join(path, file), "utf8").trim();
	const indented = text.split("\n").map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
	return [
		`Files: ${name === "node" || name.startsWith("node-") ? "/usr/lib/kfn/node" : "/usr/lib/kfn/dist/*"}`,
		`Comment: ${name} ${version ?? ""}`,
		"Copyright: see the text",
		`License: ${license ?? "see the text"}`,
		...(text === "" ? [] : indented),
		"",
	].join("\n");
}
