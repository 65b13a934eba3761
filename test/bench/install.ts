// `kfn install` from a local registry with nothing in any cache, against `apt-get install` of a package with the same files
// from a local signed repository: whole processes, alternating. kfn also loads, runs every vector and attaches; apt only
// unpacks. kfn reads its index at each install, so there are two peers: apt with its verified index at hand, and apt with
// the `apt-get update` that a new machine needs first. Without the health window, which waits for traffic, not for work:
// each row says so, as a host that nobody configured takes a second more.

import { readFileSync } from "node:fs";
import { readArchive } from "#bundle/archive.ts";
import { openAptHost } from "../apt/host.ts";
import { openAptRepository } from "../apt/repository.ts";
import { openHostWorld } from "../kernel/world.ts";
import { type BenchRow, median, round } from "./row.ts";

const RUNS = 11;

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
	const start = process.hrtime.bigint();
	await work();
	return Number(process.hrtime.bigint() - start) / 1e6;
}

export async function run(report: (row: BenchRow) => void): Promise<void> {
	await using world = await openHostWorld("bench-install");
	const entries = await readArchive(readFileSync(`${world.folder}/flow-dissector-1.0.1.kfn`));
	const files = Object.fromEntries(
		entries.map(({ path, bytes }) => [`/usr/lib/flow-dissector/${path}`, bytes]),
	);
	await using repository = await openAptRepository([{ name: "flow-dissector", version: "1.0.1", files }]);
	await using host = await openAptHost(repository);
	await host.update();
	const kfn = async (...args: string[]) => {
		const { code, stderr } = await world.kfn(...args);
		if (code !== 0) throw new Error(`kfn ${args[0]}: ${stderr}`);
	};
	await kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	const figures = { ours: [] as number[], install: [] as number[], update: [] as number[] };
	for (let i = -1; i < RUNS; i++) {
		const ours = await milliseconds(() =>
			kfn("install", "flow-dissector", "--scope", world.scope, "--health-window", "0"),
		);
		await kfn("remove", "flow-dissector", "--purge");
		await host.clean({ index: true });
		const update = await milliseconds(() => host.update());
		const install = await milliseconds(() => host.install("flow-dissector"));
		await host.purge("flow-dissector");
		if (i < 0) continue;
		figures.ours.push(ours);
		figures.install.push(install);
		figures.update.push(update + install);
	}
	const base = {
		bench: "install",
		case: `${entries.length} files, cold, no health window`,
		metric: "ms",
		runs: RUNS,
	};
	const ours = round(median(figures.ours));
	report({ ...base, ours, peer: round(median(figures.install)), peerName: "apt-get install" });
	report({ ...base, ours, peer: round(median(figures.update)), peerName: "apt-get update, apt-get install" });
}
