// Draws the parse graph as SVG, the same bytes for the same graph. Refuses to lay out anything but this graph's three rows.
import type { GraphNode } from "./graph.ts";

const WIDTH = 1180;
const BOX = { width: 214, height: 62, gap: 16 };
const PER_ROW = 5;
const COLOURS = {
	ethertype: "#1f6f8b",
	"ip protocol": "#7a4b94",
	ports: "#2e7d32",
	end: "#5f6368",
	"C dissector": "#b3541e",
} as const;

const ROWS = [
	["ethertype", "by ethertype"],
	["ip protocol", "by IP protocol"],
	["udp port", "by configured UDP port"],
] as const;

/** A band for each way to be reached; a box for each header; a coloured mark for each way on. */
export function drawGraph(nodes: readonly GraphNode[]): string {
	const parts: string[] = [];
	let y = 64;
	for (const [reachedBy, label] of ROWS) {
		const row = nodes.filter((node) => node.reachedBy === reachedBy);
		const lines = Math.ceil(row.length / PER_ROW);
		const height = 40 + lines * (BOX.height + BOX.gap);
		const colour = reachedBy === "udp port" ? COLOURS["ip protocol"] : COLOURS[reachedBy];
		parts.push(
			`<rect x="10" y="${y}" width="${WIDTH - 20}" height="${height}" rx="8" fill="${colour}" opacity="0.08"/>`,
		);
		parts.push(`<text x="24" y="${y + 24}" font-weight="bold" fill="${colour}">${label}</text>`);
		row.forEach((node, index) => {
			const x = 24 + (index % PER_ROW) * (BOX.width + BOX.gap);
			parts.push(box(node, x, y + 36 + Math.floor(index / PER_ROW) * (BOX.height + BOX.gap)));
		});
		y += height + 26;
	}
	const legend = Object.entries(COLOURS).map(([exit, colour], index) => {
		const x = 150 + index * 200;
		return `<circle cx="${x}" cy="${y}" r="6" fill="${colour}"/><text x="${x + 14}" y="${y + 5}">${exit}</text>`;
	});
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 24}" font-family="sans-serif" font-size="13">`,
		"<title>Parse graph of the flow dissector</title>",
		`<rect width="${WIDTH}" height="${y + 24}" fill="#fff"/>`,
		'<text x="24" y="36" font-size="18">What names a header, and where it leads</text>',
		...parts,
		`<text x="24" y="${y + 5}">leads to</text>`,
		...legend,
		"</svg>",
		"",
	].join("\n");
}

function box(node: GraphNode, x: number, y: number): string {
	const [name, ...spec] = node.title.split(/, (?=RFC|IEEE|IEC|INCITS|draft|the )/);
	const marks = node.leadsTo.map(
		(exit, index) =>
			`<circle cx="${x + BOX.width - 12 - index * 16}" cy="${y + 12}" r="5" fill="${COLOURS[exit]}"><title>${exit}</title></circle>`,
	);
	return [
		`<g><title>dissect_${node.name}(): ${escaped(node.title)}</title>`,
		`<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="5" fill="#fff" stroke="#9aa0a6"/>`,
		`<text x="${x + 8}" y="${y + 17}" font-weight="bold">${escaped(clipped(name!, 21))}</text>`,
		`<text x="${x + 8}" y="${y + 36}" font-size="11" fill="#5f6368">${escaped(clipped(spec.join(", "), 36))}</text>`,
		`<text x="${x + 8}" y="${y + 53}" font-size="11" font-family="monospace">${escaped(clipped(node.keys.join(" "), 30))}</text>`,
		...marks,
		"</g>",
	].join("");
}

function clipped(text: string, length: number): string {
	return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
