// Runs packets through the program that is active in a scope and hands back its keys, without sending one. Refuses answers that are not one per packet.
import { createInterface } from "node:readline";
import { HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { LoaderProcess } from "./loader.ts";
import { isWide, placesOf } from "./places.ts";
import { parseScope, type Scope } from "./scope.ts";
import { count, matching, open, ShapeError } from "./shape.ts";

export interface ReplayPacket {
	/** From the Ethernet header on. */
	readonly data: Uint8Array;
	/** The dissector's input flags (`struct bpf_flow_keys.flags`); 0 unless given. */
	readonly flags?: number | undefined;
}

export interface ReplayAnswer {
	/** What the program returned. */
	readonly retval: number;
	/** The bytes that it left: 56 of `struct bpf_flow_keys` for a flow dissector. */
	readonly out: Buffer;
}

export interface ReplayRequest {
	readonly function: string;
	/** Where; the one scope in which the function is active unless given. */
	readonly scope?: string | undefined;
	readonly packets: Iterable<ReplayPacket> | AsyncIterable<ReplayPacket>;
}

const lineShape = open({ retval: count, out: matching(/^([0-9a-f]{2})*$/, "hex") });

/**
 * Yields one answer per packet, in order, while packets are still being read.
 *
 * HOST_NOT_INSTALLED, HOST_AMBIGUOUS_SCOPE; LOAD_ codes where the loader refuses a packet or finds no program.
 */
export async function* replay(host: Host, request: ReplayRequest): AsyncGenerator<ReplayAnswer, void, void> {
	const scope = await placeOf(host, request.function, scopeOf(host, request.function, request.scope));
	const child = host.loader.replay(request.function, scope);
	const aborted = new AbortController();
	const feeding = feed(child, request.packets, aborted.signal);
	// It is awaited below; until then its failure must not count as unhandled.
	feeding.catch(() => undefined);
	try {
		const rest = yield* answers(child);
		await child.end(rest);
		await feeding;
	} finally {
		aborted.abort();
		child.kill();
	}
}

/** Yields the answers and returns the last line, which is the loader's own report. */
async function* answers(child: LoaderProcess): AsyncGenerator<ReplayAnswer, string, void> {
	let previous: string | undefined;
	for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
		if (previous !== undefined) yield parseAnswer(previous);
		previous = line;
	}
	return previous ?? "";
}

async function feed(
	child: LoaderProcess,
	packets: ReplayRequest["packets"],
	aborted: AbortSignal,
): Promise<void> {
	for await (const { data, flags } of packets) {
		if (aborted.aborted) return;
		const header = Buffer.alloc(8);
		header.writeUInt32LE(data.length, 0);
		header.writeUInt32LE(flags ?? 0, 4);
		await write(child.stdin, Buffer.concat([header, data]), aborted);
	}
	child.stdin.end();
}

/** Writes and waits until the loader has room for more, or is gone. */
async function write(stdin: NodeJS.WritableStream, bytes: Buffer, aborted: AbortSignal): Promise<void> {
	await new Promise<void>((resolve) => {
		aborted.addEventListener("abort", () => resolve(), { once: true });
		stdin.write(bytes, () => resolve());
	});
}

function parseAnswer(line: string): ReplayAnswer {
	try {
		const { retval, out } = lineShape(JSON.parse(line), "");
		return { retval, out: Buffer.from(out, "hex") };
	} catch (error) {
		if (!(error instanceof ShapeError) && !(error instanceof SyntaxError)) throw error;
		throw new HostError(
			"HOST_LOADER_ANSWER",
			`kfn-load replay answered something undocumented: ${error.message}`,
		);
	}
}

/** Of a scope that describes many places the first: they run one program. HOST_NOT_INSTALLED where there is none. */
async function placeOf(host: Host, fn: string, scope: Scope): Promise<string> {
	if (!isWide(scope)) return scope;
	const entries = readCurrentPlan(host).functions.filter((entry) => entry.function === fn);
	const places = await placesOf(host, entries);
	const first = places.find(({ planned }) => planned === scope);
	if (first !== undefined) return first.scope;
	throw new HostError("HOST_NOT_INSTALLED", `nothing is there now that ${scope} describes`, {
		hint: "kfn status shows what runs",
		details: { function: fn, scope },
	});
}

function scopeOf(host: Host, fn: string, scope: string | undefined): Scope {
	if (scope !== undefined) return parseScope(scope);
	const scopes = readCurrentPlan(host)
		.functions.filter((entry) => entry.function === fn)
		.map((entry) => entry.scope);
	const [only] = scopes;
	if (only === undefined) {
		throw new HostError("HOST_NOT_INSTALLED", `${fn} is not active anywhere`, {
			hint: "kfn list shows what is",
			details: { function: fn },
		});
	}
	if (scopes.length === 1) return only;
	throw new HostError("HOST_AMBIGUOUS_SCOPE", `${fn} is active in ${scopes.length} scopes`, {
		hint: `say which one: --scope ${scopes.join(", --scope ")}`,
		details: { function: fn, scopes },
	});
}
