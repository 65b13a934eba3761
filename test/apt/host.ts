// A throw-away system for apt: a folder with its own sources, package database and files. Refuses to read or write the machine's own apt and dpkg state, hooks included.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { refuseWithoutRoot, requireTools } from "../harness/feature.ts";
import type { AptRepository } from "./repository.ts";

/** A folder that apt and dpkg take for the whole system. */
export interface AptHost extends AsyncDisposable {
	/** Installed files are below it. */
	readonly path: string;
	/** `apt-get update`: fetches the signed index and verifies it. */
	update(): Promise<CommandResult>;
	/** `apt-get install`, of the newest version unless one is named: downloads, verifies, unpacks durably. */
	install(name: string, version?: string): Promise<CommandResult>;
	/** `apt-get clean`: forgets downloaded packages; with `index`, the verified index too, as on a new machine. */
	clean(options?: { index?: boolean }): Promise<void>;
	/** `apt-get purge`. */
	purge(name: string): Promise<CommandResult>;
	/** Version that the host's own database holds as installed. */
	installed(name: string): Promise<string | undefined>;
}

/** Makes an empty host that knows one repository; needs root, as dpkg does. */
export async function openAptHost(repository: Pick<AptRepository, "source">): Promise<AptHost> {
	refuseWithoutRoot("installing with apt");
	requireTools("apt-get", "dpkg", "dpkg-query");
	const path = mkdtempSync(join(tmpdir(), `kfn-apt-host-${process.pid}-`));
	const undo = registerUndo(`apt host ${path}`, () => rmSync(path, { recursive: true, force: true }));
	const config = layOut(path, repository.source);
	// APT_CONFIG is read before all other configuration, so it decides where the rest is read from.
	const env = {
		PATH: process.env["PATH"],
		LC_ALL: "C.UTF-8",
		DEBIAN_FRONTEND: "noninteractive",
		APT_CONFIG: config,
	};
	const apt = (...args: string[]) => run("apt-get", ["-y", "-qq", ...args], { env });
	return {
		path,
		update: () => apt("update"),
		install: (name, version) =>
			apt("install", "--no-install-recommends", version ? `${name}=${version}` : name),
		async clean(options = {}) {
			await apt("clean");
			if (options.index !== true) return;
			rmSync(join(path, "var/lib/apt/lists"), { recursive: true });
			mkdirSync(join(path, "var/lib/apt/lists/partial"), { recursive: true });
		},
		purge: (name) => apt("purge", name),
		async installed(name) {
			const args = [`--admindir=${path}/var/lib/dpkg`, "-W", "-f", `\${db:Status-Abbrev} \${Version}`, name];
			const { stdout } = await run("dpkg-query", args, { allowFailure: true });
			return /^ii +(\S+)$/.exec(stdout)?.[1];
		},
		async [Symbol.asyncDispose]() {
			undo.run();
		},
	};
}

function layOut(path: string, source: string): string {
	const folders = ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/log/apt"];
	folders.push(
		"var/cache/apt/archives/partial",
		"var/lib/dpkg/info",
		"var/lib/dpkg/updates",
		"var/lib/dpkg/triggers",
	);
	for (const folder of folders) mkdirSync(join(path, folder), { recursive: true });
	for (const file of ["status", "available"]) writeFileSync(join(path, "var/lib/dpkg", file), "");
	writeFileSync(join(path, "etc/apt/sources.list"), `${source}\n`);
	const config = join(path, "etc/apt/apt.conf");
	const lines = [
		`Dir "${path}/";`,
		`Dir::State::status "${path}/var/lib/dpkg/status";`,
		`DPkg::Options { "--root=${path}"; };`,
		// The folder is root's alone; apt's own user could not read it.
		'APT::Sandbox::User "root";',
		'Acquire::Languages "none";',
	];
	writeFileSync(config, `${lines.join("\n")}\n`);
	return config;
}
