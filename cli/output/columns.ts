// Plain columns for a terminal: left-aligned, two spaces between, nothing after the last. Every cell is made printable.

import { printable } from "../printable.ts";

/** Lays rows out in columns as wide as their widest cell; returns lines joined by \n. */
export function columns(rows: readonly (readonly string[])[]): string {
	const cells = rows.map((row) => row.map((cell) => printable(cell).replaceAll("\n", " ")));
	const widths: number[] = [];
	for (const row of cells)
		for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
	const line = (row: string[]) =>
		row
			.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
			.join("  ")
			.trimEnd();
	return cells.map(line).join("\n");
}
