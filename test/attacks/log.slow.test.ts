// A registry whose machine and online keys are stolen, against hosts that have seen its log before. Real server, real database,
// real signatures of the stolen log key; every attack by its name.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CHECKPOINT_FILE } from "#host/trust-state/checkpoint-file.ts";
import { demandLogged, logOfSet } from "#host/trust-state/log.ts";
import { readMark } from "#host/trust-state/mark.ts";
import { recoverTrust } from "#host/trust-state/pinning.ts";
import { readTrustState } from "#host/trust-state/state.ts";
import type { IndexVersion } from "#registry/api/wire.ts";
import { testBundle } from "#registry/testing/bundles.ts";
import { TestServer } from "#registry/testing/server.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { parseCheckpoint, signCheckpoint } from "#signing/log/checkpoint.ts";
import { type LogEntry, parseLogEntry } from "#signing/log/entry.ts";
import { forgeLog, growServerLog, type LogHost, openLogHost, tamper } from "../harness/log-world.ts";
import { outcome } from "../harness/trust-world.ts";

let server: TestServer;
let host: LogHost;
let token: string;
beforeEach(async () => {
	server = await TestServer.start();
	token = await server.token();
	host = openLogHost(server);
});
afterEach(async () => {
	host[Symbol.dispose]();
	await server[Symbol.asyncDispose]();
});

const publish = async (version: string) => {
	expect((await server.publish(await testBundle({ version }), token)).status).toBe(201);
};
const seen = () => parseCheckpoint(readTrustState(host.host).set!.files.get(CHECKPOINT_FILE)!);
const entriesOf = async (reader = host): Promise<LogEntry[]> => {
	const log = await logOfSet((await reader.refresh()).set, reader.fetch);
	return (await log!.tree.entryBundle(0)).map(parseLogEntry);
};
const filler = (count: number): LogEntry[] =>
	Array.from({ length: count }, (_, n) => ({
		at: "2026-01-02T03:04:05.678Z",
		type: "yank",
		name: "filler",
		version: `1.0.${n}`,
		sha256: n.toString(16).padStart(64, "0"),
	}));
const indexed = async (name: string): Promise<IndexVersion[]> => {
	const session = await host.refresh();
	const bytes = await session.download(await session.find(`${name}/index.json`));
	return (JSON.parse(Buffer.from(bytes).toString()) as { versions: IndexVersion[] }).versions;
};

test("an honest registry: the log grows, and each refresh remembers it", async () => {
	await host.refresh();
	expect(seen().size).toBe(3);
	await publish("1.0.0");
	await growServerLog(server, filler(600));
	await host.refresh();
	expect([seen().size, readMark(host.host).log!.size]).toEqual([604, 604]);
});

test("log truncated: the registry serves an older checkpoint, properly signed", async () => {
	await publish("1.0.0");
	await host.refresh();
	const before = readTrustState(host.host).set!.files.get(CHECKPOINT_FILE);
	tamper(server, "delete from log_checkpoints where size > 3");
	expect(await outcome(host.refresh())).toBe("LOG_TRUNCATED");
	// What the host had verified stands, so that it goes on refusing.
	expect(readTrustState(host.host).set!.files.get(CHECKPOINT_FILE)).toEqual(before);
	expect(await outcome(host.refresh())).toBe("LOG_TRUNCATED");
});

test("log gone altogether", async () => {
	await host.refresh();
	tamper(server, "delete from log_checkpoints");
	expect(await outcome(host.refresh())).toBe("LOG_TRUNCATED");
});

test("log rewritten: an old entry is exchanged, everything after it is signed anew", async () => {
	await publish("1.0.0");
	const entries = await entriesOf();
	const rewritten = entries.map((entry) =>
		entry.type === "publish" ? { ...entry, sha256: "f".repeat(64) } : entry,
	);
	expect(rewritten).not.toEqual(entries);
	await forgeLog(server, rewritten);
	expect(await outcome(host.refresh())).toBe("LOG_FORKED");
	// However much is put on top of it.
	await growServerLog(server, filler(300));
	expect(await outcome(host.refresh())).toBe("LOG_FORKED");
	expect(seen().size).toBe(4);
});

test("log rewritten while the host has lost its sets: kfn trust recover holds it against the mark", async () => {
	await publish("1.0.0");
	await host.refresh();
	const entries = await entriesOf();
	const recover = () => outcome(recoverTrust(host.host, host.options));
	const rewritten = entries.map((entry) =>
		entry.type === "publish" ? { ...entry, sha256: "f".repeat(64) } : entry,
	);
	for (const after of [filler(0), filler(300)]) {
		await forgeLog(server, [...rewritten, ...after]);
		expect(await recover()).toBe("LOG_FORKED");
	}
	rmSync(join(host.host.layout.trustSets, ".."), { recursive: true });
	expect(await recover()).toBe("LOG_FORKED");
	await forgeLog(server, entries.slice(0, -1));
	expect(await recover()).toBe("LOG_TRUNCATED");
	await forgeLog(server, [...entries, ...filler(300)]);
	expect(await recover()).toBe("accepted");
	await host.refresh();
	expect(seen().size).toBe(304);
});

test("log forked: two hosts are shown different trees, and the fork cannot be joined again", async () => {
	using other = openLogHost(server);
	const common = await entriesOf();
	await other.refresh();
	await growServerLog(server, filler(2));
	await host.refresh();
	await forgeLog(server, [...common, ...filler(4).slice(2)]);
	await other.refresh();
	expect(await outcome(host.refresh())).toBe("LOG_FORKED");
	await forgeLog(server, [...common, ...filler(5)]);
	await host.refresh();
	expect(await outcome(other.refresh())).toBe("LOG_FORKED");
});

test("a checkpoint re-signed by another key", async () => {
	await host.refresh();
	const { origin, size, root } = seen();
	const forged = await signCheckpoint(origin, { size, root }, await generateKeyPair());
	tamper(
		server,
		`update log_checkpoints set content = '${Buffer.from(forged).toString()}' where size = ${size}`,
	);
	expect(await outcome(host.refresh())).toBe("LOG_SIGNATURE");
});

test("a tile swapped is damage, not a fork", async () => {
	await growServerLog(server, filler(600));
	await host.refresh();
	await growServerLog(server, filler(300));
	tamper(
		server,
		"update log_tiles set hashes = (select hashes from log_tiles where level = 0 and number = 0) where level = 0 and number = 2",
	);
	expect(await outcome(host.refresh())).toBe("LOG_TILE");
});

test("an entry changed behind its hash", async () => {
	await growServerLog(server, filler(1));
	tamper(server, "update log_entries set content = replace(content, 'filler', 'foller')");
	expect(await outcome(entriesOf())).toBe("LOG_TILE");
});

test("a version offered outside the log, or under another's place in it", async () => {
	for (const version of ["1.0.0", "1.1.0"]) await publish(version);
	const [newer, older] = (await indexed("sample")) as [IndexVersion, IndexVersion];
	const { set } = await host.refresh();
	const logged = (version: IndexVersion) =>
		demandLogged(set, host.fetch, { name: "sample", indexed: version });
	await logged(newer);
	await logged(older);
	for (const lie of [
		{ ...newer, log: null },
		{ ...newer, log: older.log },
		{ ...newer, log: { index: 99 } },
		{ ...newer, sha256: "f".repeat(64) },
		{ ...newer, publishedAt: older.publishedAt },
	]) {
		expect(await outcome(logged(lie))).toBe("LOG_NOT_INCLUDED");
	}
	const files = new Map([...set.files].filter(([name]) => name !== CHECKPOINT_FILE));
	const unlogged = demandLogged({ ...set, files }, host.fetch, { name: "sample", indexed: newer });
	expect(await outcome(unlogged)).toBe("HOST_TRUST_DAMAGED");
});
