// How long `kfn status` takes against the floor of its runtime, `node -e 0`: whole processes, alternating.

import { execFileSync } from "node:child_process";
import { openRoot } from "../harness/root.ts";
import { type BenchRow, median, round } from "./row.ts";

const RUNS = 41;

function milliseconds(command: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
	const start = process.hrtime.bigint();
	execFileSync(command, args, { env, stdio: "ignore" });
	return Number(process.hrtime.bigint() - start) / 1e6;
}

export async function run(report: (row: BenchRow) => void): Promise<void> {
	await using root = await openRoot("bench-startup");
	const env = { ...process.env, KFN_ROOT: root.path };
	const ours: number[] = [];
	const peer: number[] = [];
	for (let i = -2; i < RUNS; i++) {
		const kfn = milliseconds("node_modules/.bin/kfn", ["status"], env);
		const node = milliseconds("node_modules/.bin/node", ["-e", "0"], env);
		if (i < 0) continue;
		ours.push(kfn);
		peer.push(node);
	}
	report({
		bench: "startup",
		case: "status",
		metric: "ms",
		ours: round(median(ours)),
		peer: round(median(peer)),
		peerName: "node -e 0",
		runs: RUNS,
	});
}
