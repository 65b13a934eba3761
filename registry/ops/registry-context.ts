// What every operation works on: the two ports, the clock, the online keys and where to report. Refuses to open anything itself.
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Keyring } from "../trust/online-keys.ts";
import type { Metrics } from "./metrics.ts";
import type { Turnstile } from "./turnstile.ts";

export interface RegistryContext {
	readonly metadata: MetadataStore;
	readonly blobs: BlobStore;
	readonly now: () => Date;
	/** The online keys as they are on disk now: an admin may rotate them while the registry serves. */
	readonly keyring: () => Promise<Keyring>;
	readonly metrics: Metrics;
	/** Bounds how many uploads are unpacked and examined at once: each may need some 150 MiB. */
	readonly examinations: Turnstile;
	/** True: reads need a token with the verb `read` too. */
	readonly private: boolean;
	/** What an operator must see and a client must not. Never given tokens. */
	readonly report: (event: RegistryEvent) => void;
}

export interface RegistryEvent {
	readonly event: string;
	readonly message: string;
	readonly details?: Readonly<Record<string, unknown>>;
}
