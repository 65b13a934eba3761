// The registry's own keys: bins, snapshot, timestamp, log and recall, in DATA/keys/online.json (docs/formats/trust.md). Refuses a
// file that others may read, and to replace keys that live metadata is signed with.
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { SigningError } from "#signing/errors.ts";
import { formatSeed, parseSeed } from "#signing/secret-key-file.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { RegistryError } from "../api/errors.ts";
import { hasCode, syncFolder, writeAll } from "../blob/durable.ts";

const SCHEMA = "kfn.online-keys/1";
const ROLES = ["bins", "snapshot", "timestamp", "log"] as const;

export type OnlineKeys = Readonly<Record<(typeof ROLES)[number], SecretKey>> & {
	/** Signs the recall list; absent in a registry from before there were any, until its online keys are rotated. */
	readonly recall?: SecretKey;
};

/** Finds the secret half of an online key that metadata or kfn/registry.json names; undefined when this registry does not have it. */
export type Keyring = (keyid: TufKeyId) => SecretKey | undefined;

/** New keys; with `log`, everything but the log's. */
export async function generateOnlineKeys(kept: { log?: SecretKey } = {}): Promise<OnlineKeys> {
	return {
		bins: await generateKeyPair("bins"),
		snapshot: await generateKeyPair("snapshot"),
		timestamp: await generateKeyPair("timestamp"),
		recall: await generateKeyPair("recall"),
		log: kept.log ?? (await generateKeyPair("log")),
	};
}

/** Writes the first keys of a registry, durably, for its owner alone. REGISTRY_ALREADY_INITIALISED when it has some. */
export async function createOnlineKeys(dataDir: string, keys: OnlineKeys): Promise<void> {
	const folder = await keysFolder(dataDir);
	try {
		// A link, not a rename: of two at once, one wins and the other is told.
		await placeKeys(join(folder, "online.json"), keys, link);
	} catch (error) {
		if (!hasCode(error, "EEXIST")) throw error;
		throw new RegistryError("REGISTRY_ALREADY_INITIALISED", "this registry has online keys already", {
			hint: "kfn root rotate --online replaces them",
		});
	}
}

/** The folder's first keys: those of an init that was killed before it had written its drafts, or new ones. */
export async function firstOnlineKeys(dataDir: string): Promise<OnlineKeys> {
	const keys = await readKeys(join(dataDir, "keys", "online.json"));
	if (keys !== undefined) return keys;
	const fresh = await generateOnlineKeys();
	await createOnlineKeys(dataDir, fresh);
	return fresh;
}

/** Keys for a rotation, in memory only. The log's key stays. Errors of {@link readOnlineKeys}. */
export async function nextOnlineKeys(dataDir: string): Promise<OnlineKeys> {
	const { log } = await readOnlineKeys(dataDir);
	return generateOnlineKeys({ log });
}

/**
 * Writes keys/next.json: keys that a draft names and that nothing is signed with yet. Earlier next keys are replaced, and
 * with them the draft that names them is lost; but never one of `inUse`, which {@link settleOnlineKeys} moves first.
 */
export async function stageOnlineKeys(
	dataDir: string,
	keys: OnlineKeys,
	inUse: ReadonlySet<TufKeyId>,
): Promise<void> {
	await settleOnlineKeys(dataDir, inUse);
	await placeKeys(join(await keysFolder(dataDir), "next.json"), keys, rename);
}

/**
 * Makes online.json hold, for each role, the key that live metadata names; next.json goes when nothing in it is new.
 * Harmless at any time; a kill before it is made up for by the next call, since {@link openKeyring} reads both files.
 */
export async function settleOnlineKeys(dataDir: string, inUse: ReadonlySet<TufKeyId>): Promise<void> {
	const folder = await keysFolder(dataDir);
	const next = await readKeys(join(folder, "next.json"));
	if (next === undefined) return;
	const online = await readOnlineKeys(dataDir);
	const live = (role: "bins" | "snapshot" | "timestamp") =>
		(inUse.has(idOf(next[role])) ? next : online)[role];
	const settled = {
		bins: live("bins"),
		snapshot: live("snapshot"),
		timestamp: live("timestamp"),
		log: online.log,
		...recallOf(next.recall !== undefined && inUse.has(idOf(next.recall)) ? next : online),
	};
	await placeKeys(join(folder, "online.json"), settled, rename);
	if (
		settled.bins !== next.bins ||
		settled.snapshot !== next.snapshot ||
		settled.timestamp !== next.timestamp ||
		settled.recall !== next.recall
	)
		return;
	await rm(join(folder, "next.json"), { force: true });
	await syncFolder(folder);
}

/** The keys of online.json. REGISTRY_NOT_INITIALISED: there is no such file. REGISTRY_KEYS_UNUSABLE. */
export async function readOnlineKeys(dataDir: string): Promise<OnlineKeys> {
	const keys = await readKeys(join(dataDir, "keys", "online.json"));
	if (keys !== undefined) return keys;
	throw new RegistryError("REGISTRY_NOT_INITIALISED", "this registry has no online keys", {
		hint: "kfn registry init makes them",
	});
}

/** The online keys, those of a rotation under way included. Errors of {@link readOnlineKeys}. */
export async function openKeyring(dataDir: string): Promise<Keyring> {
	const next = await readKeys(join(dataDir, "keys", "next.json"));
	// Read second: a rotation writes online.json before it removes next.json, so no key is in neither.
	const online = await readOnlineKeys(dataDir);
	return keyringOf(...(next === undefined ? [online] : [online, next]));
}

export function keyringOf(...sets: readonly OnlineKeys[]): Keyring {
	const byId = new Map<TufKeyId, SecretKey>();
	for (const keys of sets) for (const secret of Object.values(keys)) byId.set(idOf(secret), secret);
	return (keyid) => byId.get(keyid);
}

function idOf(secret: SecretKey): TufKeyId {
	return tufKeyId(tufKeyOf(secret.publicKey));
}

function recallOf({ recall }: OnlineKeys): Pick<OnlineKeys, "recall"> {
	return recall === undefined ? {} : { recall };
}

async function keysFolder(dataDir: string): Promise<string> {
	const folder = join(dataDir, "keys");
	await mkdir(folder, { recursive: true, mode: 0o700 });
	await syncFolder(dataDir);
	return folder;
}

/** Writes a file of its own, flushes it, and has `place` put it at `path`. */
async function placeKeys(
	path: string,
	keys: OnlineKeys,
	place: (from: string, to: string) => Promise<void>,
): Promise<void> {
	const seeds = Object.fromEntries(Object.entries(keys).map(([role, key]) => [role, formatSeed(key)]));
	const bytes = Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...seeds }, null, 2)}\n`);
	const fresh = `${path}.${randomUUID()}`;
	const file = await open(fresh, "wx", 0o600);
	try {
		await writeAll(file, bytes);
		await file.sync();
		await place(fresh, path);
	} finally {
		await file.close();
		await rm(fresh, { force: true });
	}
	await syncFolder(dirname(path));
}

async function readKeys(path: string): Promise<OnlineKeys | undefined> {
	try {
		const { mode } = await stat(path);
		if ((mode & 0o077) !== 0) throw exposed(path);
		return await parseKeys(await readFile(path, "utf8"));
	} catch (error) {
		if (hasCode(error, "ENOENT")) return undefined;
		throw error;
	}
}

function exposed(path: string): RegistryError {
	return unusable("others than its owner may use the file", {
		hint: `if nobody else did: chmod 600 ${path}; else rotate the online keys`,
	});
}

async function parseKeys(text: string): Promise<OnlineKeys> {
	try {
		const file = JSON.parse(text) as Record<string, unknown>;
		if (file["schema"] !== SCHEMA) throw new SyntaxError("schema");
		const roles = [...ROLES, ...("recall" in file ? ["recall"] : [])];
		const keys = roles.map(async (role) => [role, await parseSeed(String(file[role]))] as const);
		return Object.fromEntries(await Promise.all(keys)) as OnlineKeys;
	} catch (error) {
		// Never with the cause: a parser's message may quote the text, and the text is the keys.
		if (!(error instanceof SyntaxError || error instanceof SigningError || error instanceof TypeError))
			throw error;
		throw unusable(`the file is not ${SCHEMA}`, { hint: "take it from a backup, or rotate the online keys" });
	}
}

/** REGISTRY_KEYS_UNUSABLE. */
export function unusable(
	why: string,
	more: { hint: string; details?: Readonly<Record<string, unknown>> },
): RegistryError {
	return new RegistryError(
		"REGISTRY_KEYS_UNUSABLE",
		`the registry's online keys cannot be used: ${why}`,
		more,
	);
}
