// `npm run package`: makes build/kfn_VERSION_ARCH.deb from what setup.sh built. Deterministic: the same inputs give the same
// bytes (times are SOURCE_DATE_EPOCH, or that of the last commit). Refuses to fetch anything.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../../package.json" with { type: "json" };
import { stagePackage } from "./stage.ts";

const { values } = parseArgs({
	options: {
		out: { type: "string", default: "build" },
		/** The root of a site's own registry, pinned by whoever installs the package. */
		"root-json": { type: "string" },
	},
});

function text(command: string, args: string[]): string {
	return execFileSync(command, args, { encoding: "utf8" }).trim();
}

/** Seconds since 1970 that every file gets. */
function sourceDate(): number {
	return Number(process.env["SOURCE_DATE_EPOCH"] ?? text("git", ["log", "-1", "--format=%ct"]));
}

const { version } = packageJson;
const architecture = text("dpkg", ["--print-architecture"]);
const folder = join(values.out, "package");
const file = join(values.out, `kfn_${version}_${architecture}.deb`);
const epoch = sourceDate();
stagePackage({ folder, version, architecture, epoch, rootJson: values["root-json"] });
// zstd: half the time of xz to unpack, and every dpkg since Debian 12 reads it.
execFileSync(
	"dpkg-deb",
	["--root-owner-group", "--threads-max=2", "-Zzstd", "-z12", "--build", folder, file],
	{
		env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
		stdio: ["ignore", "ignore", "inherit"],
	},
);
rmSync(folder, { recursive: true });
process.stdout.write(`${file}\n`);
