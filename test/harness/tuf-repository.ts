// A small TUF repository as our own writer makes it, in memory: Ed25519, k of n offline keys, succinct bins, one online key a
// role. For tests of clients and attacks on them; refuses no lie: whoever holds its keys may sign anything.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { binNames, binOf, bitLengthOf } from "#signing/tuf/bins.ts";
import { type TufKey, type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import {
	type MetaFile,
	type RoleKeys,
	type RootSigned,
	type SignedByRole,
	serializeEnvelope,
	type TargetFile,
	type TargetsSigned,
	type TopLevelRole,
	TUF_SPEC_VERSION,
} from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { expiryAfter } from "#signing/tuf/time.ts";

/** Whoever can sign for a role; bins are one role here. */
export type Signer = TopLevelRole | "bins";

export interface RepositoryOptions {
	/** When everything is signed; the real time unless given. */
	readonly now?: Date;
	/** A power of two; 16 unless given. */
	readonly bins?: number;
	/** How many offline keys must sign root and targets, of one more that exist; 2 unless given. */
	readonly threshold?: number;
}

const LIFE_DAYS: Readonly<Record<Signer, number>> = {
	root: 365,
	targets: 180,
	bins: 90,
	snapshot: 7,
	timestamp: 1,
};

export class TufRepository {
	/** What a web server would hand out, by path below the registry's base: `v1/metadata/timestamp.json`. */
	readonly files = new Map<string, Uint8Array>();
	readonly keys: Record<Signer, SecretKey[]>;
	/** The newest version of each role; bins by name. */
	readonly versions = new Map<string, number>();
	now: Date;
	readonly #threshold: number;
	readonly #bins: { readonly bit_length: number; readonly name_prefix: string };
	readonly #targets = new Map<string, TargetFile>();

	private constructor(options: RepositoryOptions, keys: Record<Signer, SecretKey[]>) {
		this.now = options.now ?? new Date();
		this.#threshold = options.threshold ?? 2;
		this.#bins = { bit_length: bitLengthOf(options.bins ?? 16), name_prefix: "bin" };
		this.keys = keys;
	}

	/** A repository that lists nothing yet; every role is at version 1. */
	static async make(options: RepositoryOptions = {}): Promise<TufRepository> {
		const some = (count: number) => Promise.all(Array.from({ length: count }, () => generateKeyPair()));
		const offline = (options.threshold ?? 2) + 1;
		const keys = {
			root: await some(offline),
			targets: await some(offline),
			bins: await some(1),
			snapshot: await some(1),
			timestamp: await some(1),
		};
		const repository = new TufRepository(options, keys);
		await repository.signRoot();
		await repository.signTargets();
		for (const name of binNames(repository.#bins)) await repository.#signBin(name);
		await repository.signSnapshot();
		await repository.signTimestamp();
		return repository;
	}

	/** The bytes of the newest root. */
	get root(): Uint8Array {
		return this.file(`metadata/${this.versions.get("root")}.root.json`);
	}

	/** A file that is served, by its path below `v1/`. */
	file(path: string): Uint8Array {
		const bytes = this.files.get(`v1/${path}`);
		if (bytes === undefined) throw new Error(`the repository has no ${path}`);
		return bytes;
	}

	/** Lists a target and signs what then changes: `kfn/…` stands in the top-level targets, all else in its bin. */
	async publish(path: string, bytes: Uint8Array, custom?: Record<string, unknown>): Promise<void> {
		this.place(path, bytes, custom);
		await this.signTargetsOf(path);
		await this.signSnapshot();
		await this.signTimestamp();
	}

	/** Puts a target's bytes where they are served from, and lists them in whatever is signed next. */
	place(path: string, bytes: Uint8Array, custom?: Record<string, unknown>): void {
		const sha256 = createHash("sha256").update(bytes).digest("hex");
		this.#targets.set(path, {
			length: bytes.byteLength,
			hashes: { sha256 },
			...(custom === undefined ? {} : { custom }),
		});
		this.files.set(`v1/targets/${targetFile(path, sha256)}`, bytes);
	}

	signTargetsOf(path: string): Promise<void> {
		return isTopLevel(path) ? this.signTargets() : this.#signBin(binOf(path, this.#bins));
	}

	/** A new root, signed by those that the last one named, too (§6.1). `change` may tamper with it before it is signed. */
	async signRoot(
		change: (signed: RootSigned) => RootSigned = (signed) => signed,
		signers = this.keys.root,
	): Promise<void> {
		const roles = {
			root: this.#roleKeys("root"),
			targets: this.#roleKeys("targets"),
			snapshot: this.#roleKeys("snapshot"),
			timestamp: this.#roleKeys("timestamp"),
		};
		const signed: RootSigned = {
			_type: "root",
			...this.#common("root", "root"),
			consistent_snapshot: true,
			keys: keysOf(
				(["root", "targets", "snapshot", "timestamp"] as const).flatMap((role) => this.keys[role]),
			),
			roles,
		};
		await this.#put("root", "root", change(signed), signers);
	}

	/** Gives a role new keys, in a new root that the old and the new root keys sign; signs nothing else anew. */
	async rotate(role: Signer): Promise<void> {
		const before = this.keys.root;
		const count = this.keys[role].length;
		this.keys[role] = await Promise.all(Array.from({ length: count }, () => generateKeyPair()));
		if (role === "bins") await this.signTargets();
		else await this.signRoot(undefined, role === "root" ? [...before, ...this.keys.root] : this.keys.root);
	}

	async signTargets(
		change: (signed: TargetsSigned) => TargetsSigned = (signed) => signed,
		signers = this.keys.targets,
	): Promise<void> {
		const succinct_roles = { ...this.#roleKeys("bins"), ...this.#bins };
		const signed: TargetsSigned = {
			_type: "targets",
			...this.#common("targets", "targets"),
			targets: this.#listed((path) => isTopLevel(path)),
			delegations: { keys: keysOf(this.keys.bins), succinct_roles },
		};
		await this.#put("targets", "targets", change(signed), signers);
	}

	async signSnapshot(
		change: (meta: Record<string, MetaFile>) => Record<string, MetaFile> = (meta) => meta,
	): Promise<void> {
		const listed = ["targets", ...binNames(this.#bins)];
		const meta = Object.fromEntries(
			listed.map((name) => [`${name}.json`, { version: this.versions.get(name)! }]),
		);
		const signed = {
			_type: "snapshot" as const,
			...this.#common("snapshot", "snapshot"),
			meta: change(meta),
		};
		await this.#put("snapshot", "snapshot", signed, this.keys.snapshot);
	}

	async signTimestamp(change: (meta: MetaFile) => MetaFile = (meta) => meta): Promise<void> {
		const version = this.versions.get("snapshot")!;
		const bytes = this.file(`metadata/${version}.snapshot.json`);
		const sha256 = createHash("sha256").update(bytes).digest("hex");
		const meta = { "snapshot.json": change({ version, length: bytes.byteLength, hashes: { sha256 } }) };
		const signed = { _type: "timestamp" as const, ...this.#common("timestamp", "timestamp"), meta };
		await this.#put("timestamp", "timestamp", signed, this.keys.timestamp);
	}

	/** Everything that is served, as it stands: to be served again later by somebody who replays it. */
	copyOfFiles(): Map<string, Uint8Array> {
		return new Map(this.files);
	}

	/** Writes the tree that a static mirror is. */
	writeTo(folder: string): void {
		for (const [path, bytes] of this.files) {
			mkdirSync(dirname(join(folder, path)), { recursive: true });
			writeFileSync(join(folder, path), bytes);
		}
	}

	async #signBin(name: string): Promise<void> {
		const signed: TargetsSigned = {
			_type: "targets",
			...this.#common(name, "bins"),
			targets: this.#listed((path) => !isTopLevel(path) && binOf(path, this.#bins) === name),
		};
		await this.#put(name, "targets", signed, this.keys.bins);
	}

	#listed(belongs: (path: string) => boolean): Record<string, TargetFile> {
		return Object.fromEntries([...this.#targets].filter(([path]) => belongs(path)));
	}

	#roleKeys(signer: Signer): RoleKeys {
		const keyids = this.keys[signer].map((key) => tufKeyId(tufKeyOf(key.publicKey)));
		return { keyids, threshold: signer === "root" || signer === "targets" ? this.#threshold : 1 };
	}

	#common(name: string, signer: Signer): { spec_version: string; version: number; expires: string } {
		const version = (this.versions.get(name) ?? 0) + 1;
		return { spec_version: TUF_SPEC_VERSION, version, expires: expiryAfter(this.now, LIFE_DAYS[signer]) };
	}

	async #put<T extends TopLevelRole>(
		name: string,
		_role: T,
		signed: SignedByRole[T],
		signers: readonly SecretKey[],
	): Promise<void> {
		const bytes = serializeEnvelope(await signNew(signed, signers));
		this.versions.set(name, signed.version);
		const file = name === "timestamp" ? "timestamp.json" : `${signed.version}.${name}.json`;
		this.files.set(`v1/metadata/${file}`, bytes);
	}
}

function isTopLevel(path: string): boolean {
	return path.startsWith("kfn/");
}

function targetFile(path: string, sha256: string): string {
	const at = path.lastIndexOf("/") + 1;
	return `${path.slice(0, at)}${sha256}.${path.slice(at)}`;
}

function keysOf(secrets: readonly SecretKey[]): Record<TufKeyId, TufKey> {
	const keys = secrets.map(({ publicKey }) => tufKeyOf(publicKey));
	return Object.fromEntries(keys.map((key) => [tufKeyId(key), key])) as Record<TufKeyId, TufKey>;
}
