// A client's walk from trusted metadata to newer metadata and to targets (TUF 1.0.34 §5), verified by tuf-js. Refuses to let
// tuf-js near a folder that matters: it works on copies in `scratch`, and the caller commits what `verified` then gives.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { TargetFile } from "@tufjs/models";
import { Updater } from "tuf-js";
import { plain, SigningError } from "../errors.ts";
import {
	type FetchedMetadata,
	type FetchFile,
	METADATA_BASE,
	MetadataFetcher,
	tooLarge,
} from "./fetch-port.ts";
import { demandKeyPolicy, type KeyPolicy } from "./key-policy.ts";
import { ROLE_LIMITS, TARGET_LIMIT } from "./limits.ts";
import { explainRefusal } from "./refusal.ts";
import { readTrustedRoot } from "./trusted-root.ts";

export interface UpdaterOptions {
	/** Path of a folder for this walk alone: made before each step and removed after it, with all that it holds. */
	readonly scratch: string;
	/** What is trusted already, by role; `root` must be there. */
	readonly trusted: ReadonlyMap<string, Uint8Array>;
	readonly fetch: FetchFile;
	/** §5.1: the time against which everything of this walk expires. */
	readonly referenceTime: Date;
	readonly policy: KeyPolicy;
}

/** A target as verified metadata lists it. */
export interface Target {
	readonly path: string;
	/** Bytes. */
	readonly length: number;
	/** By algorithm, lowercase hex. */
	readonly hashes: Readonly<Record<string, string>>;
	readonly custom: Readonly<Record<string, unknown>>;
}

/** One walk. Not to be used again after a refusal. */
export class TrustUpdater {
	readonly #options: UpdaterOptions;
	readonly #fetcher: MetadataFetcher;
	#inner: Updater | undefined;
	#verified: ReadonlyMap<string, Uint8Array>;
	/** How many of the fetched files have passed the key policy. */
	#checked = 0;

	constructor(options: UpdaterOptions) {
		this.#options = options;
		this.#fetcher = new MetadataFetcher(options.fetch);
		this.#verified = new Map(options.trusted);
	}

	/**
	 * Brings root, timestamp, snapshot and targets up to date (§5.2 to 5.6.6).
	 * TRUST_EXPIRED, TRUST_ROLLBACK, TRUST_SIGNATURES, TRUST_MISMATCH, TRUST_TOO_LARGE, TRUST_MALFORMED, TRUST_KEY_POLICY;
	 * what `fetch` throws comes out as it is. After a refusal {@link verified} still gives what was verified before it.
	 */
	refresh(): Promise<void> {
		return this.#guarded((updater) => updater.refresh());
	}

	/** The target, after a walk along the delegations (§5.6.7); undefined where metadata lists none. Errors as {@link refresh}. */
	async find(path: string): Promise<Target | undefined> {
		let info: TargetFile | undefined;
		await this.#guarded(async (updater) => {
			info = await updater.getTargetInfo(path);
		});
		if (info === undefined) return undefined;
		const { length, hashes, custom } = info;
		if (this.#options.policy === "ed25519" && !/^[0-9a-f]{64}$/.test(hashes["sha256"] ?? "")) {
			throw new SigningError("TRUST_MALFORMED", `the metadata lists ${plain(path)} without its sha256`);
		}
		return { path, length, hashes, custom };
	}

	/** The target's bytes, fetched and compared with what metadata says (§5.7.3). TRUST_MISMATCH, TRUST_TOO_LARGE. */
	async download(target: Target): Promise<Uint8Array> {
		const file = this.#fileOf(target).split("/").map(encodeURIComponent).join("/");
		const path = `targets/${file}`;
		if (target.length > TARGET_LIMIT) throw tooLarge(path, TARGET_LIMIT);
		const bytes = await this.#options.fetch(path, target.length);
		if (bytes === "missing") throw notThatTarget(target, "is listed in signed metadata, and is not there");
		if (!(await isTarget(target, bytes))) throw notThatTarget(target, "is not what signed metadata lists");
		return bytes;
	}

	/** By role: everything that is verified by now, whether it came in this walk or was trusted before. */
	verified(): ReadonlyMap<string, Uint8Array> {
		return this.#verified;
	}

	async #guarded(work: (updater: Updater) => Promise<void>): Promise<void> {
		let refusal: unknown;
		mkdirSync(this.#options.scratch, { recursive: true });
		try {
			await work(this.#opened());
			this.#readBack();
		} catch (cause) {
			this.#readBack();
			refusal = this.#fetcher.failure?.error ?? this.#explained(cause);
		} finally {
			rmSync(this.#options.scratch, { recursive: true, force: true });
		}
		// Also after a refusal: what was verified before it is going to be committed.
		try {
			this.#demandKeys();
		} catch (error) {
			this.#verified = new Map(this.#options.trusted);
			throw error;
		}
		if (refusal !== undefined) throw refusal;
	}

	#opened(): Updater {
		const { scratch, referenceTime } = this.#options;
		// Each step finds all that is verified by then: a delegated role that is trusted already is not fetched again.
		for (const [role, bytes] of this.#verified) writeFileSync(this.#scratchFile(role), bytes);
		if (this.#inner !== undefined) return this.#inner;
		const inner = new Updater({
			metadataDir: scratch,
			metadataBaseUrl: METADATA_BASE,
			fetcher: this.#fetcher,
			config: {
				rootMaxLength: ROLE_LIMITS.root,
				timestampMaxLength: ROLE_LIMITS.timestamp,
				snapshotMaxLength: ROLE_LIMITS.snapshot,
				targetsMaxLength: ROLE_LIMITS.targets,
			},
		});
		setReferenceTime(inner, referenceTime);
		this.#inner = inner;
		return inner;
	}

	/**
	 * Takes over what tuf-js wrote: that it wrote a file whole is its word that the file is verified. Of one that a full
	 * disk cut short nothing is taken: as a trusted file it would be no file, and what it guards against forgotten.
	 */
	#readBack(): void {
		const next = new Map(this.#verified);
		for (const { role, content } of this.#fetcher.fetched) {
			if (content !== "missing" && sameBytes(content, this.#written(role))) next.set(role, content);
		}
		this.#verified = next;
	}

	#written(role: string): Uint8Array | "missing" {
		const path = this.#scratchFile(role);
		return existsSync(path) ? readFileSync(path) : "missing";
	}

	#explained(cause: unknown): unknown {
		const { fetched } = this.#fetcher;
		const trusted = this.#verified;
		const last = fetched.at(-1);
		const before = this.#options.trusted;
		const accepted = last !== undefined && isAccepted(last, before, trusted);
		const explained = explainRefusal(
			{
				before,
				trusted,
				refused: accepted ? undefined : last,
				referenceTime: this.#options.referenceTime,
			},
			cause,
		);
		if (explained !== undefined) return explained;
		// Nothing is wrong with the bytes: then tuf-js could not write them, and this throws why.
		this.#probe(last?.content ?? "missing");
		return cause;
	}

	/** The policy over what was fetched since it was last asked: of the roots each, of the others what is trusted now. */
	#demandKeys(): void {
		const trusted = this.#verified;
		const { fetched } = this.#fetcher;
		const root = trusted.get("root");
		const newestRoot = fetched.findLastIndex(
			({ role, content }) => role === "root" && sameBytes(root, content),
		);
		for (const [index, { role, content }] of fetched.entries()) {
			if (index < this.#checked || content === "missing" || role === "timestamp" || role === "snapshot")
				continue;
			const accepted = role === "root" ? index <= newestRoot : sameBytes(trusted.get(role), content);
			if (accepted) demandKeyPolicy(content, role, this.#options.policy);
		}
		if (this.#checked === 0 && root !== undefined && this.#inner !== undefined) {
			demandKeyPolicy(root, "root", this.#options.policy);
		}
		this.#checked = fetched.length;
	}

	#probe(content: Uint8Array | "missing"): void {
		const path = join(this.#options.scratch, "probe");
		writeFileSync(path, content);
		rmSync(path);
	}

	#scratchFile(role: string): string {
		return join(this.#options.scratch, `${encodeURIComponent(role)}.json`);
	}

	/** §6.2.2: `dir/<hash>.<base>` where the root asks for consistent snapshots. */
	#fileOf({ path, hashes }: Target): string {
		const root = JSON.parse(Buffer.from(this.#verified.get("root")!).toString("utf8")) as {
			signed: { consistent_snapshot: boolean };
		};
		if (!root.signed.consistent_snapshot) return path;
		const hash = hashes["sha256"] ?? Object.values(hashes)[0] ?? "";
		const at = path.lastIndexOf("/") + 1;
		return `${path.slice(0, at)}${hash}.${path.slice(at)}`;
	}
}

/** Whether the bytes have the length and every hash that metadata lists; at least one hash must be there. */
export async function isTarget({ path, length, hashes }: Target, bytes: Uint8Array): Promise<boolean> {
	if (bytes.byteLength !== length || Object.keys(hashes).length === 0) return false;
	try {
		await new TargetFile({ path, length, hashes: { ...hashes } }).verify(Readable.from([Buffer.from(bytes)]));
		return true;
	} catch {
		return false;
	}
}

/**
 * tuf-js 6 takes the time from the system when it is made, and keeps it in a private field. A release that keeps it
 * elsewhere would let expired metadata pass unseen: that is our bug, and must stop every update.
 */
export function setReferenceTime(updater: unknown, time: Date): void {
	const set = (updater as { trustedSet?: { referenceTime?: unknown } }).trustedSet;
	if (!(set?.referenceTime instanceof Date)) {
		throw new Error("tuf-js no longer keeps its reference time in trustedSet.referenceTime");
	}
	set.referenceTime = new Date(time);
}

/**
 * Whether the file was taken. One that has the trusted one's bytes may have been refused all the same: a root that is served
 * again under the next one's name, and whatever had to be fetched although this host held it, for it no longer counted.
 */
function isAccepted(
	{ role, name, content }: FetchedMetadata,
	before: ReadonlyMap<string, Uint8Array>,
	trusted: ReadonlyMap<string, Uint8Array>,
): boolean {
	if (!sameBytes(trusted.get(role), content)) return false;
	if (role === "root") return name === `${readTrustedRoot(trusted.get(role)!).version}.root.json`;
	return !sameBytes(before.get(role), content);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | "missing"): boolean {
	return a !== undefined && b !== "missing" && Buffer.compare(a, b) === 0;
}

function notThatTarget({ path }: Target, why: string): SigningError {
	return new SigningError("TRUST_MISMATCH", `${plain(path)} ${why}`, {
		hint: "nothing was installed; the registry, or something in between, is broken or lying",
		details: { path: plain(path) },
	});
}
