// A network device with TSO of our own making on this machine: two tap devices and a process between them whose engine is packages/tso,
// compiled for the host (native/nic.c). Refuses the machine's own namespace.
import { join } from "node:path";
import { endChild, run, waitForLine } from "../harness/command.ts";
import type { NetworkNamespace } from "../harness/namespace.ts";
import { buildNative } from "../tso/build.ts";

export interface NicTools {
	readonly nic: string;
	readonly engine: string;
}

/** Compiles the process and its engine below `folder`. */
export async function buildNic(folder: string): Promise<NicTools> {
	const [nic, engine] = [join(folder, "nic"), join(folder, "engine")];
	const source = join(import.meta.dirname, "native/nic.c");
	await run("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", source, "-o", nic]);
	await buildNative(engine);
	return { nic, engine };
}

/** What sends, and what receives. */
export const [DEVICE, PEER] = ["port0", "port1"] as const;

/** Both ports, up, until the handle is disposed of; `lie` is what the engine does wrong. */
export async function openNic(
	tools: NicTools,
	netns: NetworkNamespace,
	lie?: "psh" | "id",
): Promise<AsyncDisposable> {
	const args = [netns.path, DEVICE, PEER, tools.engine, ...(lie === undefined ? [] : [lie])];
	const child = netns.spawn(tools.nic, args, { stdio: ["pipe", "pipe", "inherit"] });
	await waitForLine(child, /^ready$/);
	for (const port of [DEVICE, PEER]) {
		await netns.sysctl(`net.ipv6.conf.${port}.disable_ipv6`, "1");
		await netns.run("ip", ["link", "set", port, "up"]);
	}
	return { [Symbol.asyncDispose]: () => endChild(child) };
}
