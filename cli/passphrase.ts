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
	context.onStep({ step: "" });
	const [first, second] = await readSilently(confirm ? [`${prompt}: `, "again: "] : [`${prompt}: `]);
	if (confirm && first !== second) {
		throw new CliError("CLI_PASSPHRASE_MISMATCH", "the two passphrases differ", {
			hint: "nothing was written",
		});
	}
	return first!;
}

/** Asks for lines on the terminal without echo; CLI_PASSPHRASE_NEEDED when the terminal ends or Ctrl-C is typed. */
async function readSilently(prompts: readonly string[]): Promise<string[]> {
	const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
	// One reader for all of them: a second one would miss what was typed ahead of its prompt.
	const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
	// The terminal is raw while it is read: Ctrl-C is a key, not a signal.
	reader.on("SIGINT", () => reader.close());
	const lines = reader[Symbol.asyncIterator]();
	try {
		const answers: string[] = [];
		for (const prompt of prompts) {
			process.stderr.write(prompt);
			const { value, done } = await lines.next();
			process.stderr.write("\n");
			if (done === true) throw new CliError("CLI_PASSPHRASE_NEEDED", "no passphrase was typed");
			answers.push(value);
		}
		return answers;
	} finally {
		reader.close();
	}
}
