// What `kfn registry …` calls: serve until told to stop, and the token verbs on a data folder.
// Refuses to print, to read argv or the environment, and to end the process: the CLI does.
import { RegistryError } from "./api/errors.ts";
import type { RegistryEvent } from "./ops/registry-context.ts";
import type { TokenSpec, TokenStatus } from "./ops/tokens.ts";
import { isRegistry, openRegistry, type Registry, type RegistryOptions } from "./serve.ts";
import type { Ceremony } from "./trust/ceremony.ts";

export type { TokenVerb } from "./ports/metadata-store.ts";
export { openRegistry, type Registry, type RegistryOptions } from "./serve.ts";
export type { CeremonyResult, PublishersResult } from "./trust/ceremony.ts";
export {
	addPublisher,
	type Revocation,
	removePublisher,
	revokePublisher,
} from "./trust/publisher-changes.ts";
export { addVendor, removeVendor, type VendorRequest } from "./trust/vendor-changes.ts";

export interface ServeOptions {
	readonly dataDir: string;
	readonly host: string;
	/** 0 takes a free one. */
	readonly port: number;
	/** True: reads need a token with the verb `read`. */
	readonly private: boolean;
	/** Serving ends, gracefully, when it aborts. */
	readonly signal: AbortSignal;
	readonly onListening: (address: { url: string }) => void;
	/** What an operator must see. */
	readonly report: (event: RegistryEvent) => void;
}

/** Serves the data folder until `signal` aborts; resolves once everything is closed. Errors: those of `openRegistry` and `listen`. */
export function serve(options: ServeOptions): Promise<void> {
	const { dataDir, report, signal } = options;
	return withRegistry({ dataDir, private: options.private, report }, async (registry) => {
		const address = await registry.listen({ host: options.host, port: options.port });
		options.onListening(address);
		await aborted(signal);
	});
}

/** Makes a token; its text is in this answer and nowhere else. Works while a server serves the folder. */
export function tokenCreate(dataDir: string, spec: TokenSpec): Promise<{ id: string; token: string }> {
	return withRegistry({ dataDir }, (registry) => registry.tokens.create(spec));
}

/** All tokens, oldest first, without anything that could be used as one. */
export function tokenList(dataDir: string): Promise<TokenStatus[]> {
	return withRegistry({ dataDir }, (registry) => registry.tokens.list());
}

/** Revokes a token at once, also for a server that runs. REGISTRY_TOKEN_UNKNOWN. */
export function tokenRevoke(dataDir: string, id: string): Promise<void> {
	return withRegistry({ dataDir }, (registry) => registry.tokens.revoke(id));
}

/** Works on the drafts of the folder's root and targets metadata; works while a server serves the folder. */
export function withCeremony<T>(dataDir: string, work: (ceremony: Ceremony) => Promise<T>): Promise<T> {
	return withRegistry({ dataDir }, (registry) => work(registry.ceremony));
}

/** The same for `Ceremony.init`, which is what makes a folder a registry. */
export async function withNewCeremony<T>(
	dataDir: string,
	work: (ceremony: Ceremony) => Promise<T>,
): Promise<T> {
	return withOpen(await openRegistry({ dataDir }), (registry) => work(registry.ceremony));
}

/** REGISTRY_NOT_INITIALISED for a folder that is no registry: a mistyped path must not make one, and tokens of it. */
async function withRegistry<T>(
	options: RegistryOptions,
	work: (registry: Registry) => Promise<T>,
): Promise<T> {
	if (isRegistry(options.dataDir)) return withOpen(await openRegistry(options), work);
	throw new RegistryError("REGISTRY_NOT_INITIALISED", `${options.dataDir} holds no registry`, {
		hint: "check the path; kfn registry init makes a registry in a folder",
	});
}

async function withOpen<T>(registry: Registry, work: (registry: Registry) => Promise<T>): Promise<T> {
	try {
		return await work(registry);
	} finally {
		await registry.close();
	}
}

function aborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		else signal.addEventListener("abort", () => resolve(), { once: true });
	});
}
