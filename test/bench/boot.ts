// Boot loading for 1, 10 and 50 namespaces: `kfn-load boot` with the flow dissector against a shell script of bpftool, which loads the
// same object once, attaches it in each, and verifies nothing of it. Time, peak memory, and what stays afterwards, which is no process.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { run as runCommand } from "../harness/command.ts";
import { type NetworkNamespace, openNamespace } from "../harness/namespace.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { type BenchRow, median, round } from "./row.ts";

const SCOPES = [1, 10, 50];
const RUNS = 5;
const CLI = "node_modules/.bin/kfn";
const LOADER = "build/kfn-load";
const PEER = "bpftool prog load, attach in a shell script";

interface World {
	readonly root: KfnRoot;
	readonly object: string;
	/** native/measure.c, built. */
	readonly tool: string;
}

interface Sample {
	readonly ms: number;
	readonly kib: number;
}

export async function run(report: (row: BenchRow) => void): Promise<void> {
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-boot-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const root = stack.use(await openRoot("bench-boot"));
	const namespaces: NetworkNamespace[] = [];
	for (let n = 0; n < Math.max(...SCOPES); n++) namespaces.push(stack.use(await openNamespace("bench-boot")));
	const object = await install(folder, root, namespaces[0]!);
	const tool = await buildTool(folder);
	for (const count of SCOPES) {
		for (const row of await compare({ root, object, tool }, namespaces.slice(0, count))) report(row);
	}
}

/** Installs the flow dissector for real, so that the plan is the command line's own; returns its object. */
async function install(folder: string, root: KfnRoot, namespace: NetworkNamespace): Promise<string> {
	const env = {
		...process.env,
		KFN_ROOT: root.path,
		KFN_PASSPHRASE: "of a key that lives for one benchmark",
	};
	const kfn = (...args: string[]) => runCommand(CLI, args, { env });
	const key = join(folder, "publisher.key");
	const archive = join(folder, "flow-dissector-1.0.1.kfn");
	await kfn("key", "generate", "--out", key);
	await kfn("build", "packages/flow-dissector", "--key", key, "--out", `${folder}/`);
	await kfn("trust", "add", "flow-dissector", "--key", `${key}.pub`);
	await kfn("install", archive, "--scope", `netns:${namespace.path}`);
	await runCommand("tar", ["--zstd", "-xf", archive, "-C", folder]);
	return join(folder, "obj/flow_dissector.bpf.o");
}

async function compare(world: World, namespaces: readonly NetworkNamespace[]): Promise<BenchRow[]> {
	planFor(world.root, namespaces);
	const [ours, peer]: [Sample[], Sample[]] = [[], []];
	for (let i = 0; i < RUNS; i++) {
		ours.push(await loadOurs(world, namespaces.length));
		peer.push(await loadPeer(world, namespaces));
	}
	const base = { bench: "boot", case: `${namespaces.length} scopes`, peerName: PEER, runs: RUNS };
	const middle = (samples: readonly Sample[], field: keyof Sample) =>
		round(median(samples.map((s) => s[field])));
	return [
		{ ...base, metric: "ms", ours: middle(ours, "ms"), peer: middle(peer, "ms") },
		{ ...base, metric: "KiB peak", ours: middle(ours, "kib"), peer: middle(peer, "kib") },
		{ bench: "boot", case: base.case, metric: "processes afterwards", ours: processesLeft() },
	];
}

/** The installed function for each of the namespaces, as one generation. */
function planFor(root: KfnRoot, namespaces: readonly NetworkNamespace[]): void {
	const n = 100 + namespaces.length;
	const [installed] = JSON.parse(readFileSync(join(root.state, "generations/1/plan.json"), "utf8")).functions;
	const scopes = namespaces.map(({ path }) => `netns:${path}`).sort();
	const functions = scopes.map((scope) => ({ ...installed, scope }));
	const head = {
		schema: "kfn.plan/1",
		generation: n,
		created: "2026-11-29T00:00:00.000Z",
		reason: "a benchmark",
	};
	mkdirSync(join(root.state, "generations", String(n)));
	writeFileSync(
		join(root.state, "generations", String(n), "plan.json"),
		JSON.stringify({ ...head, functions }),
	);
	rmSync(join(root.state, "current"));
	symlinkSync(`generations/${n}`, join(root.state, "current"));
}

async function buildTool(folder: string): Promise<string> {
	const tool = join(folder, "measure");
	const source = join(import.meta.dirname, "native/measure.c");
	await runCommand("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", source, "-o", tool]);
	return tool;
}

async function measured(tool: string, command: readonly string[]): Promise<Sample> {
	const { stdout } = await runCommand(tool, command, { timeoutMs: 300_000 });
	const [ms = Number.NaN, kib = Number.NaN] = stdout.trim().split(" ").map(Number);
	return { ms, kib };
}

async function loadOurs({ root, tool }: World, count: number): Promise<Sample> {
	rmSync(root.pins, { recursive: true, force: true });
	const sample = await measured(tool, [LOADER, "--root", root.path, "boot"]);
	const record = JSON.parse(readFileSync(join(root.path, "run/kfn/boot/system.json"), "utf8"));
	const attached = record.functions.filter((entry: { step: string }) => entry.step === "attach").length;
	if (attached !== count) throw new Error(`${attached} functions were attached, not ${count}`);
	rmSync(root.pins, { recursive: true });
	return sample;
}

async function loadPeer(
	{ root, object, tool }: World,
	namespaces: readonly NetworkNamespace[],
): Promise<Sample> {
	const pins = join(root.bpffs, "peer");
	mkdirSync(pins);
	const each =
		(verb: string) =>
		({ name }: NetworkNamespace) =>
			`ip netns exec ${name} bpftool prog ${verb} pinned ${pins}/peer flow_dissector`;
	const load = `bpftool prog load ${object} ${pins}/peer type flow_dissector`;
	const lines = [load, ...namespaces.map(each("attach"))];
	const sample = await measured(tool, ["sh", "-euc", lines.join("\n")]);
	execFileSync("sh", ["-euc", namespaces.map(each("detach")).join("\n")], { stdio: "ignore" });
	rmSync(pins, { recursive: true });
	return sample;
}

function processesLeft(): number {
	return execFileSync("ps", ["-eo", "comm="], { encoding: "utf8" })
		.split("\n")
		.filter((name) => name === "kfn-load").length;
}
