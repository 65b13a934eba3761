// Puts real traffic on a veth pair: TCP connections between the two ends, and prepared frames through tcpreplay. Refuses to report packets as sent that were not.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePcap } from "#host/capture/pcap.ts";
import { registerUndo } from "./cleanup.ts";
import { endChild, waitForLine } from "./command.ts";
import { requireTools } from "./feature.ts";
import { ethernet, gre, ipv4, ipv6, type Layer, tcp, udp, vlan } from "./frames.ts";
import type { Endpoint, VethPair } from "./veth.ts";

const PEER = join(import.meta.dirname, "tcp-peer.ts");

/** What a TCP connection carried; `received` is what the other end read until end of file. */
export interface TcpCount {
	readonly sent: number;
	readonly received: number;
	readonly sourcePort: number;
	readonly destinationPort: number;
}

/** A TCP connection from left to right that sends until it is stopped. */
export interface TcpStream {
	readonly destinationPort: number;
	/** Ends the sending, waits for both ends to close and says what each counted. */
	stop(): Promise<TcpCount>;
}

/** Opens one TCP connection from left to right, sends `bytes` bytes and waits until both ends are done. */
export async function sendTcp(pair: VethPair, family: "ipv4" | "ipv6", bytes: number): Promise<TcpCount> {
	const stream = await connectTcp(pair, family, bytes);
	return stream.finished();
}

/** Opens a TCP connection from left to right that sends without pause until `stop`. */
export async function startTcp(pair: VethPair, family: "ipv4" | "ipv6"): Promise<TcpStream> {
	const stream = await connectTcp(pair, family);
	return {
		destinationPort: stream.destinationPort,
		stop() {
			stream.client.stdin?.end();
			return stream.finished();
		},
	};
}

async function connectTcp(pair: VethPair, family: "ipv4" | "ipv6", bytes?: number) {
	const address = pair.right[family];
	const server = pair.right.netns.spawn(process.execPath, [PEER, "serve", address]);
	const listening = await waitForLine(server, /^\{"listening"/);
	const destinationPort = (JSON.parse(listening) as { listening: number }).listening;
	const received = waitForLine(server, /^\{"received"/, 120_000);
	quiet(received);
	const limit = bytes === undefined ? [] : [String(bytes)];
	const client = pair.left.netns.spawn(process.execPath, [
		PEER,
		"send",
		address,
		String(destinationPort),
		...limit,
	]);
	const sent = waitForLine(client, /^\{"sent"/, 120_000);
	quiet(sent);
	await waitForLine(client, /^\{"connected"/);
	const finished = async (): Promise<TcpCount> => {
		const [from, to] = await Promise.all([sent, received]);
		const own = JSON.parse(from) as { sent: number; from: number };
		const other = JSON.parse(to) as { received: number };
		return { sent: own.sent, received: other.received, sourcePort: own.from, destinationPort };
	};
	return { client, destinationPort, finished };
}

/** Keeps a rejection for whoever awaits the promise later from ending the process now. */
function quiet(later: Promise<unknown>): void {
	later.catch(() => undefined);
}

export interface SendOptions {
	/** How many times the list of frames is sent; 1 unless given. */
	readonly times?: number;
	/** Packets per second; as fast as it goes unless given. */
	readonly rate?: number;
}

/** Sends frames out of an end's device with tcpreplay; returns how many went out, throws where one did not. */
export async function sendFrames(
	from: Endpoint,
	frames: readonly Uint8Array[],
	options: SendOptions = {},
): Promise<number> {
	const times = options.times ?? 1;
	const stream = startReplay(from, frames, options.rate, times);
	return stream.ended(frames.length * times);
}

/** Frames that are sent again and again until they are stopped. */
export interface FrameStream {
	/** Ends the sending and says how many packets left the device since the start: also any that others sent. */
	stop(): Promise<number>;
}

/** Starts to send frames over and over at `rate` packets per second; resolves when the first are on their way. */
export async function startFrames(
	from: Endpoint,
	frames: readonly Uint8Array[],
	rate: number,
): Promise<FrameStream> {
	const before = await transmitted(from);
	const stream = startReplay(from, frames, rate, 0);
	while ((await transmitted(from)) === before) stream.refuseEnd();
	return {
		async stop() {
			stream.interrupt();
			// An interrupted tcpreplay may have sent one packet more than it says: ask the device.
			await stream.ended();
			return (await transmitted(from)) - before;
		},
	};
}

function startReplay(from: Endpoint, frames: readonly Uint8Array[], rate: number | undefined, times: number) {
	requireTools("tcpreplay");
	if (frames.length === 0) throw new Error("no frames to send");
	const folder = mkdtempSync(join(tmpdir(), `kfn-frames-${process.pid}-`));
	const undo = registerUndo(`frames ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const file = join(folder, "frames.pcap");
	const packets = frames.map((bytes) => ({ timestampNs: 0n, bytes, originalLength: bytes.length }));
	writeFileSync(file, writePcap({ linkType: 1, packets }));
	const speed = rate === undefined ? "--topspeed" : `--pps=${rate}`;
	const args = ["--preload-pcap", `--loop=${times}`, speed, `--intf1=${from.device}`, file];
	const child = from.netns.spawn("tcpreplay", args);
	const successful = waitForLine(child, /^\s*Successful packets:\s+\d+/, 120_000);
	quiet(successful);
	return {
		interrupt: () => void child.kill("SIGINT"),
		refuseEnd() {
			if (child.exitCode !== null) throw new Error(`tcpreplay ended with ${child.exitCode}`);
		},
		async ended(expected?: number): Promise<number> {
			try {
				const sent = Number(/\d+/.exec(await successful)?.[0]);
				if (expected !== undefined && sent !== expected)
					throw new Error(`sent ${sent} of ${expected} frames`);
				return sent;
			} finally {
				await endChild(child);
				undo.run();
			}
		},
	};
}

async function transmitted(from: Endpoint): Promise<number> {
	const { stdout } = await from.netns.run("ip", ["-j", "-s", "link", "show", from.device]);
	const [link] = JSON.parse(stdout) as { stats64: { tx: { packets: number } } }[];
	return link?.stats64.tx.packets ?? 0;
}

/** A frame with the name that tests and the demo show. */
export interface NamedFrame {
	readonly name: string;
	readonly bytes: Uint8Array;
}

/**
 * VLAN and GRE frames of TCP and UDP from left to right, GRE with key, sequence and checksum among them.
 *
 * The IP addresses are those of no end (198.18.7.0/24, 2001:db8:7::/48), so nothing answers and counts stay exact.
 */
export function encapsulatedFrames(pair: VethPair): NamedFrame[] {
	const macs = { source: pair.left.mac, destination: pair.right.mac };
	const v4 = (inner: Layer) => ipv4({ source: "198.18.7.1", destination: "198.18.7.2" }, inner);
	const v6 = (inner: Layer) => ipv6({ source: "2001:db8:7::1", destination: "2001:db8:7::2" }, inner);
	const outer = (inner: Layer) => ipv4({ source: "198.18.8.1", destination: "198.18.8.2" }, inner);
	const payload = Buffer.alloc(64, "kfn");
	const web = tcp({ sourcePort: 40_001, destinationPort: 443, payload });
	const dns = udp({ sourcePort: 40_002, destinationPort: 53, payload });
	const layers: [string, Layer][] = [
		["vlan-ipv4-tcp", vlan(7, v4(web))],
		["vlan-ipv4-udp", vlan(7, v4(dns))],
		["vlan-ipv6-tcp", vlan(7, v6(web))],
		["vlan-ipv6-udp", vlan(7, v6(dns))],
		["qinq-ipv4-tcp", vlan(8, vlan(7, v4(web)), 0x88a8)],
		["gre-ipv4-tcp", outer(gre({}, v4(web)))],
		["gre-ipv4-udp", outer(gre({}, v4(dns)))],
		["gre-ipv6-tcp", outer(gre({}, v6(web)))],
		["gre-key-ipv4-tcp", outer(gre({ key: 0x6b66_6e01 }, v4(web)))],
		["gre-key-sequence-ipv4-udp", outer(gre({ key: 0x6b66_6e01, sequence: 9 }, v4(dns)))],
		["gre-checksum-ipv4-tcp", outer(gre({ checksum: true }, v4(web)))],
		["gre-key-ethernet-ipv4-tcp", outer(gre({ key: 7 }, ethernet(macs, v4(web))))],
		["gre-in-ipv6-key-ipv6-udp", v6(gre({ key: 7 }, v6(dns)))],
		["vlan-gre-key-ipv4-tcp", vlan(7, outer(gre({ key: 7 }, v4(web))))],
	];
	return layers.map(([name, inner]) => ({ name, bytes: ethernet(macs, inner).bytes() }));
}
