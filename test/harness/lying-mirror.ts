// A real HTTP server between a client and a repository (a tree in memory, a folder, or another server) that lies as a test
// tells it to: replayed files, missing files, data without end, data without pace. Refuses to lie unasked.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { request } from "undici";
import { registerUndo } from "./cleanup.ts";

/** Gives the bytes of a path without its leading slash (`v1/metadata/timestamp.json`); undefined where there are none. */
export type Upstream = (path: string) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

/**
 * What is answered instead: bytes; no such file; bytes without end; one byte each few milliseconds, without end; bytes of
 * which only the first half comes before the connection breaks; or another status.
 */
export type Lie =
	| Uint8Array
	| "missing"
	| "endless"
	| "slow"
	| { readonly torn: Uint8Array }
	| { readonly status: number; readonly body?: string; readonly location?: string };

export interface LyingMirror extends AsyncDisposable {
	/** `http://127.0.0.1:PORT`. */
	readonly url: string;
	/** Paths in the order in which they were asked for. */
	readonly asked: string[];
	/** Bytes that were written as the answer to an endless lie. */
	readonly sent: { bytes: number };
	/** Answers a path with a lie from now on. */
	lie(path: string, lie: Lie): void;
	/** Serves another tree from now on; lies stay. */
	serve(upstream: Upstream): void;
	honest(): void;
}

export const fromFiles =
	(files: ReadonlyMap<string, Uint8Array>): Upstream =>
	(path) =>
		files.get(path);

export const fromServer =
	(url: string): Upstream =>
	async (path) => {
		const answer = await request(`${url}/${path}`);
		const body = new Uint8Array(await answer.body.arrayBuffer());
		return answer.statusCode === 200 ? body : undefined;
	};

export async function openLyingMirror(first: Upstream): Promise<LyingMirror> {
	let upstream = first;
	const lies = new Map<string, Lie>();
	const asked: string[] = [];
	const sent = { bytes: 0 };
	const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
		const path = decodeURIComponent((incoming.url ?? "").slice(1));
		asked.push(path);
		const what = lies.get(path) ?? (await upstream(path)) ?? "missing";
		await tell(response, what, sent);
	};
	const server = createServer((incoming, response) => void answer(incoming, response));
	await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
	const close = () => server.close().closeAllConnections();
	const undo = registerUndo("lying mirror", close);
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		asked,
		sent,
		lie: (path, lie) => void lies.set(path, lie),
		serve: (next) => {
			upstream = next;
		},
		honest: () => lies.clear(),
		async [Symbol.asyncDispose]() {
			undo.run();
		},
	};
}

async function tell(response: ServerResponse, lie: Lie, sent: { bytes: number }): Promise<void> {
	if (lie === "missing") return void response.writeHead(404).end("no such file");
	if (lie === "endless") return endlessly(response, sent);
	if (lie === "slow") return slowly(response);
	if (lie instanceof Uint8Array) return void response.end(lie);
	if ("torn" in lie) {
		response.writeHead(200, { "content-length": lie.torn.byteLength });
		const half = lie.torn.subarray(0, Math.floor(lie.torn.byteLength / 2));
		response.write(half, () => response.destroy());
		return;
	}
	const headers = lie.location === undefined ? {} : { location: lie.location };
	response.writeHead(lie.status, headers).end(lie.body ?? "");
}

function endlessly(response: ServerResponse, sent: { bytes: number }): void {
	const chunk = Buffer.alloc(65_536, " ");
	const more = () => {
		while (!response.destroyed && sent.bytes < 1 << 30) {
			sent.bytes += chunk.length;
			if (!response.write(chunk)) break;
		}
	};
	response.on("drain", more);
	more();
}

function slowly(response: ServerResponse): void {
	const timer = setInterval(() => response.write(" "), 5);
	response.on("close", () => clearInterval(timer));
	response.write(" ");
}
