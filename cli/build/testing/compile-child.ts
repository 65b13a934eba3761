// For tests only: a process that drops to another user, then compiles one unit or runs a program in the compiler's place,
// and prints what came of it as JSON. Product code never imports it.

import { SAMPLE_FLAGS } from "#bundle/testing/sample.ts";
import { compileUnits, findCompiler } from "../compile.ts";
import { findProgram, openWorkplace } from "../jail.ts";
import { sourcesOf, UNIT } from "./outside.ts";

export interface Order {
	/** Become this user first; everything is imported by then, so that a checkout that only root can read will do. */
	readonly uid?: number;
	readonly demand: "jail" | "rules";
	readonly text: string;
	/** Instead of compiling: this program stands where the compiler would. */
	readonly program?: readonly [string, ...string[]];
}

export interface Outcome {
	readonly code?: string;
	readonly reason?: string;
	readonly stdout?: string;
	readonly objectBytes?: number;
	readonly unjailed?: string | undefined;
}

async function perform({ demand, text, program }: Order): Promise<Outcome> {
	const sources = sourcesOf(text);
	if (program === undefined) {
		const { objects, unjailed } = await compileUnits(
			await findCompiler(),
			SAMPLE_FLAGS,
			[UNIT],
			sources,
			demand,
		);
		return { objectBytes: objects.get(UNIT.object)!.byteLength, unjailed };
	}
	const [name, ...args] = program;
	await using workplace = await openWorkplace(await findProgram(name), sources, demand);
	const { stdout, stderr } = await workplace.run(args);
	return { stdout: stdout.toString() + stderr, unjailed: workplace.unjailed };
}

const order = JSON.parse(process.argv[2]!) as Order;
if (order.uid !== undefined) {
	process.setgroups!([]);
	process.setgid!(order.uid);
	process.setuid!(order.uid);
}
const outcome = await perform(order).catch((error): Outcome => ({ code: error.code, reason: error.message }));
process.stdout.write(JSON.stringify(outcome));
