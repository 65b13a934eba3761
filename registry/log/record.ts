// What the registry writes into its log, and when: every publish, yank and change of keys, in the transaction that does it.
// Refuses to do any of them unlogged once kfn/registry.json names a log.
import { createHash } from "node:crypto";
import type { LogTrust } from "#signing/log/checkpoint.ts";
import type { LogEntry } from "#signing/log/entry.ts";
import { logTrustOf, parseRegistryDocument } from "#signing/registry-document.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { PUBLISHERS_TARGET, REGISTRY_TARGET, VENDORS_TARGET } from "#signing/tuf/next-targets.ts";
import type { MetadataReads, MetadataTransaction, VersionRecord } from "../ports/metadata-store.ts";
import { type Keyring, unusable } from "../trust/online-keys.ts";
import { appendToLog, type LogSigner } from "./append.ts";

const NAMES_PER_PAGE = 1000;

/** The log that the live kfn/registry.json names; undefined when it names none. */
export async function readLogTrust(reads: MetadataReads): Promise<LogTrust | undefined> {
	const document = await reads.currentDocument(REGISTRY_TARGET);
	return document && logTrustOf(parseRegistryDocument(document.bytes));
}

/** Appends the entry; without a log, nothing. REGISTRY_KEYS_UNUSABLE: the keyring lacks the log's key; errors of `appendToLog`. */
export async function recordInLog(
	tx: MetadataTransaction,
	entry: LogEntry,
	signing: { readonly keyring: Keyring },
): Promise<void> {
	const log = await openLog(tx, signing.keyring);
	if (log !== undefined) await appendToLog(tx, log, entry);
}

/** Whatever of root, targets and the maps of who may sign what is other than `before`; to be called once they are stored. */
export async function recordKeyChanges(
	tx: MetadataTransaction,
	before: KeyState,
	signing: { readonly keyring: Keyring; readonly now: Date },
): Promise<void> {
	const after = await readKeyState(tx);
	const at = signing.now.toISOString();
	for (const type of ["root", "targets"] as const) {
		const role = after[type];
		if (role === undefined || role.version === before[type]?.version) continue;
		await recordInLog(tx, { at, type, ...role }, signing);
	}
	for (const type of ["publishers", "vendors"] as const) {
		const sha256 = after[type];
		if (sha256 === undefined || sha256 === before[type]) continue;
		await recordInLog(tx, { at, type, sha256 }, signing);
	}
}

export interface KeyState {
	readonly root?: { readonly version: number; readonly sha256: string };
	readonly targets?: { readonly version: number; readonly sha256: string };
	/** Digest of the authorisation map. */
	readonly publishers?: string;
	/** Digest of the map of vendors. */
	readonly vendors?: string;
}

export async function readKeyState(reads: MetadataReads): Promise<KeyState> {
	const role = async (name: "root" | "targets") => {
		const file = await reads.currentTrustFile(name);
		const sha256 = file && createHash("sha256").update(file.bytes).digest("hex");
		return file && sha256 ? { [name]: { version: file.version, sha256 } } : {};
	};
	const map = async (name: "publishers" | "vendors", path: string) => {
		const document = await reads.currentDocument(path);
		return document === undefined ? {} : { [name]: document.sha256 };
	};
	return {
		...(await role("root")),
		...(await role("targets")),
		...(await map("publishers", PUBLISHERS_TARGET)),
		...(await map("vendors", VENDORS_TARGET)),
	};
}

export async function recordVersion(
	tx: MetadataTransaction,
	record: VersionRecord,
	signing: { readonly keyring: Keyring },
): Promise<void> {
	const { name, version, sha256, manifestSha256, tag, publishedAt: at } = record;
	await recordInLog(tx, { at, type: "publish", name, version, sha256, manifestSha256, tag }, signing);
}

/**
 * Logs every version that was published before there was a log, under the time of its publication: no version is offered
 * outside of it. Says whether there were any.
 */
export async function recordUnloggedVersions(
	tx: MetadataTransaction,
	signing: { readonly keyring: Keyring },
): Promise<boolean> {
	if ((await readLogTrust(tx)) === undefined) return false;
	let any = false;
	for (let after: string | undefined = ""; after !== undefined; ) {
		const names: string[] = await tx.listNames(after, NAMES_PER_PAGE);
		for (const name of names) {
			const logged = await tx.findLogIndexes(name);
			const missing = (await tx.listVersions(name)).filter(({ version }) => !logged.has(version));
			for (const record of missing.sort(byTime)) await recordVersion(tx, record, signing);
			any ||= missing.length > 0;
		}
		after = names.at(-1);
	}
	return any;
}

function byTime(a: VersionRecord, b: VersionRecord): number {
	return a.publishedAt < b.publishedAt ? -1 : a.publishedAt > b.publishedAt ? 1 : 0;
}

async function openLog(reads: MetadataReads, keyring: Keyring): Promise<LogSigner | undefined> {
	const trust = await readLogTrust(reads);
	if (trust === undefined) return undefined;
	const secret = keyring(tufKeyId(tufKeyOf(trust.key.publicKey)));
	if (secret !== undefined) return { trust, secret };
	throw unusable("kfn/registry.json names another key for the log", {
		hint: "restore keys/online.json from a backup: the log goes on only under the key that hosts know",
		details: { key: trust.key.name },
	});
}
