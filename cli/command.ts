// The base of every command: common flags, one way to print a result, one way to fail. Refuses to hold logic: a
// command parses flags and calls one op.

import { Command, Flags } from "@oclif/core";
import type { Context } from "./context.ts";
import { describeError } from "./errors.ts";
import { type LeftOpen, openLine } from "./output/hold.ts";
import { type Progress, startProgress } from "./progress.ts";

/** What an op returns: the document of --json, and the same for a human. */
export interface Output {
	readonly json: unknown;
	/** Text for a terminal, without the final newline; empty prints nothing. */
	readonly text: string;
	/** Exit code when the op answers with a finding instead of an error (0 unless given). */
	readonly exit?: number;
}

let makeContext:
	| ((root: string | undefined, health: Context["health"], onStep: Context["onStep"]) => Context)
	| undefined;

/** main.ts hands over how a context is made; commands never look at the environment themselves. */
export function setContextFactory(factory: NonNullable<typeof makeContext>): void {
	makeContext = factory;
}

export abstract class KfnCommand extends Command {
	static override baseFlags = {
		json: Flags.boolean({ description: "print one JSON document on stdout", helpGroup: "GLOBAL" }),
		root: Flags.directory({
			description: "folder under which /etc/kfn, /var/lib/kfn and /sys/fs/bpf/kfn lie [env: KFN_ROOT]",
			helpGroup: "GLOBAL",
		}),
	};

	#progress: Progress | undefined;

	/** Parses flags, calls one op, returns its output. */
	protected abstract perform(): Promise<Output>;

	protected context(flags: {
		root?: string | undefined;
		"health-window"?: string | undefined;
		"health-check"?: string | undefined;
		channel?: string | undefined;
	}): Context {
		if (makeContext === undefined) throw new Error("no context factory: main.ts was not run");
		this.#progress ??= startProgress(process.stderr);
		const progress = this.#progress;
		const health = { window: flags["health-window"], check: flags["health-check"] };
		const context = makeContext(flags.root, health, (step) => progress.step(step));
		return { ...context, channel: flags.channel };
	}

	async run(): Promise<void> {
		try {
			const output = await this.perform();
			this.#progress?.stop();
			if (this.#wantsJson()) process.stdout.write(`${JSON.stringify(output.json, null, 2)}\n`);
			else if (output.text !== "") process.stdout.write(`${output.text}\n`);
			process.exitCode = output.exit ?? 0;
		} catch (error) {
			this.#progress?.stop();
			reportError(error, this.#wantsJson());
		}
	}

	/** Read from argv, because a usage error is thrown before flags are parsed. */
	#wantsJson(): boolean {
		const end = this.argv.indexOf("--");
		return (end < 0 ? this.argv : this.argv.slice(0, end)).includes("--json");
	}
}

/** Prints an error as design §10 says and sets the exit code; never throws. */
export function reportError(error: unknown, json: boolean): void {
	const { document, exit } = describeError(error);
	process.exitCode = exit;
	if (json) {
		process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
		return;
	}
	const { code, message, hint, details } = document.error;
	process.stderr.write(`kfn: ${message} [${code}]\n`);
	if (hint !== undefined) process.stderr.write(`hint: ${hint}\n`);
	// An upgrade that failed: exposure is never silent.
	for (const open of (details["leavesOpen"] ?? []) as LeftOpen[]) process.stderr.write(`${openLine(open)}\n`);
}
