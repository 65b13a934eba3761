// Reads the body of an answer as far as it may go: so many bytes, at no less than so many a second, in no more than so much
// time. Refuses to be kept waiting: a registry that trickles holds an update up as well as one that is silent.
import { CliError } from "../errors.ts";

export interface Pace {
	/** Milliseconds that one file may take, whatever its pace. */
	readonly totalMs: number;
	/** Milliseconds before the pace is looked at. */
	readonly graceMs: number;
	readonly bytesPerSecond: number;
}

/** One file may take ten minutes, and must come at 1 kB/s or more once ten seconds have gone by. */
export const PACE: Pace = { totalMs: 600_000, graceMs: 10_000, bytesPerSecond: 1024 };

/** An answer's body as undici gives it. */
export type Body = AsyncIterable<Uint8Array> & { destroy(error?: Error): unknown };

/** The whole body; what `tooMuch` makes beyond `limit` bytes, CLI_REGISTRY_SLOW, CLI_DOWNLOAD_INTERRUPTED. */
export async function readPaced(
	body: Body,
	url: string,
	limit: number,
	{ pace, tooMuch }: { readonly pace: Pace; readonly tooMuch: () => Error },
): Promise<Uint8Array> {
	const chunks: Uint8Array[] = [];
	const started = performance.now();
	let size = 0;
	let late: CliError | undefined;
	const timer = setInterval(
		() => {
			late ??= lateness(url, size, performance.now() - started, pace);
			if (late !== undefined) body.destroy(late);
		},
		Math.max(1, pace.graceMs / 10),
	);
	try {
		for await (const chunk of body) {
			size += chunk.byteLength;
			if (size > limit) {
				body.destroy();
				throw tooMuch();
			}
			chunks.push(chunk);
		}
		return Buffer.concat(chunks);
	} catch (cause) {
		if (late !== undefined) throw late;
		if (size > limit) throw cause;
		throw new CliError(
			"CLI_DOWNLOAD_INTERRUPTED",
			`the connection to the registry ended after ${size} bytes`,
			{
				hint: "nothing was changed; run the command again",
				details: { url, received: size },
				cause,
			},
		);
	} finally {
		clearInterval(timer);
	}
}

function lateness(url: string, size: number, elapsed: number, pace: Pace): CliError | undefined {
	const tooSlow = elapsed > pace.graceMs && size < (pace.bytesPerSecond * elapsed) / 1000;
	if (!tooSlow && elapsed <= pace.totalMs) return undefined;
	return new CliError("CLI_REGISTRY_SLOW", `the registry sent ${size} bytes in ${Math.round(elapsed)} ms`, {
		hint: "nothing was changed; try again, or read from a mirror: a registry that trickles may want to keep a fix from this host",
		details: { url, received: size, milliseconds: Math.round(elapsed) },
	});
}
