// Keeps the metadata of a serving registry fresh: looks at the start, then whenever something falls due. Refuses to give up:
// a failure is reported, counted and tried again.
import { renewDue, type Schedule, untilDue } from "../trust/renewal.ts";
import { trustHealth } from "./health.ts";
import type { RegistryContext } from "./registry-context.ts";

/** The longest time between two looks: a clock that is set, or metadata that another process changed, is noticed by then. */
const LONGEST_MS = 3_600_000;
const SHORTEST_MS = 1_000;
const AFTER_FAILURE_MS = 60_000;
const WARN_EVERY_MS = 24 * 3_600_000;

export class Renewal {
	readonly #registry: RegistryContext;
	readonly #schedule: Schedule;
	#cancel: () => void = () => undefined;
	#running: Promise<void> = Promise.resolve();
	#stopped = false;
	#warned = Number.NEGATIVE_INFINITY;

	constructor(registry: RegistryContext, schedule: Schedule) {
		this.#registry = registry;
		this.#schedule = schedule;
	}

	/** Renews what is due, so that nothing expired is ever served by a registry that has its keys, and goes on by itself. */
	async start(): Promise<void> {
		await this.#renewAll();
		await this.#next();
	}

	/** Resolves once no renewal runs any more. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#cancel();
		await this.#running;
	}

	async #next(failed = false): Promise<void> {
		if (this.#stopped) return;
		const delay = failed
			? AFTER_FAILURE_MS
			: Math.min(LONGEST_MS, Math.max(SHORTEST_MS, await this.#untilDue()));
		this.#cancel = this.#schedule(delay, () => {
			this.#running = this.#look();
		});
	}

	async #look(): Promise<void> {
		try {
			await this.#renewAll();
			await this.#next();
		} catch (cause) {
			this.#registry.metrics.renewalFailures += 1;
			this.#registry.report({ event: "renewal-failed", message: String(cause) });
			await this.#next(true);
		}
	}

	#untilDue(): Promise<number> {
		const { metadata, now } = this.#registry;
		return metadata.read((reads) => untilDue(reads, now()));
	}

	async #renewAll(): Promise<void> {
		const { metadata, metrics, now, report } = this.#registry;
		// Asked of a read first: a look that finds nothing due takes no lock that a publish would wait for.
		while (!this.#stopped && (await this.#untilDue()) === 0) {
			const keyring = await this.#registry.keyring();
			const renewed = await metadata.transaction((tx) => renewDue(tx, { keyring, now: now() }));
			metrics.renewals += renewed.length;
			report({ event: "renewed", message: `signed anew before expiry: ${renewed.join(", ")}` });
		}
		await this.#warn();
	}

	/** What only its signers can renew is reported once a day while it runs out. */
	async #warn(): Promise<void> {
		const { now, report } = this.#registry;
		const at = now().getTime();
		if (at - this.#warned < WARN_EVERY_MS) return;
		const { warnings } = await trustHealth(this.#registry);
		if (warnings.length === 0) return;
		this.#warned = at;
		report({ event: "expiring", message: warnings.join("; ") });
	}
}
