// A TUF repository that @tufjs/models signs, in memory: keys of three kinds, k of n, delegations in any graph. Another
// implementation's repository for our client's tests; refuses no lie: whoever holds its keys may sign anything.
import { createHash } from "node:crypto";
import {
	Metadata,
	MetaFile,
	Root,
	type Signature,
	Snapshot,
	TargetFile,
	Targets,
	Timestamp,
} from "@tufjs/models";
import { Delegations } from "@tufjs/models/dist/delegations.js";
import { DelegatedRole, Role } from "@tufjs/models/dist/role.js";
import { type KeyKind, type ModelsKey, makeModelsKey } from "./models-key.ts";

export type TopRole = "root" | "timestamp" | "snapshot" | "targets";

export interface ModelsOptions {
	/** Of every key; `ecdsa` unless given. */
	readonly kind?: KeyKind;
	/** How many keys each role has; 1 unless given. */
	readonly keys?: number;
	/** How many of them must sign; 1 unless given. */
	readonly threshold?: number;
	/** False: files without version and hash in their names (TUF 1.0.34 §6.2). */
	readonly consistentSnapshot?: boolean;
	/** Hash algorithms of targets; sha256 unless given. */
	readonly hashes?: readonly string[];
}

/** Who delegates to a role, and which paths. */
export interface Delegation {
	readonly from: string;
	readonly to: string;
	readonly paths?: readonly string[];
	readonly terminating?: boolean;
}

const SPEC_VERSION = "1.0.31";
const DAY_MS = 86_400_000;

export class ModelsRepository {
	/** By path below the base, decoded: `metadata/2.root.json`, `targets/a/<sha256>.b`. */
	readonly files = new Map<string, Uint8Array>();
	readonly versions = new Map<string, number>();
	/** Those that sign a role, by its name; a test may take some away or put others there. */
	readonly signers = new Map<string, ModelsKey[]>();
	/** What the root says of the top-level roles; starts out as `signers`. */
	readonly roleKeys = new Map<string, { keys: ModelsKey[]; threshold: number }>();
	/** When everything expires that is signed from now on. */
	expires = new Date(Date.now() + 30 * DAY_MS);
	readonly #options: Required<ModelsOptions>;
	readonly #targets = new Map<string, Map<string, TargetFile>>();
	readonly #delegations: Delegation[] = [];

	constructor(options: ModelsOptions = {}, delegations: readonly Delegation[] = []) {
		this.#options = {
			kind: "ecdsa",
			keys: 1,
			threshold: 1,
			consistentSnapshot: true,
			hashes: ["sha256"],
			...options,
		};
		for (const role of ["root", "timestamp", "snapshot", "targets"]) this.giveKeys(role);
		for (const delegation of delegations) this.delegate(delegation);
		this.signRoot();
		this.publish();
	}

	get root(): Uint8Array {
		return this.files.get(`metadata/${this.versions.get("root")}.root.json`)!;
	}

	/** The newest file of a role, as it is served. */
	file(role: string): Uint8Array {
		return this.files.get(this.#pathOf(role))!;
	}

	/** From the next signing of `from` on; a role that has no keys yet gets some. */
	delegate(delegation: Delegation): void {
		if (!this.roleKeys.has(delegation.to)) this.giveKeys(delegation.to);
		this.#delegations.push(delegation);
	}

	/** New keys for a role; whoever delegates to it must sign that. Gives those it had. */
	giveKeys(role: string): ModelsKey[] {
		const { kind, keys, threshold } = this.#options;
		const before = this.signers.get(role) ?? [];
		const made = Array.from({ length: keys }, () => makeModelsKey(kind));
		this.signers.set(role, made.slice(0, threshold));
		this.roleKeys.set(role, { keys: made, threshold });
		return before;
	}

	/** Lists a target in a role and serves it; {@link publish} signs. */
	add(role: string, path: string, bytes: Uint8Array): void {
		const hashes = Object.fromEntries(
			this.#options.hashes.map((name) => [name, createHash(name).update(bytes).digest("hex")]),
		);
		this.listed(role).set(path, new TargetFile({ path, length: bytes.byteLength, hashes }));
		const at = path.lastIndexOf("/") + 1;
		const prefix = this.#options.consistentSnapshot ? `${Object.values(hashes)[0]}.` : "";
		this.files.set(`targets/${path.slice(0, at)}${prefix}${path.slice(at)}`, bytes);
	}

	listed(role: string): Map<string, TargetFile> {
		const listed = this.#targets.get(role) ?? new Map<string, TargetFile>();
		this.#targets.set(role, listed);
		return listed;
	}

	/** Signs everything below the root anew. */
	publish(): void {
		for (const role of new Set(this.#delegations.map(({ to }) => to))) this.signTargets(role);
		this.signTargets("targets");
		this.signSnapshot();
		this.signTimestamp();
	}

	/** A new root; `more` sign it, too, as the keys of the last root must. */
	signRoot(more: readonly ModelsKey[] = [], common: { version?: number } = {}): void {
		const signed = new Root({
			...this.#common("root"),
			...common,
			consistentSnapshot: this.#options.consistentSnapshot,
		});
		for (const role of ["root", "timestamp", "snapshot", "targets"]) {
			const { keys, threshold } = this.roleKeys.get(role)!;
			signed.roles[role] = new Role({ keyIDs: keys.map(({ key }) => key.keyID), threshold });
			for (const { key } of keys) signed.keys[key.keyID] = key;
		}
		this.#put("root", new Metadata(signed), more);
	}

	signTargets(role: string): void {
		const delegations = this.#delegationsOf(role);
		const signed = new Targets({
			...this.#common(role),
			targets: Object.fromEntries(this.listed(role)),
			...(delegations === undefined ? {} : { delegations }),
		});
		this.#put(role, new Metadata(signed));
	}

	signSnapshot(
		change: (meta: Record<string, MetaFile>) => Record<string, MetaFile> = (meta) => meta,
		common: { version?: number } = {},
	): void {
		const roles = ["targets", ...new Set(this.#delegations.map(({ to }) => to))];
		const meta = Object.fromEntries(
			roles.map((role) => [`${role}.json`, new MetaFile({ version: this.versions.get(role)! })]),
		);
		const signed = new Snapshot({ ...this.#common("snapshot"), ...common, meta: change(meta) });
		this.#put("snapshot", new Metadata(signed));
	}

	signTimestamp(change: (meta: MetaFile) => MetaFile = (meta) => meta): void {
		const bytes = this.file("snapshot");
		const sha256 = createHash("sha256").update(bytes).digest("hex");
		const version = this.versions.get("snapshot")!;
		const meta = new MetaFile({ version, length: bytes.byteLength, hashes: { sha256 } });
		const signed = new Timestamp({ ...this.#common("timestamp"), snapshotMeta: change(meta) });
		this.#put("timestamp", new Metadata(signed));
	}

	#common(role: string): { specVersion: string; version: number; expires: string } {
		const expires = `${this.expires.toISOString().slice(0, 19)}Z`;
		return { specVersion: SPEC_VERSION, version: (this.versions.get(role) ?? 0) + 1, expires };
	}

	#delegationsOf(from: string): Delegations | undefined {
		const mine = this.#delegations.filter((delegation) => delegation.from === from);
		if (mine.length === 0) return undefined;
		const delegations = new Delegations({ keys: {}, roles: {} });
		for (const { to, paths = ["*"], terminating = false } of mine) {
			const { keys, threshold } = this.roleKeys.get(to)!;
			const keyIDs = keys.map(({ key }) => key.keyID);
			delegations.roles![to] = new DelegatedRole({
				name: to,
				keyIDs,
				threshold,
				terminating,
				paths: [...paths],
			});
			for (const { key } of keys) delegations.keys[key.keyID] = key;
		}
		return delegations;
	}

	#put(
		role: string,
		metadata: { sign(by: (data: Buffer) => Signature): void; toJSON(): unknown; signed: { version: number } },
		more: readonly ModelsKey[] = [],
	): void {
		for (const { sign } of [...this.signers.get(role)!, ...more]) metadata.sign(sign);
		this.versions.set(role, metadata.signed.version);
		this.files.set(this.#pathOf(role), Buffer.from(JSON.stringify(metadata.toJSON())));
	}

	#pathOf(role: string): string {
		const versioned = role === "root" || (this.#options.consistentSnapshot && role !== "timestamp");
		return `metadata/${versioned ? `${this.versions.get(role)}.` : ""}${role}.json`;
	}
}
