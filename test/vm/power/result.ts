// The table power-cuts.md: what the last long run of power cuts met. Refuses to be edited by hand: KFN_UPDATE=1 with KFN_POWER_CUTS rewrites it.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { STEPS } from "./moment.ts";

const FILE = join(import.meta.dirname, "../power-cuts.md");

/** What a run met. A cut is within a change from the change's first step until the change has ended. */
export interface PowerResult {
	cuts: number;
	/** Within a change, by the step that had begun last. */
	readonly within: Map<string, number>;
	/** Of these, those that left a journal: what was changed had to be taken back, or completed. */
	journals: number;
	changes: number;
}

export const noCuts = (): PowerResult => ({ cuts: 0, within: new Map(), journals: 0, changes: 0 });

/** In the order of the change. */
function stepsOf(result: PowerResult): [string, number][] {
	const order = ["verify", ...STEPS, "purge"];
	return [...result.within].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
}

export function within(result: PowerResult): number {
	return [...result.within.values()].reduce((sum, n) => sum + n, 0);
}

export function addResult(to: PowerResult, from: PowerResult): void {
	to.cuts += from.cuts;
	to.journals += from.journals;
	to.changes += from.changes;
	for (const [step, n] of from.within) to.within.set(step, (to.within.get(step) ?? 0) + n);
}

/** One line for the test's own output. */
export function lineOf(result: PowerResult): string {
	const steps = stepsOf(result)
		.map(([step, n]) => `${step} ${n}`)
		.join(", ");
	return `${result.cuts} power cuts, ${within(result)} within a change (${steps}), ${result.journals} with a journal on disk; ${result.changes} changes done`;
}

/** Writes the result of this run, with the commit whose code ran. */
export function writeResult(result: PowerResult, release: string, seconds: number): void {
	const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
	const commit = `${git("rev-parse", "--short=12", "HEAD")}${git("status", "--porcelain", "--", "host", "signing", "bundle") === "" ? "" : " and changes"}`;
	const date = new Date().toISOString().slice(0, 10);
	const steps = stepsOf(result).map(([step, n]) => `| ${step.padEnd(9)} | ${String(n).padStart(4)} |`);
	writeFileSync(
		FILE,
		`# Power cuts: the last long run

\`KFN_POWER_CUTS=200 KFN_UPDATE=1 npx vitest run --config test/vm/vitest.config.ts power\` writes this page. After each cut the machine booted, ran exactly one
complete generation, and every byte of its store was the signed one; the run fails at the first cut after which that is not so.

${date}, commit ${commit}, Debian's ${release}: ${result.cuts} cuts in ${Math.round(seconds)} s, ${within(result)} of them within a change, ${result.journals} with a journal on disk; ${result.changes} changes came to their end.

| cut in    | cuts |
| --------- | ---- |
${steps.join("\n")}
| no change | ${String(result.cuts - within(result)).padStart(4)} |
`,
	);
}
