// npm run bench -- [NAME…] [--json]: runs benchmarks and prints ratios, ours ÷ peer, both measured in the same run.
// Never gates on a time: a benchmark fails only when what it measures went wrong.

import { parseArgs } from "node:util";
import { type BenchRow, ratioOf } from "./row.ts";

const BENCHES: Record<string, () => Promise<{ run(report: (row: BenchRow) => void): Promise<void> }>> = {
	startup: () => import("./startup.ts"),
	install: () => import("./install.ts"),
	swap: () => import("./swap.ts"),
	dissector: () => import("./dissector.ts"),
	tso: () => import("./tso.ts"),
	gro: () => import("./gro.ts"),
	boot: () => import("./boot.ts"),
	trust: () => import("./trust.ts"),
};

function show(row: BenchRow, json: boolean): void {
	const ratio = ratioOf(row);
	if (json) {
		process.stdout.write(`${JSON.stringify({ ...row, ratio })}\n`);
		return;
	}
	const peer = row.peer === undefined ? "" : `  ${row.peerName} ${row.peer}  ratio ${ratio}`;
	const note = row.note === undefined ? "" : `  (${row.note})`;
	process.stdout.write(`${row.bench} / ${row.case}: ${row.ours} ${row.metric}${peer}${note}\n`);
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
	process.stderr.write(
		`no benchmark called ${unknown.join(", ")}; there are: ${Object.keys(BENCHES).join(", ")}\n`,
	);
	process.exit(2);
}
for (const name of names) {
	const { run } = await BENCHES[name]!();
	await run((row) => show(row, values.json === true));
}
