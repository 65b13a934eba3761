// Follows what happens to devices that were given a function, and settles after each change: links, features and devlink through netlink,
// catalogues and revocations through their files, what only time brings by looking again. Refuses to hold the lock while it waits.
import { existsSync, watch as watchFiles } from "node:fs";
import type { Host } from "../host.ts";
import { withLock } from "../lock.ts";
import { reapply, recover } from "../recover.ts";
import type { DeviceWatch } from "./device.ts";
import { type Moved, settle } from "./settle.ts";
import { readEntries } from "./state.ts";
import { givenNamespaces } from "./survey.ts";

/** What one look did. */
export interface Settled {
	/** What it was for: `start`, `link`, `features`, `devlink`, `lost`, `files`, `time`. */
	readonly cause: string;
	readonly moved: readonly Moved[];
	readonly warnings: readonly string[];
}

/** A catalogue ends, and a driver that tells nobody changes its firmware, without any event. */
const LOOK_AGAIN_MS = 60_000;

/** One look, under the lock: recovers, takes out what does not match, lets in what does. */
export async function settleOnce(host: Host, cause: string): Promise<Settled> {
	return withLock(host, "offload watch", async (lock) => {
		const recovery = await recover(lock);
		const { moved, warnings } = await settle(lock, (held) => reapply(held, new Set()));
		return { cause, moved, warnings: [...new Set([...recovery.warnings, ...warnings])] };
	});
}

/** Looks at once and after each change, until `signal`; tells each look that did or found something new. */
export async function follow(
	host: Host,
	signal: AbortSignal,
	tell: (settled: Settled) => void,
): Promise<void> {
	const causes = new Causes(host, signal);
	let last = "";
	try {
		for (let cause: string | undefined = "start"; cause !== undefined; cause = await causes.next()) {
			const settled = await settleOnce(host, cause);
			const news = JSON.stringify([settled.moved, settled.warnings]);
			if (cause === "start" || settled.moved.length > 0 || news !== last) tell(settled);
			last = news;
			await causes.renew();
		}
	} finally {
		causes.end();
	}
}

/** Waits for whatever comes first; what comes while a look is under way is the next cause, once. */
class Causes {
	readonly #host: Host;
	readonly #signal: AbortSignal;
	#waiting: string | undefined;
	#wake: (() => void) | undefined;
	#failure: unknown;
	#watch: DeviceWatch | undefined;
	#watched = "";
	readonly #files: { close(): void }[] = [];

	constructor(host: Host, signal: AbortSignal) {
		this.#host = host;
		this.#signal = signal;
		signal.addEventListener("abort", () => this.#wake?.());
		const { state, config } = host.layout;
		for (const folder of [
			state,
			`${state}/recall`,
			`${state}/catalogues`,
			`${config}/catalogues`,
			`${config}/trust`,
		]) {
			if (!existsSync(folder)) continue;
			this.#files.push(watchFiles(folder, (_, name) => this.#onFile(folder === state ? name : "")));
		}
	}

	/** Of the state's own folder, only what says which devices were given something, and what the kernel shall run. */
	#onFile(name: string | null): void {
		if (name === "" || name === "offload.json" || name === "current") this.#add("files");
	}

	#add(cause: string): void {
		this.#waiting ??= cause;
		this.#wake?.();
	}

	/** The namespaces may be others after a look. */
	async renew(): Promise<void> {
		const namespaces = givenNamespaces(readEntries(this.#host)).filter(
			(path) => this.#host.namespaces.identity(path) !== undefined,
		);
		if (namespaces.join() === this.#watched && this.#watch !== undefined) return;
		this.#watch?.end();
		this.#watch = undefined;
		this.#watched = namespaces.join();
		if (namespaces.length === 0) return;
		const watch = await this.#host.devices.watch(namespaces);
		this.#watch = watch;
		void this.#read(watch);
		// Between the look and this, something may have changed unseen.
		this.#add("link");
	}

	async #read(watch: DeviceWatch): Promise<void> {
		try {
			for await (const { event } of watch.events) this.#add(event);
			if (this.#watch === watch) this.#add("lost");
		} catch (error) {
			if (this.#watch !== watch) return;
			this.#failure = error;
			this.#wake?.();
		}
	}

	/** Undefined once the signal came. */
	async next(): Promise<string | undefined> {
		const timer = setTimeout(() => this.#add("time"), LOOK_AGAIN_MS);
		while (this.#waiting === undefined && !this.#signal.aborted && this.#failure === undefined) {
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
		clearTimeout(timer);
		if (this.#failure !== undefined) throw this.#failure;
		const cause = this.#waiting;
		this.#waiting = undefined;
		return this.#signal.aborted ? undefined : cause;
	}

	end(): void {
		this.#watch?.end();
		for (const file of this.#files) file.close();
	}
}
