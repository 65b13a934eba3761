// A TCP proxy on loopback that fails on command, for a registry that goes down in the middle of a download. Refuses to change a byte that it does pass on.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** How a connection is cut: with a reset, with a clean end of stream, or by silence on an open connection. */
export type Cut = "reset" | "end" | "silence";

export interface CutRule {
	/** Bytes of the answer that still pass, headers included. */
	readonly afterBytes: number;
	readonly how: Cut;
	/** Only connections whose request matches are cut, counting from that request on. Any, unless given. */
	readonly request?: RegExp;
	/** How many connections are cut before the proxy works again; without limit unless given. */
	readonly times?: number;
}

export interface CuttingProxy extends AsyncDisposable {
	/** `http://127.0.0.1:PORT`. */
	readonly url: string;
	/** Connections that were cut so far. */
	readonly cuts: number;
	/** Bytes passed to clients so far. */
	readonly passed: number;
	/** Cuts connections from now on, open ones included; undefined passes everything again. */
	cut(rule: CutRule | undefined): void;
	/** Refuses new connections and resets open ones, as a stopped server does. */
	down(): Promise<void>;
	/** Takes connections again, on the same port. */
	up(): Promise<void>;
}

/** Starts a proxy to the host and port of `target`, an http URL. */
export async function openCuttingProxy(target: string): Promise<CuttingProxy> {
	const { hostname, port } = new URL(target);
	const proxy = new LoopbackProxy({ host: hostname, port: Number(port) });
	await proxy.up();
	return proxy;
}

class LoopbackProxy implements CuttingProxy {
	readonly #target: { host: string; port: number };
	readonly #sockets = new Set<Socket>();
	#server: Server | undefined;
	#port = 0;
	#rule: { spec: CutRule; left: number } | undefined;
	cuts = 0;
	passed = 0;

	constructor(target: { host: string; port: number }) {
		this.#target = target;
	}

	get url(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	cut(rule: CutRule | undefined): void {
		this.#rule =
			rule === undefined ? undefined : { spec: rule, left: rule.times ?? Number.POSITIVE_INFINITY };
	}

	async up(): Promise<void> {
		if (this.#server !== undefined) return;
		const server = createServer((client) => this.#pass(client));
		server.listen(this.#port, "127.0.0.1");
		await once(server, "listening");
		this.#server = server;
		this.#port = (server.address() as AddressInfo).port;
	}

	async down(): Promise<void> {
		const server = this.#server;
		if (server === undefined) return;
		this.#server = undefined;
		const closed = once(server, "close");
		server.close();
		for (const socket of this.#sockets) socket.resetAndDestroy();
		await closed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.down();
	}

	#pass(client: Socket): void {
		const upstream = connect(this.#target);
		const watch = { matched: undefined as CutRule | undefined, bytes: 0, request: "", over: false };
		for (const socket of [client, upstream]) {
			this.#sockets.add(socket);
			socket.once("close", () => this.#sockets.delete(socket));
			// The other side learns of it through the close below.
			socket.on("error", () => undefined);
		}
		client.once("close", () => upstream.destroy());
		upstream.once("close", () => {
			if (!watch.over) client.end();
		});
		client.on("data", (chunk) => {
			watch.request = (watch.request + chunk.toString("latin1")).slice(-8192);
			upstream.write(chunk);
		});
		upstream.on("data", (chunk: Buffer) => this.#answer(client, upstream, chunk, watch));
	}

	#answer(client: Socket, upstream: Socket, chunk: Buffer, watch: Watch): void {
		if (watch.over) return;
		const rule = this.#rule;
		const matches = rule !== undefined && (rule.spec.request?.test(watch.request) ?? true);
		if (rule === undefined || !matches) {
			this.#forward(client, chunk);
			return;
		}
		if (watch.matched !== rule.spec) {
			watch.matched = rule.spec;
			watch.bytes = 0;
		}
		const allowed = rule.spec.afterBytes - watch.bytes;
		watch.bytes += chunk.length;
		if (chunk.length <= allowed) {
			this.#forward(client, chunk);
			return;
		}
		watch.over = true;
		this.cuts++;
		rule.left--;
		if (rule.left <= 0) this.#rule = undefined;
		this.#forward(client, chunk.subarray(0, Math.max(allowed, 0)), () => end(client, rule.spec.how));
		if (rule.spec.how !== "silence") upstream.destroy();
	}

	#forward(client: Socket, bytes: Uint8Array, then?: () => void): void {
		this.passed += bytes.length;
		client.write(bytes, then);
	}
}

interface Watch {
	matched: CutRule | undefined;
	bytes: number;
	request: string;
	over: boolean;
}

function end(client: Socket, how: Cut): void {
	if (how === "reset") client.resetAndDestroy();
	else if (how === "end") client.end();
}
