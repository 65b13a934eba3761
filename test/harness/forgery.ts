// What a thief of a registry's keys can make of its real metadata. Works on the bytes that are served, whoever made them, so
// that one attack serves a repository of a test and the real server. Refuses nothing.
import { createHash } from "node:crypto";
import type { SecretKey } from "#signing/ed25519.ts";
import {
	parseEnvelope,
	type SignedByRole,
	type SnapshotSigned,
	serializeEnvelope,
	type TargetsSigned,
	type TimestampSigned,
	type TopLevelRole,
} from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import type { LyingMirror, Upstream } from "./lying-mirror.ts";

export interface StolenKeys {
	readonly bins: SecretKey;
	readonly snapshot: SecretKey;
	readonly timestamp: SecretKey;
}

/** The file with other contents, signed by `signers` alone. */
export async function forge<T extends TopLevelRole>(
	bytes: Uint8Array,
	role: T,
	signers: readonly SecretKey[],
	change: (signed: SignedByRole[T]) => SignedByRole[T],
): Promise<Uint8Array> {
	return serializeEnvelope(await signNew(change(parseEnvelope(bytes, role).signed), signers));
}

/** A forger in front of a registry: reads its real files and puts others into their place. */
export class Forger {
	readonly #mirror: LyingMirror;
	readonly #upstream: Upstream;
	readonly #keys: StolenKeys;

	constructor(mirror: LyingMirror, upstream: Upstream, keys: StolenKeys) {
		this.#mirror = mirror;
		this.#upstream = upstream;
		this.#keys = keys;
	}

	async file(name: string): Promise<Uint8Array> {
		const bytes = await this.#upstream(`v1/metadata/${name}`);
		if (bytes === undefined) throw new Error(`the registry has no ${name}`);
		return bytes;
	}

	async timestamp(change: (signed: TimestampSigned) => TimestampSigned): Promise<void> {
		const forged = await forge(
			await this.file("timestamp.json"),
			"timestamp",
			[this.#keys.timestamp],
			change,
		);
		this.#mirror.lie("v1/metadata/timestamp.json", forged);
	}

	/** A snapshot of the thief's, and a timestamp that vouches for it; both of the next version unless changed. */
	async snapshot(change: (signed: SnapshotSigned) => SnapshotSigned): Promise<void> {
		const { version } = parseEnvelope(await this.file("timestamp.json"), "timestamp").signed.meta[
			"snapshot.json"
		];
		const next = (signed: SnapshotSigned) => change({ ...signed, version: signed.version + 1 });
		const forged = await forge(
			await this.file(`${version}.snapshot.json`),
			"snapshot",
			[this.#keys.snapshot],
			next,
		);
		const made = parseEnvelope(forged, "snapshot").signed.version;
		this.#mirror.lie(`v1/metadata/${made}.snapshot.json`, forged);
		const sha256 = createHash("sha256").update(forged).digest("hex");
		const meta = { "snapshot.json": { version: made, length: forged.byteLength, hashes: { sha256 } } };
		await this.timestamp((signed) => ({ ...signed, version: signed.version + 1, meta }));
	}

	/** A bin of the thief's, with a snapshot and a timestamp that vouch for it. */
	async bin(name: string, change: (signed: TargetsSigned) => TargetsSigned): Promise<void> {
		const { signed } = parseEnvelope(await this.file("timestamp.json"), "timestamp");
		const snapshot = parseEnvelope(
			await this.file(`${signed.meta["snapshot.json"].version}.snapshot.json`),
			"snapshot",
		);
		const { version } = snapshot.signed.meta[`${name}.json`]!;
		const forged = await forge(
			await this.file(`${version}.${name}.json`),
			"targets",
			[this.#keys.bins],
			(bin) => change({ ...bin, version: version + 1 }),
		);
		this.#mirror.lie(`v1/metadata/${version + 1}.${name}.json`, forged);
		await this.snapshot((next) => ({
			...next,
			meta: { ...next.meta, [`${name}.json`]: { version: version + 1 } },
		}));
	}
}
