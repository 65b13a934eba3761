// Runs the real command line for the demo, showing each command and what it answered.

import { type CommandResult, run } from "../harness/command.ts";
import { command, demand, output } from "./show.ts";

export interface Kfn {
	/** Runs a command and shows it; throws unless it exits with `exit` (0 unless given). */
	show(args: readonly string[], exit?: number): Promise<CommandResult>;
	/** Runs a command silently and parses its --json document. */
	json<T>(args: readonly string[]): Promise<T>;
	readonly env: NodeJS.ProcessEnv;
}

/** The command line with `env` over the caller's environment, run in `cwd`. */
export function kfnIn(cwd: string, binary: string, env: NodeJS.ProcessEnv): Kfn {
	const all = { ...process.env, ...env };
	return {
		env: all,
		async show(args, exit = 0) {
			command(`kfn ${args.map(quoted).join(" ")}`);
			const answer = await run(binary, args, { cwd, env: all, allowFailure: true });
			if (answer.stdout !== "") output(answer.stdout);
			if (answer.stderr !== "") output(answer.stderr);
			demand(answer.code === exit, `kfn ${args[0]} exited with ${answer.code}, not ${exit}`);
			return answer;
		},
		async json<T>(args: readonly string[]) {
			const { stdout } = await run(binary, [...args, "--json"], { cwd, env: all });
			return JSON.parse(stdout) as T;
		},
	};
}

function quoted(word: string): string {
	return /^[\w@./:=^-]+$/.test(word) ? word : `'${word}'`;
}
