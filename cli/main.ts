// The command line's entry: environment, argv, wiring, exit codes. Everything else is told, never looks around.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@oclif/core";
import packageJson from "../package.json" with { type: "json" };
import { reportError, setContextFactory } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { loadConfig } from "./config.ts";
import type { Context } from "./context.ts";

// oclif finds the table here when it describes all commands.
export { COMMANDS };

const self = fileURLToPath(import.meta.url);
const top = dirname(dirname(self));
const abort = new AbortController();

/** The loader lies beside the sources (build/) or where a package put it (/usr/lib/kfn). */
function findLoader(): string {
	const candidates = [join(top, "build/kfn-load"), "/usr/lib/kfn/kfn-load"];
	return process.env["KFN_LOADER"] ?? candidates.find((path) => existsSync(path)) ?? candidates[0]!;
}

/** Beside the sources, or where a package put them. */
function findBootFiles(): string {
	const beside = join(top, "host/boot");
	return existsSync(join(beside, "systemd")) ? beside : "/usr/share/kfn/boot";
}

function makeContext(
	root: string | undefined,
	health: Context["health"],
	onStep: Context["onStep"],
): Context {
	const { env } = process;
	return {
		root: root ?? env["KFN_ROOT"] ?? "/",
		loader: findLoader(),
		bootFiles: findBootFiles(),
		env: {
			registry: env["KFN_REGISTRY"],
			token: env["KFN_TOKEN"],
			passphrase: env["KFN_PASSPHRASE"],
			signingKey: env["KFN_SIGNING_KEY"],
			fault: env["KFN_FAULT"],
		},
		health,
		stderrIsTerminal: process.stderr.isTTY === true,
		stdinIsTerminal: process.stdin.isTTY === true,
		version: packageJson.version,
		signal: abort.signal,
		onStep,
	};
}

async function main(): Promise<void> {
	const argv = process.argv.slice(2);
	setContextFactory(makeContext);
	process.once("SIGINT", () => abort.abort());
	process.once("SIGTERM", () => abort.abort());
	try {
		const program = { version: packageJson.version, top, tableFile: self, commands: COMMANDS };
		const { config, words } = await loadConfig(program, argv);
		await run(words, config);
	} catch (error) {
		reportError(error, argv.includes("--json"));
	}
}

void main();
