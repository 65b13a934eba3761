// Lays out what the Debian package installs, file by file. Paths, modes and times are decided here and nowhere else.

import { execFileSync } from "node:child_process";
import {
	chmodSync,
	cpSync,
	existsSync,
	globSync,
	lstatSync,
	mkdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { commandTable } from "./command-table.ts";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions.ts";
import { manPages } from "./man-pages.ts";
import { thirdPartyLicences } from "./third-party.ts";

export interface PackageSpec {
	/** Made anew. */
	readonly folder: string;
	readonly version: string;
	readonly architecture: string;
	/** Seconds since 1970 of every file. */
	readonly epoch: number;
	/** A registry's root to bring as /usr/share/kfn/root.json; without it the operator pins one. */
	readonly rootJson: string | undefined;
}

const DEBIAN = "cli/package/debian";
const LIB = "usr/lib/kfn";

export function stagePackage(spec: PackageSpec): void {
	const { folder } = spec;
	rmSync(folder, { recursive: true, force: true });
	layPrograms(folder);
	layBootFiles(folder);
	layDocumentation(spec);
	if (spec.rootJson !== undefined) lay(folder, "usr/share/kfn/root.json", readFileSync(spec.rootJson));
	layControl(spec);
	settle(folder, spec.epoch);
}

/** The command line, the node that runs it, the loader, and the tool that asks devices. */
function layPrograms(folder: string): void {
	lay(folder, "usr/bin/kfn", readFileSync(join(DEBIAN, "kfn")), 0o755);
	lay(folder, join(LIB, "kfn-load"), readFileSync("build/kfn-load"), 0o755);
	lay(folder, join(LIB, "kfn-device"), readFileSync("build/kfn-device"), 0o755);
	for (const file of globSync("dist/*.cjs")) lay(folder, join(LIB, file), readFileSync(file));
	const node = join(folder, LIB, "node");
	execFileSync("strip", ["-o", node, "node_modules/node/bin/node"]);
	chmodSync(node, 0o755);
}

/** Units where systemd looks; and all that `kfn boot enable` lays down, where it looks for it. */
function layBootFiles(folder: string): void {
	cpSync("host/boot", join(folder, "usr/share/kfn/boot"), {
		recursive: true,
		filter: (path) => !path.endsWith(".ts"),
	});
	for (const unit of globSync("host/boot/systemd/*")) {
		lay(folder, join("usr/lib/systemd/system", unit.split("/").at(-1)!), readFileSync(unit));
	}
	// Of all timers the one that a host should not have to ask for.
	const wants = join(folder, "usr/lib/systemd/system/timers.target.wants");
	mkdirSync(wants, { recursive: true });
	symlinkSync("../kfn-recall.timer", join(wants, "kfn-recall.timer"));
}

function layDocumentation({ folder, version, epoch }: PackageSpec): void {
	const table = commandTable();
	const date = new Date(epoch * 1000).toISOString().slice(0, 10);
	for (const { file, text } of manPages(table, version, date)) {
		lay(folder, `usr/share/man/man1/${file}.gz`, gzipSync(text, { level: 9 }));
	}
	lay(folder, "usr/share/bash-completion/completions/kfn", bashCompletion(table));
	lay(folder, "usr/share/zsh/vendor-completions/_kfn", zshCompletion());
	lay(folder, "usr/share/fish/vendor_completions.d/kfn.fish", fishCompletion(table));
	lay(folder, "usr/share/doc/kfn/copyright", thirdPartyLicences());
	lay(folder, "usr/share/doc/kfn/README.md", readFileSync("README.md"));
	for (const file of globSync("docs/{formats/*,errors}.md")) {
		lay(folder, join("usr/share/doc/kfn", file.slice("docs/".length)), readFileSync(file));
	}
}

function layControl({ folder, version, architecture }: PackageSpec): void {
	const bytes = filesBelow(folder).reduce((sum, path) => sum + lstatSync(path).size, 0);
	const control = readFileSync(join(DEBIAN, "control"), "utf8")
		.replace("@VERSION@", version)
		.replace("@ARCHITECTURE@", architecture)
		.replace("@SIZE@", String(Math.ceil(bytes / 1024)));
	lay(folder, "DEBIAN/control", control);
	for (const script of ["postinst", "prerm", "postrm"]) {
		lay(folder, join("DEBIAN", script), readFileSync(join(DEBIAN, script)), 0o755);
	}
}

function lay(folder: string, path: string, bytes: string | Uint8Array, mode = 0o644): void {
	const full = join(folder, path);
	mkdirSync(dirname(full), { recursive: true });
	writeFileSync(full, bytes);
	chmodSync(full, mode);
}

function filesBelow(folder: string): string[] {
	return globSync("**/*", { cwd: folder })
		.map((path) => join(folder, path))
		.filter((path) => lstatSync(path).isFile());
}

/** One time for everything, and folders that anybody may enter, whatever the umask. */
function settle(folder: string, epoch: number): void {
	const folders = globSync("**/*", { cwd: folder })
		.map((path) => join(folder, path))
		.filter((path) => lstatSync(path).isDirectory());
	for (const path of [folder, ...folders]) chmodSync(path, 0o755);
	for (const path of [...filesBelow(folder), ...folders, folder]) {
		if (existsSync(path)) utimesSync(path, epoch, epoch);
	}
}
