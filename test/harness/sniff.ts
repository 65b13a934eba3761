// Captures what one end of the wire sees, with tcpdump. Refuses a capture in which the kernel dropped packets.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Capture } from "#host/capture/capture.ts";
import { parseCapture } from "#host/capture/pcap.ts";
import { endChild, waitForLine } from "./command.ts";
import { requireTools } from "./feature.ts";
import type { Endpoint } from "./veth.ts";

export interface SniffOptions {
	/** A pcap filter expression. */
	readonly filter?: string;
	/** By source MAC: `out` is what carries this end's own, `in` everything else. Both unless given. */
	readonly direction?: "in" | "out";
}

/** A capture under way; disposing of it ends tcpdump and drops what it captured. */
export interface Sniffer extends AsyncDisposable {
	/** Waits until at least this many packets are captured; throws after `timeoutMs` (30,000 unless given). */
	waitFor(packets: number, timeoutMs?: number): Promise<void>;
	/** Ends the capture and hands back the packets and the file's bytes; throws where the kernel dropped any. */
	stop(): Promise<Capture & { readonly file: Uint8Array }>;
}

/** Starts tcpdump inside the end's namespace; every packet after the return is captured. */
export async function startSniffer(at: Endpoint, options: SniffOptions = {}): Promise<Sniffer> {
	requireTools("tcpdump");
	const child = at.netns.spawn("tcpdump", [
		// The ring holds (-B KiB) ÷ (-s bytes) packets, 65,549 bytes being a whole GSO packet with its Ethernet header.
		...["-i", at.device, "-n", "-U", "--immediate-mode", "-s", "65549", "-B", "131072"],
		...["--time-stamp-precision=nano", "-w", "-", filterOf(at, options)],
	]);
	const chunks: Buffer[] = [];
	const counter = new RecordCounter();
	let stderr = "";
	child.stdout?.on("data", (chunk: Buffer) => {
		chunks.push(chunk);
		counter.feed(chunk);
	});
	child.stderr?.on("data", (chunk: Buffer) => {
		stderr += chunk.toString();
	});
	const closed = once(child, "close");
	await waitForLine(child, /listening on/);
	return {
		waitFor: (packets, timeoutMs = 30_000) => counter.reached(packets, timeoutMs),
		async stop() {
			await drain(child, counter);
			await endChild(child, "SIGINT");
			await closed;
			const dropped = Number(/(\d+) packets? dropped by kernel\s*$/.exec(stderr)?.[1] ?? Number.NaN);
			if (dropped !== 0) throw new Error(`tcpdump lost packets: ${stderr.trim()}`);
			const file = Buffer.concat(chunks);
			return { ...parseCapture(file), file };
		},
		async [Symbol.asyncDispose]() {
			await endChild(child, "SIGINT");
			await closed;
		},
	};
}

/**
 * One filter for direction and expression.
 *
 * Not `-Q`: the kernel's count of received packets, which `drain` needs, would hold both directions. Not `inbound`: libpcap
 * 1.10 runs the filter on the first packet itself, where it cannot tell the direction, and loses that packet.
 */
function filterOf(at: Endpoint, options: SniffOptions): string {
	const direction = { in: `not ether src ${at.mac}`, out: `ether src ${at.mac}` };
	const parts = options.direction === undefined ? [] : [direction[options.direction]];
	if (options.filter !== undefined) parts.push(`(${options.filter})`);
	return parts.join(" and ");
}

/** Waits for what the kernel has already queued for tcpdump: an interrupt would make it drop those packets. */
async function drain(child: ChildProcess, counter: RecordCounter): Promise<void> {
	const line = waitForLine(child, /\d+ packets? received by filter/);
	child.kill("SIGUSR1");
	const [, received, dropped] =
		/(\d+) packets? received by filter, (\d+) packets? dropped/.exec(await line) ?? [];
	await counter.reached(Number(received) - Number(dropped), 30_000);
}

/** Counts the whole packet records of a classic pcap stream as its bytes come in. */
class RecordCounter {
	private buffered: Buffer = Buffer.alloc(0);
	private header = false;
	private packets = 0;
	private readonly waiting = new Set<{ packets: number; resolve: () => void }>();

	feed(chunk: Buffer): void {
		this.buffered = Buffer.concat([this.buffered, chunk]);
		if (!this.header && this.buffered.length >= 24) {
			this.header = true;
			this.buffered = this.buffered.subarray(24);
		}
		while (this.header && this.buffered.length >= 16) {
			const length = 16 + this.buffered.readUInt32LE(8);
			if (this.buffered.length < length) break;
			this.buffered = this.buffered.subarray(length);
			this.packets++;
		}
		for (const waiter of this.waiting) if (this.packets >= waiter.packets) waiter.resolve();
	}

	async reached(packets: number, timeoutMs: number): Promise<void> {
		if (this.packets >= packets) return;
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const waiter = { packets, resolve };
		this.waiting.add(waiter);
		const late = () => reject(new Error(`${this.packets} of ${packets} packets after ${timeoutMs} ms`));
		const timer = setTimeout(late, timeoutMs);
		try {
			await promise;
		} finally {
			clearTimeout(timer);
			this.waiting.delete(waiter);
		}
	}
}
