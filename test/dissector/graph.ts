// The parse graph of the dissector, read out of its C: which header leads where. Refuses what it cannot read for certain:
// a dissect_…() that no switch names, a switch that names none.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "./vectors.ts";

/** A function dissect_NAME(), with the first sentence of its comment. */
export interface GraphNode {
	readonly name: string;
	readonly title: string;
	/** What names it: ethertypes or IP protocols, without their prefixes. */
	readonly keys: readonly string[];
	readonly reachedBy: "ethertype" | "ip protocol" | "udp port";
	readonly leadsTo: readonly ("ethertype" | "ip protocol" | "ports" | "end" | "C dissector")[];
}

const FUNCTION =
	/\/\*((?:(?!\*\/)[\s\S])*)\*\/\nstatic __always_inline enum step dissect_(\w+)\([^)]*\)\n\{\n([\s\S]*?)\n\}\n/g;

/** Every header of the graph, in the order of the switches in flow_dissector.bpf.c. */
export function readGraph(): readonly GraphNode[] {
	const folder = join(packageFolder, "src");
	const main = readFileSync(join(folder, "flow_dissector.bpf.c"), "utf8");
	const bodies = new Map<string, { comment: string; body: string }>();
	for (const file of readdirSync(folder).filter((name) => name.endsWith(".h"))) {
		for (const [, comment = "", name = "", body = ""] of readFileSync(join(folder, file), "utf8").matchAll(
			FUNCTION,
		)) {
			bodies.set(name, { comment, body });
		}
	}
	const node = (reachedBy: GraphNode["reachedBy"], keys: readonly string[], name: string): GraphNode => {
		const found = bodies.get(name);
		if (found === undefined) throw new Error(`dissect_${name}() is nowhere in src/`);
		bodies.delete(name);
		return { name, keys, reachedBy, title: titleOf(found.comment), leadsTo: exitsOf(found.body) };
	};
	const ethertypes = casesOf(main, "dissect_ethertype").map(([keys, name]) => node("ethertype", keys, name));
	const protocols = casesOf(main, "dissect_ip_proto").map(([keys, name]) => node("ip protocol", keys, name));
	const udp = readFileSync(join(folder, "udp_tunnel.h"), "utf8");
	const ports = [...udp.matchAll(/LISTS_PORT\((\w+), port\)\)\n\t\tstep = dissect_(\w+)/g)].map(
		([, list = "", name = ""]) => node("udp port", [list.toLowerCase()], name),
	);
	if (bodies.size > 0) throw new Error(`no switch leads to ${[...bodies.keys()]}`);
	return [...ethertypes, ...protocols, ...ports];
}

function casesOf(source: string, dispatcher: string): readonly (readonly [readonly string[], string])[] {
	const start = source.indexOf(`enum step ${dispatcher}(`);
	const body = source.slice(start, source.indexOf("\n}\n", start));
	const cases = [...body.matchAll(/((?:\tcase [^:]+:\n)+)\t\treturn dissect_(\w+)\(d\);/g)];
	if (start === -1 || cases.length === 0) throw new Error(`${dispatcher}() has no cases`);
	return cases.map(([, labels = "", name = ""]) => [
		[...labels.matchAll(/(?:ETH_P|NEXTHDR|IPPROTO)_(\w+)/g)].map(([, key = ""]) => key),
		name,
	]);
}

function titleOf(comment: string): string {
	const text = comment.replaceAll(/\n \* ?/g, " ").trim();
	return text.split(/(?<=[a-z0-9])[.:;]( |$)/)[0]!.trim();
}

function exitsOf(body: string): GraphNode["leadsTo"] {
	const exits: [RegExp, GraphNode["leadsTo"][number]][] = [
		[/STEP_ETHERTYPE|followed_by\(/, "ethertype"],
		[/STEP_IP_PROTO|return fragment\(/, "ip protocol"],
		[/STEP_PORTS/, "ports"],
		[/STEP_UNKNOWN/, "C dissector"],
	];
	const found = exits.filter(([pattern]) => pattern.test(body)).map(([, exit]) => exit);
	return found.length === 0 || /return STEP_GOOD/.test(body) ? [...found, "end"] : found;
}
