// docs/graph.svg of the package is drawn from the C as it is now. KFN_UPDATE=1 redraws it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readGraph } from "./graph.ts";
import { drawGraph } from "./graph-svg.ts";
import { packageFolder } from "./vectors.ts";

const file = join(packageFolder, "docs/graph.svg");

test("docs/graph.svg is the graph of the source", () => {
	const drawn = drawGraph(readGraph());
	if (process.env["KFN_UPDATE"] === "1") {
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, drawn);
	}
	expect(readFileSync(file, "utf8")).toBe(drawn);
});

test("the graph leads where the RFCs do", () => {
	const exits = Object.fromEntries(readGraph().map(({ name, leadsTo }) => [name, leadsTo]));
	expect(exits).toMatchObject({
		ipv4: ["ip protocol"],
		vlan: ["ethertype"],
		pppoe: ["ethertype", "end"],
		gre: ["ethertype", "end"],
		mpls: ["end"],
		tipc: ["C dissector"],
		ipv6_opt: ["ip protocol", "end"],
	});
});
