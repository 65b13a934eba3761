// The one way in which metadata reaches tuf-js: through a port that the caller gives, with a limit for each role, and
// remembered, so that a refusal can be explained from the bytes. Refuses more bytes than a role may have, and text that is not UTF-8.
import type { Fetcher } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { SigningError } from "../errors.ts";
import { decodeUtf8 } from "../strict-json.ts";
import { ROLE_LIMITS } from "./limits.ts";

/**
 * Fetches one file of a repository; `path` is `metadata/…` or `targets/…`, percent-encoded as in a URL.
 * "missing" only where the repository says that it has no such file. Stops at `maxLength` bytes: TRUST_TOO_LARGE
 * ({@link tooLarge}), thrown while they arrive and not after. Whatever else it throws reaches the caller as it is.
 */
export type FetchFile = (path: string, maxLength: number) => Promise<Uint8Array | "missing">;

/** What tuf-js joins its file names to; nothing is ever asked of it. */
export const METADATA_BASE = "http://repository.invalid/metadata/";

/** One file that was asked for, and what came. */
export interface FetchedMetadata {
	/** `timestamp`, `root`, `bin-0f`, …: as the metadata spells it. */
	readonly role: string;
	/** File name as it was asked for. */
	readonly name: string;
	readonly content: Uint8Array | "missing";
}

export function tooLarge(path: string, maxLength: number): SigningError {
	return new SigningError("TRUST_TOO_LARGE", `the registry sends more than ${maxLength} bytes as ${path}`, {
		hint: "nothing was changed; the registry, or something in between, is broken or attacks this host",
		details: { path, limit: maxLength },
	});
}

/** tuf-js's fetcher over a port. Holds what the port threw, for tuf-js wraps errors into text. */
export class MetadataFetcher implements Fetcher {
	readonly #fetch: FetchFile;
	/** In the order of fetching. */
	readonly fetched: FetchedMetadata[] = [];
	/** What the port itself threw; then nothing that tuf-js says matters. */
	failure: { readonly error: unknown } | undefined;

	constructor(fetch: FetchFile) {
		this.#fetch = fetch;
	}

	async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
		const name = url.slice(METADATA_BASE.length);
		const role = roleOf(name);
		const content = await this.#get(name, Math.min(maxLength, limitOf(role)));
		this.fetched.push({ role, name, content });
		// The one answer that ends the walk along the roots (§5.3.3).
		if (content === "missing") throw new DownloadHTTPError(`no ${name}`, 404);
		return Buffer.from(content);
	}

	/** Targets do not pass through tuf-js: it would copy them through files. */
	async downloadFile(): Promise<never> {
		throw new Error("tuf-js asked for a target, which updater.ts fetches itself");
	}

	async #get(name: string, limit: number): Promise<Uint8Array | "missing"> {
		try {
			const content = await this.#fetch(`metadata/${name}`, limit);
			if (content === "missing") return content;
			if (content.byteLength > limit) throw tooLarge(name, limit);
			// tuf-js writes what it trusts as text: other bytes would not come back as they were verified.
			if (decodeUtf8(content, limit) === undefined) {
				throw new SigningError("TRUST_MALFORMED", `${name} is not UTF-8`, { details: { name } });
			}
			return content;
		} catch (error) {
			this.failure = { error };
			throw error;
		}
	}
}

/** `7.bin-0f.json` → `bin-0f`; `timestamp.json` → `timestamp` (TUF 1.0.34 §6.2: consistent snapshots or not). */
function roleOf(name: string): string {
	const [, role] = /^(?:\d+\.)?(.+)\.json$/.exec(name) ?? [];
	return decodeURIComponent(role ?? name);
}

function limitOf(role: string): number {
	return role === "root" || role === "timestamp" || role === "snapshot"
		? ROLE_LIMITS[role]
		: ROLE_LIMITS.targets;
}
