// TCP between the two namespaces of a wire, with the program on the sender's device or without. Refuses to call a transfer whole that both ends do not hash the same.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { endChild, waitForLine } from "../harness/command.ts";
import type { NetworkNamespace } from "../harness/namespace.ts";
import type { Endpoint, VethPair } from "../harness/veth.ts";
import type { Tools } from "./build.ts";
import type { Hook } from "./differential.ts";

export type Feature = "tso" | "gso" | "rx" | "tx";

/** The program on a device; `end` takes it off and says how often it ran. */
export interface Attached extends AsyncDisposable {
	end(): Promise<number>;
}

/** Attaches the program to a device until the handle is ended, and switches features of the device off for good. */
export async function attach(
	tools: Tools,
	at: Pick<Endpoint, "netns" | "device">,
	options: { readonly hook?: Hook; readonly off?: readonly Feature[]; readonly counted?: boolean } = {},
): Promise<Attached> {
	const uncounted = options.counted === false ? ["uncounted"] : [];
	const args = [tools.object, options.hook ?? "tcx", at.device, ...uncounted, ...(options.off ?? ["tso"])];
	const child = at.netns.spawn(tools.hold, args, { stdio: ["pipe", "pipe", "pipe"] });
	await waitForLine(child, /^attached$/);
	return {
		async end() {
			const line = waitForLine(child, /^\{"runs"/);
			child.stdin?.end();
			return (JSON.parse(await line) as { runs: number }).runs;
		},
		[Symbol.asyncDispose]: () => endChild(child),
	};
}

/** Switches features of a device off. */
export async function switchOff(
	tools: Tools,
	at: Pick<Endpoint, "netns" | "device">,
	...off: readonly Feature[]
): Promise<void> {
	await at.netns.run(tools.hold, ["-", "tcx", at.device, ...off], { input: "" });
}

export interface Stream {
	readonly bytes: number;
	readonly hash: string;
	readonly seconds: number;
	readonly cpuSeconds: number;
}

export interface Transfer {
	readonly sent: Stream;
	readonly received: Stream;
	/** Packets that left the sender's device meanwhile. */
	readonly packets: number;
}

const PORT = "5001";

/** Sends `limit` bytes, or for `limit` seconds ("2s"), from left to right. */
export async function transfer(
	tools: Tools,
	pair: VethPair,
	address: string,
	limit: string,
	content: "hash" | "plain" = "hash",
): Promise<Transfer> {
	const { left, right } = pair;
	const before = await sentPackets(left);
	const done = await send(tools, [left.netns, right.netns], address, limit, content);
	return { ...done, packets: (await sentPackets(left)) - before };
}

/** The same, hashed, where both ends are in one namespace. */
export function transferWithin(
	tools: Tools,
	netns: NetworkNamespace,
	address: string,
	limit: string,
): Promise<Omit<Transfer, "packets">> {
	return send(tools, [netns, netns], address, limit, "hash");
}

async function send(
	tools: Tools,
	[from, to]: readonly [NetworkNamespace, NetworkNamespace],
	address: string,
	limit: string,
	content: "hash" | "plain",
): Promise<Omit<Transfer, "packets">> {
	const verb = content === "hash" ? "receive" : "discard";
	const receiver = to.spawn(tools.stream, [verb, address, PORT], { stdio: ["ignore", "pipe", "pipe"] });
	try {
		await waitForLine(receiver, /^ready$/);
		const report = reportOf(receiver);
		const { stdout } = await from.run(tools.stream, ["send", address, PORT, limit, content], {
			timeoutMs: 100_000,
		});
		return { sent: JSON.parse(stdout) as Stream, received: await report };
	} finally {
		await endChild(receiver);
	}
}

/** Median nanoseconds of a round trip of one byte from left to right. */
export async function roundTrip(
	tools: Tools,
	pair: VethPair,
	address: string,
	count: number,
): Promise<number> {
	const echo = pair.right.netns.spawn(tools.stream, ["echo", address, PORT], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	try {
		await waitForLine(echo, /^ready$/);
		const { stdout } = await pair.left.netns.run(tools.stream, ["ask", address, PORT, String(count)]);
		return (JSON.parse(stdout) as { medianNs: number }).medianNs;
	} finally {
		await endChild(echo);
	}
}

/** A counter of /proc/net/snmp's Tcp lines. */
export async function tcpCounter(netns: NetworkNamespace, name: string): Promise<number> {
	const { stdout } = await netns.run("cat", ["/proc/net/snmp"]);
	const [names, values] = stdout.split("\n").filter((line) => line.startsWith("Tcp:"));
	const index = names!.split(" ").indexOf(name);
	if (index < 0) throw new Error(`no counter ${name}`);
	return Number(values!.split(" ")[index]);
}

async function sentPackets({ netns, device }: Endpoint): Promise<number> {
	const { stdout } = await netns.run("cat", [`/sys/class/net/${device}/statistics/tx_packets`]);
	return Number(stdout);
}

async function reportOf(child: ChildProcess): Promise<Stream> {
	const line = await waitForLine(child, /^\{/, 100_000);
	if (child.exitCode === null) await once(child, "exit");
	return JSON.parse(line) as Stream;
}
