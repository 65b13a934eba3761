// The table flow-dissector-kernels.md: what the flow dissector costs each kernel's verifier. Refuses to be edited by hand: KFN_UPDATE=1 rewrites the rows of the kernels that were booted.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = join(import.meta.dirname, "flow-dissector-kernels.md");
const HEAD = `# The flow dissector on Debian's kernels

Each row is a kernel that \`npm run test:vm\` boots and that loads the bundle of [packages/flow-dissector](../../packages/flow-dissector) with
\`kfn-load check\`, which runs every vector of the bundle in that kernel. The verifier's effort is the kernel's own \`verified_insns\`: how many
instructions it looked at until it believed the program; the limit is a million. "All parameters" is the same program with four ports
for each of the UDP tunnels and every shape of \`patch\`.

`;
const COLUMNS = [
	"series",
	"kernel",
	"instructions",
	"verifier effort",
	"effort with all parameters",
	"vectors passed",
];

/** What a kernel said of the bundle. */
export interface EffortRow {
	readonly series: string;
	/** Debian's version of the kernel package, from `uname -v`. */
	readonly kernel: string;
	readonly instructions: number;
	readonly effort: number;
	readonly configuredEffort: number;
	readonly vectors: number;
}

/** The rows of the checked-in table. */
export function readEffort(): readonly EffortRow[] {
	const lines = readFileSync(FILE, "utf8").split("\n");
	const rows = lines.filter((line) => line.startsWith("| ")).slice(2);
	return rows.map((line): EffortRow => {
		const [series = "", kernel = "", ...numbers] = line
			.split("|")
			.slice(1)
			.map((cell) => cell.trim());
		const [instructions = 0, effort = 0, configuredEffort = 0, vectors = 0] = numbers.map((text) =>
			Number(text.replaceAll(",", "")),
		);
		return { series, kernel, instructions, effort, configuredEffort, vectors };
	});
}

/** Puts the rows in the place of those of the same series; a kernel that was not booted keeps its row. */
export function writeEffort(rows: readonly EffortRow[]): void {
	const merged = new Map([...readEffort(), ...rows].map((row) => [row.series, row]));
	const bySeries = (a: EffortRow, b: EffortRow) => a.series.localeCompare(b.series, "en", { numeric: true });
	writeFileSync(FILE, HEAD + tableOf([...merged.values()].sort(bySeries)));
}

function tableOf(rows: readonly EffortRow[]): string {
	const cells = [
		COLUMNS,
		...rows.map((row) => [row.series, row.kernel, ...numbersOf(row).map((n) => n.toLocaleString("en"))]),
	];
	const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
	const line = (row: readonly string[]) =>
		`| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
	const [head = [], ...body] = cells;
	return [head, widths.map((width) => "-".repeat(width)), ...body].map(line).join("");
}

function numbersOf(row: EffortRow): readonly number[] {
	return [row.instructions, row.effort, row.configuredEffort, row.vectors];
}
