// The online keys on disk: made once, for their owner alone, and through a rotation that may be killed anywhere.
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { temporaryFolder } from "../testing/server.ts";
import {
	createOnlineKeys,
	generateOnlineKeys,
	nextOnlineKeys,
	type OnlineKeys,
	openKeyring,
	readOnlineKeys,
	settleOnlineKeys,
	stageOnlineKeys,
} from "./online-keys.ts";

let dataDir: string;
let first: OnlineKeys;
beforeEach(async () => {
	dataDir = temporaryFolder();
	first = await generateOnlineKeys();
	await createOnlineKeys(dataDir, first);
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const ROLES = ["bins", "snapshot", "timestamp", "log", "recall"] as const;
const ids = (keys: OnlineKeys) => ROLES.map((role) => keys[role]?.publicKey.keyid);
const tufIds = (keys: OnlineKeys, ...roles: (typeof ROLES)[number][]): Set<TufKeyId> =>
	new Set(roles.map((role) => tufKeyId(tufKeyOf(keys[role]!.publicKey))));
const file = (name = "online.json") => join(dataDir, "keys", name);

test("they come back as they were written, readable by their owner alone", async () => {
	expect(ids(await readOnlineKeys(dataDir))).toEqual(ids(first));
	expect(statSync(file()).mode & 0o777).toBe(0o600);
	expect(statSync(join(dataDir, "keys")).mode & 0o777).toBe(0o700);
	expect(readdirSync(join(dataDir, "keys"))).toEqual(["online.json"]);
});

test("they are made once: of several at once one wins, and nothing is replaced", async () => {
	const fresh = temporaryFolder();
	const made = await Promise.all(Array.from({ length: 5 }, () => generateOnlineKeys()));
	const outcomes = await Promise.allSettled(made.map((keys) => createOnlineKeys(fresh, keys)));
	expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
	const winner = made[outcomes.findIndex(({ status }) => status === "fulfilled")]!;
	expect(ids(await readOnlineKeys(fresh))).toEqual(ids(winner));
	await expect(createOnlineKeys(fresh, first)).rejects.toMatchObject({
		code: "REGISTRY_ALREADY_INITIALISED",
	});
	expect(readdirSync(join(fresh, "keys"))).toEqual(["online.json"]);
	rmSync(fresh, { recursive: true });
});

test.each([0o640, 0o604, 0o660])("a file that others may use (mode %o) is refused", async (mode) => {
	chmodSync(file(), mode);
	await expect(readOnlineKeys(dataDir)).rejects.toMatchObject({ code: "REGISTRY_KEYS_UNUSABLE" });
});

test("a folder without keys is not initialised", async () => {
	rmSync(file());
	await expect(openKeyring(dataDir)).rejects.toMatchObject({ code: "REGISTRY_NOT_INITIALISED" });
});

test("a file that is cut short anywhere is refused, and its error never quotes it", async () => {
	const whole = readFileSync(file(), "utf8");
	for (let end = 0; end < whole.length - 2; end += 9) {
		writeFileSync(file(), whole.slice(0, end));
		const error = await readOnlineKeys(dataDir).then(
			() => expect.unreachable(`${end} bytes were enough`),
			(refused: Error) => refused,
		);
		expect(error).toMatchObject({ code: "REGISTRY_KEYS_UNUSABLE" });
		expect(error).not.toHaveProperty("cause");
		expect(error.message).not.toMatch(/[A-Za-z0-9+/]{43}/);
	}
});

/** What a rotation does on disk. */
async function rotated(inUse: ReadonlySet<TufKeyId>): Promise<OnlineKeys> {
	const keys = await nextOnlineKeys(dataDir);
	await stageOnlineKeys(dataDir, keys, inUse);
	return keys;
}

test("a rotation: both sets sign until live metadata names the new ones, whatever it names first", async () => {
	const both = () => openKeyring(dataDir);
	const old = tufIds(first, "bins", "snapshot", "timestamp");
	const next = await rotated(old);
	expect(ids(next)[3]).toBe(ids(first)[3]);
	for (const id of [...old, ...tufIds(next, "bins", "snapshot", "timestamp")])
		expect((await both())(id)).toBeDefined();
	// The new root went live, the targets that name the new bins key did not yet.
	await settleOnlineKeys(
		dataDir,
		new Set([...tufIds(next, "snapshot", "timestamp"), ...tufIds(first, "bins")]),
	);
	expect(ids(await readOnlineKeys(dataDir))).toEqual([
		ids(first)[0],
		ids(next)[1],
		ids(next)[2],
		ids(first)[3],
		ids(first)[4],
	]);
	expect((await both())([...tufIds(next, "bins")][0]!)).toBeDefined();
	await settleOnlineKeys(dataDir, tufIds(next, "bins", "snapshot", "timestamp", "recall"));
	expect(ids(await readOnlineKeys(dataDir))).toEqual(ids(next));
	expect(readdirSync(join(dataDir, "keys"))).toEqual(["online.json"]);
	expect((await both())([...tufIds(first, "snapshot")][0]!)).toBeUndefined();
});

test("a second rotation drafted over the first: keys that are in use stay, whatever was settled", async () => {
	const next = await rotated(tufIds(first, "bins", "snapshot", "timestamp"));
	const inUse = new Set([...tufIds(next, "snapshot", "timestamp"), ...tufIds(first, "bins")]);
	// Killed after the metadata went live, before the keys were settled.
	const third = await rotated(inUse);
	const keyring = await openKeyring(dataDir);
	for (const id of [...inUse, ...tufIds(third, "bins", "snapshot", "timestamp")])
		expect(keyring(id)).toBeDefined();
});

test("keys from before there were recall lists go on without one, until a rotation brings it", async () => {
	const { recall: _recall, ...older } = first;
	const folder = temporaryFolder();
	await createOnlineKeys(folder, older);
	expect(Object.keys(await readOnlineKeys(folder)).sort()).toEqual(["bins", "log", "snapshot", "timestamp"]);
	const inUse = tufIds(older, "bins", "snapshot", "timestamp");
	const next = await nextOnlineKeys(folder);
	await stageOnlineKeys(folder, next, inUse);
	await settleOnlineKeys(folder, tufIds(next, "bins", "snapshot", "timestamp", "recall"));
	expect(ids(await readOnlineKeys(folder))).toEqual(ids(next));
	rmSync(folder, { recursive: true });
});
