// Where a passphrase comes from: the environment, or a terminal without echo. Refuses to take one from a flag, where
// every process on the machine could read it.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";

/** Asks for the passphrase of a key; twice when a new one is set. */
export async function askPassphrase(context: Context, prompt: string, confirm: boolean): Promise<string> {
	if (context.env.passphrase !== undefined) return context.env.passphrase;
	if (!context.stdinIsTerminal || !context.stderrIsTerminal) {
		throw new CliError("CLI_PASSPHRASE_NEEDED", `${prompt}: no terminal to ask on`, {
			hint: "set KFN_PASSPHRASE, or in CI give the key itself in KFN_SIGNING_KEY",
		});
	}
	const first = await readSilently(`${prompt}: `);
	if (confirm && (await readSilently("again: ")) !== first) {
		throw new CliError("CLI_PASSPHRASE_MISMATCH", "the two passphrases differ", {
			hint: "nothing was written",
		});
	}
	return first;
}

function readSilently(prompt: string): Promise<string> {
	process.stderr.write(prompt);
	const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
	const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
	return new Promise((resolve) => {
		lines.question("", (answer) => {
			lines.close();
			process.stderr.write("\n");
			resolve(answer);
		});
	});
}
