// Signs what the online keys sign: bins, snapshot, timestamp (TUF 1.0.34 §4.4 to §4.6), within the caller's transaction.
// Refuses to sign root or targets, and to sign with keys that the live metadata does not name.
import { createHash } from "node:crypto";
import type { SecretKey } from "#signing/ed25519.ts";
import type { PublicKey } from "#signing/public-key.ts";
import {
	type RecalledName,
	type RecallList,
	signRecallList,
	unverifiedRecallList,
} from "#signing/recall-list.ts";
import { parseRegistryDocument } from "#signing/registry-document.ts";
import { binNames, binOf } from "#signing/tuf/bins.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import {
	type MetaFile,
	parseEnvelope,
	type RoleKeys,
	type RootSigned,
	type SnapshotSigned,
	type SuccinctRoles,
	serializeEnvelope,
	type TargetFile,
	type TargetsSigned,
	type TimestampSigned,
	TUF_SPEC_VERSION,
} from "#signing/tuf/metadata.ts";
import { REGISTRY_TARGET } from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { expiryAfter, tufTime } from "#signing/tuf/time.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads, MetadataTransaction, TrustFile } from "../ports/metadata-store.ts";
import { expiryOf, kindOfRole } from "./expiry.ts";
import { type Keyring, unusable } from "./online-keys.ts";

/** Superseded files stay readable for this long: a client that has the older timestamp finishes with it. */
const KEPT_MS = 24 * 3_600_000;

/** The live offline metadata, which says who signs what. */
export interface LiveTrust {
	readonly root: RootSigned;
	readonly targets: TargetsSigned;
	readonly bins: SuccinctRoles;
}

export interface TargetChanges {
	/** Archives by target path; null takes a target off its bin. */
	readonly archives?: ReadonlyMap<string, TargetFile | null>;
	/** Documents of the bins: each is stored, and listed by its digest. */
	readonly documents?: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

type TargetFiles = Readonly<Record<string, TargetFile>>;
type Unversioned<S> = S extends unknown ? Omit<S, "spec_version" | "version" | "expires"> : never;
type OnlineSigned = TargetsSigned | SnapshotSigned | TimestampSigned;

/** Current root and targets. REGISTRY_NOT_INITIALISED when there are none. */
export async function readLiveTrust(reads: MetadataReads): Promise<LiveTrust> {
	const rootFile = await reads.currentTrustFile("root");
	const targetsFile = await reads.currentTrustFile("targets");
	if (rootFile === undefined || targetsFile === undefined) {
		throw new RegistryError("REGISTRY_NOT_INITIALISED", "this registry has no trust metadata", {
			hint: "kfn registry init makes it; nothing is served without it",
		});
	}
	const { signed: root } = parseEnvelope(rootFile.bytes, "root");
	const { signed: targets } = parseEnvelope(targetsFile.bytes, "targets");
	if (targets.delegations === undefined) throw new Error("the live targets metadata delegates to no bins");
	return { root, targets, bins: targets.delegations.succinct_roles };
}

/**
 * Signs within one transaction, over the root and targets that are current in it.
 *
 * Everything that a call writes becomes visible with that transaction, or not at all. After any change of bins or
 * targets, {@link OnlineSigner.signSnapshot} must follow. REGISTRY_KEYS_UNUSABLE: the keyring lacks a key that the live
 * metadata names. REGISTRY_BUSY: another transaction was first (cannot be where transactions are serial).
 */
export class OnlineSigner {
	readonly trust: LiveTrust;
	readonly #tx: MetadataTransaction;
	readonly #keyring: Keyring;
	readonly #now: Date;

	private constructor(tx: MetadataTransaction, trust: LiveTrust, signing: { keyring: Keyring; now: Date }) {
		this.trust = trust;
		this.#tx = tx;
		this.#keyring = signing.keyring;
		this.#now = signing.now;
	}

	/** REGISTRY_NOT_INITIALISED. */
	static async open(
		tx: MetadataTransaction,
		signing: { keyring: Keyring; now: Date },
	): Promise<OnlineSigner> {
		return new OnlineSigner(tx, await readLiveTrust(tx), signing);
	}

	/** Lists changed targets: re-signs their bins, the snapshot and the timestamp, and nothing else. */
	async publish(changes: TargetChanges): Promise<void> {
		const files = new Map(changes.archives);
		for (const { path, bytes } of changes.documents ?? []) files.set(path, await this.store(path, bytes));
		for (const [bin, changed] of byBin(files, this.trust.bins)) {
			const listed = { ...(await this.#listed(bin)) };
			for (const [path, file] of changed) {
				if (file === null) delete listed[path];
				else listed[path] = file;
			}
			await this.#signBin(bin, listed);
		}
		await this.signSnapshot();
	}

	/** Makes the bytes the current document of the path, and answers how metadata lists them. */
	async store(path: string, bytes: Uint8Array): Promise<TargetFile> {
		const file = targetFileOf(bytes);
		await this.#tx.putDocument({ path, sha256: file.hashes.sha256, bytes }, this.#now.toISOString());
		return file;
	}

	/** Signs every bin anew with exactly these targets: for the first metadata, and for another number of bins. */
	async rebuildBins(files: ReadonlyMap<string, TargetFile>): Promise<void> {
		const filled = byBin(files, this.trust.bins);
		for (const bin of binNames(this.trust.bins)) {
			await this.#signBin(bin, Object.fromEntries(filled.get(bin) ?? []));
		}
	}

	/** Signs these bins again with what they list; all of them unless told which. */
	async resignBins(bins: readonly string[] = binNames(this.trust.bins)): Promise<void> {
		for (const bin of bins) await this.#signBin(bin, await this.#listed(bin));
	}

	/** The next snapshot over what is current now, and the timestamp over it. Removes what was superseded a day ago. */
	async signSnapshot(): Promise<void> {
		const meta: Record<string, MetaFile> = {};
		for (const { role, version } of await this.#tx.listRoles()) {
			// A bin of an earlier number of bins stays listed: a snapshot that lacks one is refused by clients (§5.5.5).
			if (kindOfRole(role) === "targets" || kindOfRole(role) === "bins") meta[`${role}.json`] = { version };
		}
		await this.#sign("snapshot", { _type: "snapshot", meta }, this.trust.root.roles.snapshot);
		await this.signTimestamp();
		await this.#tx.pruneTrust(new Date(this.#now.getTime() - KEPT_MS).toISOString());
	}

	/**
	 * The next recall list, over the revocations that are listed now; false where the registry's document names no key for it.
	 * REGISTRY_KEYS_UNUSABLE.
	 */
	async signRecallList(): Promise<boolean> {
		const key = await recallKey(this.#tx);
		if (key === undefined) return false;
		const keyid = tufKeyId(tufKeyOf(key));
		const secret = secretOf(this.#keyring, "recall", { keyids: [keyid], threshold: 1 });
		const sequence = ((await currentRecallList(this.#tx))?.sequence ?? 0) + 1;
		const names = await recalledNames(this.#tx, this.#now);
		const [issued, expires] = [tufTime(this.#now), expiryAfter(this.#now, RECALL_LIST_DAYS)];
		await this.store(RECALL_LIST_PATH, await signRecallList({ sequence, issued, expires, names }, secret));
		return true;
	}

	/** The next timestamp over the current snapshot. */
	async signTimestamp(): Promise<void> {
		const { version, bytes } = await this.#current("snapshot");
		const meta = { "snapshot.json": { version, ...targetFileOf(bytes) } };
		await this.#sign("timestamp", { _type: "timestamp", meta }, this.trust.root.roles.timestamp);
	}

	#signBin(bin: string, targets: TargetFiles): Promise<void> {
		return this.#sign(bin, { _type: "targets", targets }, this.trust.bins);
	}

	async #listed(bin: string): Promise<TargetFiles> {
		const { bytes } = await this.#current(bin);
		return parseEnvelope(bytes, "targets").signed.targets;
	}

	async #current(role: string): Promise<TrustFile> {
		const file = await this.#tx.currentTrustFile(role);
		if (file === undefined) throw new Error(`the role ${role} has no metadata`);
		return file;
	}

	/** Signs `body` as the role's next version, good from now for the time that its kind has. */
	async #sign(role: string, body: Unversioned<OnlineSigned>, keys: RoleKeys): Promise<void> {
		const before = await this.#tx.currentTrustFile(role);
		const version = (before?.version ?? 0) + 1;
		const expires = expiryOf(kindOfRole(role), this.#now);
		const signed = { ...body, spec_version: TUF_SPEC_VERSION, version, expires } as OnlineSigned;
		const bytes = serializeEnvelope(await signNew(signed, [secretOf(this.#keyring, role, keys)]));
		const written = await this.#tx.insertTrustFile(
			{ role, version, expires, bytes },
			this.#now.toISOString(),
		);
		if (written) return;
		throw new RegistryError("REGISTRY_BUSY", "the metadata was changed at the same moment", {
			hint: "try again",
		});
	}
}

function secretOf(keyring: Keyring, role: string, { keyids, threshold }: RoleKeys): SecretKey {
	const secret = keyids.map(keyring).find((found) => found !== undefined);
	if (secret !== undefined && threshold === 1) return secret;
	throw unusable(`the live metadata names another key for ${role}, or wants more than one`, {
		hint: "restore keys/online.json from a backup, or rotate the online keys (kfn root rotate --online)",
		details: { role, keyids, threshold },
	});
}

/** {@link OnlineSigner.publish} in one call. */
export async function publishTargets(
	tx: MetadataTransaction,
	changes: TargetChanges,
	signing: { readonly keyring: Keyring; readonly now: Date },
): Promise<void> {
	await (await OnlineSigner.open(tx, signing)).publish(changes);
}

/** Where the list stands among the documents; no target has such a path. */
export const RECALL_LIST_PATH = "recall.json";
export const RECALL_LIST_DAYS = 1;

/** The key that the live kfn/registry.json names for the recall list. */
export async function recallKey(reads: MetadataReads): Promise<PublicKey | undefined> {
	const document = await reads.currentDocument(REGISTRY_TARGET);
	return document && parseRegistryDocument(document.bytes).recall?.key;
}

export async function currentRecallList(reads: MetadataReads): Promise<RecallList | undefined> {
	const document = await reads.currentDocument(RECALL_LIST_PATH);
	return document && unverifiedRecallList(document.bytes);
}

async function recalledNames(reads: MetadataReads, now: Date): Promise<RecalledName[]> {
	const records = await reads.listStatements("revocation", null, tufTime(now));
	const names: RecalledName[] = [];
	for (const name of new Set(records.map((record) => record.name))) {
		const document = await reads.currentDocument(`${name}/revocation.json`);
		if (document !== undefined)
			names.push({ name, sha256: document.sha256, size: document.bytes.byteLength });
	}
	return names;
}

/** REGISTRY_KEYS_UNUSABLE unless the keyring has the keys that the live metadata is signed with. */
export function demandKeys(keyring: Keyring, { root, bins }: LiveTrust): void {
	secretOf(keyring, "snapshot", root.roles.snapshot);
	secretOf(keyring, "timestamp", root.roles.timestamp);
	secretOf(keyring, "bins", bins);
}

/** The ids of the online keys that live metadata and the recall list are signed with. REGISTRY_NOT_INITIALISED. */
export async function onlineKeyIds(reads: MetadataReads): Promise<ReadonlySet<TufKeyId>> {
	const { root, bins } = await readLiveTrust(reads);
	const recall = await recallKey(reads);
	const ids = [...root.roles.snapshot.keyids, ...root.roles.timestamp.keyids, ...bins.keyids];
	return new Set([...ids, ...(recall === undefined ? [] : [tufKeyId(tufKeyOf(recall))])]);
}

function targetFileOf(bytes: Uint8Array): TargetFile {
	const sha256 = createHash("sha256").update(bytes).digest("hex");
	return { length: bytes.byteLength, hashes: { sha256 } };
}

function byBin<F>(files: ReadonlyMap<string, F>, shape: SuccinctRoles): Map<string, [string, F][]> {
	const bins = new Map<string, [string, F][]>();
	for (const entry of files) {
		const bin = binOf(entry[0], shape);
		const listed = bins.get(bin);
		if (listed === undefined) bins.set(bin, [entry]);
		else listed.push(entry);
	}
	return bins;
}
