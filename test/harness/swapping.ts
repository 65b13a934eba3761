// Swaps the flow dissector of a namespace again and again while traffic runs, by swap.c: BPF_LINK_UPDATE, or, as a tool without it
// must, detach and attach. Says what each swap took; whoever watches the hook says what it meant for packets.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endChild, run } from "./command.ts";
import { layDissectorVersions } from "./dissector-bundles.ts";
import type { Endpoint } from "./veth.ts";

const CLI = "node_modules/.bin/kfn";
const PAUSE_US = 20;

export type SwapMode = "update" | "reattach";

/** The tool and the objects of both versions of the flow dissector. */
export interface SwapTool {
	readonly program: string;
	readonly objects: readonly [string, string];
}

export interface Swapping extends AsyncDisposable {
	/** Swaps `count` times, and returns the nanoseconds of each. A program is attached from when this object exists. */
	swap(): Promise<number[]>;
}

export async function buildSwapTool(folder: string): Promise<SwapTool> {
	const program = join(folder, "swap");
	const source = join(import.meta.dirname, "swap.c");
	await run("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", source, "-o", program, "-lbpf"]);
	const { before, after } = await layDissectorVersions(folder);
	const objects = [
		await buildObject(folder, before, "1.0.0"),
		await buildObject(folder, after, "1.0.1"),
	] as const;
	return { program, objects };
}

async function buildObject(folder: string, source: string, version: string): Promise<string> {
	await run(CLI, ["build", source, "--out", `${folder}/`]);
	const out = join(folder, version);
	mkdirSync(out);
	await run("tar", ["--zstd", "-xf", join(folder, `flow-dissector-${version}.kfn`), "-C", out]);
	return join(out, "obj/flow_dissector.bpf.o");
}

/** Attaches the first version in the endpoint's namespace; disposing detaches whichever is there. */
export async function startSwapping(
	{ program, objects }: SwapTool,
	{ netns }: Endpoint,
	count: number,
	mode: SwapMode,
): Promise<Swapping> {
	const args = [netns.path, ...objects, String(count), String(PAUSE_US), mode];
	const child = netns.spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
	const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
	const end = async () => {
		child.stdin?.end();
		await endChild(child);
	};
	try {
		const { value } = await lines.next();
		if (value !== "attached") throw new Error(`the swap tool said ${value}, not attached`);
	} catch (error) {
		await end();
		throw error;
	}
	return {
		async swap() {
			child.stdin!.write("\n");
			return figures(lines, count);
		},
		[Symbol.asyncDispose]: end,
	};
}

async function figures(lines: AsyncIterator<string>, count: number): Promise<number[]> {
	const nanoseconds: number[] = [];
	for (let next = await lines.next(); next.value !== "done"; next = await lines.next()) {
		if (next.done) throw new Error("the swap tool ended early");
		nanoseconds.push(Number(next.value));
	}
	if (nanoseconds.length !== count) throw new Error(`${nanoseconds.length} swaps, not ${count}`);
	return nanoseconds;
}
