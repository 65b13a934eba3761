// A host reads its registry: what it commits, what it keeps of a refused walk, and what neither clock nor policy can bend.
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseRegistryDocument } from "#signing/registry-document.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { forge } from "#test/harness/forgery.ts";
import {
	daysLater,
	makeKfnRepository,
	NOW,
	openTrustWorld,
	outcome,
	writePolicy,
} from "#test/harness/trust-world.ts";
import { withLock } from "../lock.ts";
import { commitSet } from "./commit.ts";
import { publishersOfSet } from "./documents.ts";
import { noteSeen, raiseFloor } from "./floors.ts";
import { readMark } from "./mark.ts";
import { trustStatus } from "./report.ts";
import { openTrustSession, rehearseTrust } from "./session.ts";
import { readTrustState } from "./state.ts";

const INDEX = "flow-dissector/index.json";

/** Signed anew 95 days later, but for the bins, which have expired then. */
async function withExpiredBins() {
	const repository = await makeKfnRepository();
	await repository.publish(INDEX, Buffer.from("[]"));
	repository.now = daysLater(95);
	await repository.signTargets();
	await repository.signSnapshot();
	await repository.signTimestamp();
	return repository;
}

describe("refresh", () => {
	test("commits roles and documents whole, and a target is found through them", async () => {
		const repository = await makeKfnRepository();
		await repository.publish(INDEX, Buffer.from("[]"));
		using world = openTrustWorld(repository);
		expect(trustStatus(world.host)).toMatchObject({ state: "unread", root: { version: 1 } });
		const session = await world.refresh();
		expect(Buffer.from(await session.download(await session.find(INDEX))).toString()).toBe("[]");
		expect(await outcome(session.find("gro/index.json"))).toBe("TRUST_NO_TARGET");
		const { set, mark } = readTrustState(world.host);
		expect([...set!.files.keys()].sort()).toEqual(
			[
				"publishers.json",
				"registry.json",
				"root.json",
				"snapshot.json",
				"targets.json",
				"timestamp.json",
			].sort(),
		);
		expect(publishersOfSet(set!)!.publishers[0]!.names).toEqual(["flow-*"]);
		expect(parseRegistryDocument(set!.files.get("registry.json")!).origin).toBe("registry.test/log");
		expect(mark).toMatchObject({
			set: set!.name,
			time: NOW.toISOString(),
			roles: { timestamp: { version: 3 } },
		});
		expect(trustStatus(world.host)).toMatchObject({ state: "fresh", freshUntil: daysLater(1).toISOString() });
		expect(readdirSync(world.host.layout.tmp)).toEqual([]);
	});

	test("the documents are those of the targets signers: a bin cannot stand in for them", async () => {
		const repository = await makeKfnRepository();
		await repository.publish(INDEX, Buffer.from("[]"));
		using world = openTrustWorld(repository);
		const { targets } = parseEnvelope(
			repository.file(`metadata/${repository.versions.get("targets")}.targets.json`),
			"targets",
		).signed;
		await repository.signTargets((signed) => ({ ...signed, targets: {} }));
		const files = { ...targets };
		for (const name of ["bin-0", "bin-1", "bin-2", "bin-3"]) {
			const path = `metadata/${repository.versions.get(name)}.${name}.json`;
			const forged = await forge(repository.file(path), "targets", repository.keys.bins, (signed) => ({
				...signed,
				targets: { ...signed.targets, ...files },
			}));
			repository.files.set(`v1/${path}`, forged);
		}
		await repository.signSnapshot();
		await repository.signTimestamp();
		expect(await outcome(world.refresh())).toBe("TRUST_NO_TARGET");
	});

	test("a rehearsal answers what would be committed, and commits nothing, a refused one included", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		const before = [readMark(world.host), readTrustState(world.host).set!.name];
		await repository.publish(INDEX, Buffer.from("[]"));
		const files = await rehearseTrust(world.host, world.options);
		expect(files.get("timestamp.json")).toEqual(repository.file("metadata/timestamp.json"));
		// Its timestamp is sound: a refresh that fails after it would keep it.
		repository.files.delete(`v1/metadata/${repository.versions.get("snapshot")}.snapshot.json`);
		expect(await outcome(rehearseTrust(world.host, world.options))).toMatch(/^TRUST_/);
		expect([readMark(world.host), readTrustState(world.host).set!.name]).toEqual(before);
	});

	test("what did not change is neither fetched nor written again, but the time moves on", async () => {
		using world = openTrustWorld(await makeKfnRepository());
		const first = await world.refresh();
		world.asked.length = 0;
		world.now = daysLater(0.5);
		expect((await world.refresh()).set.name).toBe(first.set.name);
		expect(world.asked).toEqual(["metadata/2.root.json", "metadata/timestamp.json"]);
		expect(readMark(world.host).time).toBe(daysLater(0.5).toISOString());
	});

	test("the sets before the last one go", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		for (let i = 0; i < 4; i++) {
			await repository.signTimestamp();
			await world.refresh();
		}
		expect(readdirSync(world.host.layout.trustSets).map((name) => name.split("-")[0])).toEqual(["3", "4"]);
	});

	test("without a root nothing is asked of anybody, and the hint has the three ways to pin one", async () => {
		using world = openTrustWorld(await makeKfnRepository());
		rmSync(world.host.layout.trustRoot);
		const error = await world.refresh().catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: "HOST_TRUST_NO_ROOT", exit: 3 });
		for (const way of ["root pin FILE", "--fingerprint", "/usr/share/kfn/root.json"]) {
			expect((error as { hint: string }).hint).toContain(way);
		}
		expect(world.asked).toEqual([]);
		expect(existsSync(world.host.layout.trustMark)).toBe(false);
		expect(trustStatus(world.host).state).toBe("unpinned");
	});

	test("a package's root is the pin of last resort, and may be followed by a newer one", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		const { packagedRoot, trustRoot } = world.host.layout;
		rmSync(trustRoot);
		mkdirSync(join(packagedRoot, ".."), { recursive: true });
		writeFileSync(packagedRoot, repository.root);
		await world.refresh();
		await repository.signRoot();
		await repository.signTimestamp();
		writeFileSync(packagedRoot, repository.root);
		await world.refresh();
		expect(trustStatus(world.host)).toMatchObject({
			state: "fresh",
			root: { version: 2 },
			pinned: { by: "package" },
		});
	});

	test("what was verified before a refusal is kept, and a later walk goes on from it", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		const old = repository.copyOfFiles();
		await repository.rotate("root");
		await repository.publish(INDEX, Buffer.from("new"));
		repository.files.delete(`v1/metadata/${repository.versions.get("snapshot")}.snapshot.json`);
		expect(await outcome(world.refresh())).toBe("TRUST_MISMATCH");
		const { roles, complete } = readTrustState(world.host).set!.record;
		expect({ complete, root: roles.root!.version, timestamp: roles.timestamp!.version }).toEqual({
			complete: false,
			root: 2,
			timestamp: 3,
		});
		expect(trustStatus(world.host).state).toBe("incomplete");
		world.files = old;
		expect(await outcome(world.refresh())).toBe("TRUST_ROLLBACK");
		await repository.signSnapshot();
		await repository.signTimestamp();
		world.files = repository.files;
		await world.refresh();
		expect(trustStatus(world.host).state).toBe("fresh");
	});

	test("a registry that does not answer leaves no trace on a host that has verified nothing", async () => {
		using world = openTrustWorld(await makeKfnRepository());
		world.files = new Map();
		expect(await outcome(world.refresh())).toBe("TRUST_MISMATCH");
		expect(existsSync(world.host.layout.trustMark)).toBe(false);
	});

	test("a set that somebody else committed meanwhile is not overwritten", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		const { set } = await world.refresh();
		await repository.signTimestamp();
		const newer = await world.refresh();
		const stale = { record: set.record, files: set.files, movesTime: true };
		const lost = await withLock(world.host, "test", (lock) => commitSet(lock, set, stale));
		expect(lost).toBeUndefined();
		expect(readTrustState(world.host).set!.name).toBe(newer.set.name);
	});

	test("two at once: the one that comes second walks again from what the first committed", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		const old = repository.copyOfFiles();
		await repository.signTimestamp();
		let entered = false;
		const { fetch } = world.options;
		// In the middle of this walk over the old tree, a whole other one over the new tree.
		const interleaved = async (path: string, limit: number) => {
			if (path.endsWith("timestamp.json") && !entered) {
				entered = true;
				await world.refresh();
				return old.get(`v1/${path}`)!;
			}
			return fetch(path, limit);
		};
		const session = await openTrustSession(world.host, { ...world.options, fetch: interleaved });
		expect(session.set.record.roles.timestamp!.version).toBe(3);
	});
});

describe("the clock", () => {
	test("set back, it does not bring expired metadata back", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		repository.now = daysLater(10);
		await repository.signSnapshot();
		await repository.signTimestamp();
		world.now = daysLater(10);
		await world.refresh();
		// Expires on day 8: fresh by the clock below, but not by the time at which this host has verified something.
		repository.now = daysLater(7);
		await repository.signTimestamp();
		world.now = daysLater(7);
		expect(await outcome(world.refresh())).toBe("TRUST_EXPIRED");
	});

	test("set forward and back again, it does not lock the host out", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		world.now = daysLater(5000);
		expect(await outcome(world.refresh())).toBe("TRUST_EXPIRED");
		world.now = NOW;
		await world.refresh();
		world.now = daysLater(0.9);
		await world.refresh();
		world.now = NOW;
		await world.refresh();
		repository.now = daysLater(0.5);
		await repository.signTimestamp();
		world.now = daysLater(0.5);
		await world.refresh();
	});
});

describe("bounded staleness", () => {
	test("expired metadata counts for the days that policy allows, and says since when", async () => {
		const repository = await makeKfnRepository();
		await repository.publish(INDEX, Buffer.from("[]"));
		using world = openTrustWorld(repository);
		await world.refresh();
		world.now = daysLater(9);
		expect(await outcome(world.refresh())).toBe("TRUST_EXPIRED");
		writePolicy(world.root, 30);
		const session = await world.refresh();
		expect(Buffer.from(await session.download(await session.find(INDEX))).toString()).toBe("[]");
		expect(trustStatus(world.host)).toMatchObject({
			state: "suspended",
			suspended: { guarantee: "freshness", since: "2026-11-29T12:00:00Z", roles: ["snapshot", "timestamp"] },
		});
		expect(readMark(world.host).time).toBe(NOW.toISOString());
		world.now = daysLater(31);
		expect(await outcome(world.refresh())).toBe("TRUST_EXPIRED");
		repository.now = daysLater(31);
		await repository.signSnapshot();
		await repository.signTimestamp();
		await world.refresh();
		expect(trustStatus(world.host)).toMatchObject({ state: "fresh", suspended: null });
	});

	test("an expired bin alone is suspended, too", async () => {
		const repository = await withExpiredBins();
		using world = openTrustWorld(repository);
		world.now = daysLater(95);
		const strict = await world.refresh();
		expect(await outcome(strict.find(INDEX))).toBe("TRUST_EXPIRED");
		writePolicy(world.root, 10);
		const session = await world.refresh();
		await session.find(INDEX);
		const { suspended } = trustStatus(world.host);
		expect(suspended!.roles).toEqual([expect.stringMatching(/^bin-/)]);
		expect(suspended!.since).toBe("2027-02-26T12:00:00Z");
	});

	test("what is learnt of an expired bin is not committed over what another command verified meanwhile", async () => {
		const repository = await withExpiredBins();
		using world = openTrustWorld(repository);
		world.now = daysLater(95);
		writePolicy(world.root, 10);
		const old = repository.copyOfFiles();
		let bins = 0;
		const interleaved: FetchFile = async (path, limit) => {
			if (/\.bin-\d\.json$/.test(path) && ++bins === 2) {
				await repository.signTimestamp();
				await world.refresh();
			}
			return old.get(`v1/${path}`) ?? world.options.fetch(path, limit);
		};
		const session = await openTrustSession(world.host, { ...world.options, fetch: interleaved });
		const { version } = session.set.record.roles.timestamp!;
		expect(await outcome(session.find(INDEX))).toBe("HOST_LOCKED");
		expect(bins).toBe(2);
		expect(readTrustState(world.host).mark.roles.timestamp!.version).toBe(version + 1);
	});

	test("it stretches neither a root's expiry, nor a signature, nor a rollback", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		writePolicy(world.root, 365);
		await world.refresh();
		world.now = daysLater(365);
		const error = await world.refresh().catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: "TRUST_EXPIRED", details: { role: "root" } });
		world.now = daysLater(20);
		const old = repository.copyOfFiles();
		await repository.signTimestamp();
		await world.refresh();
		world.files = old;
		expect(await outcome(world.refresh())).toBe("TRUST_ROLLBACK");
	});

	test.each([
		"",
		"{}",
		'{"schema":"kfn.policy/2"}',
		'{"schema":"kfn.policy/1","staleness":{"days":366}}',
		'{"schema":"kfn.policy/1","signatures":"none"}',
	])("a policy that is not understood allows nothing: %s", async (text) => {
		using world = openTrustWorld(await makeKfnRepository());
		writePolicy(world.root, 1);
		writeFileSync(world.host.layout.trustPolicy, text);
		world.now = daysLater(2);
		expect(await outcome(world.refresh())).toBe("HOST_TRUST_POLICY");
	});
});

describe("fast-forward recovery", () => {
	test("versions that a thief counted up are void once the root has given the role other keys", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		const honest = new Map(repository.versions);
		repository.versions.set("snapshot", 1_000_000).set("timestamp", 1_000_000);
		await repository.signSnapshot();
		await repository.signTimestamp();
		await world.refresh();
		for (const role of ["snapshot", "timestamp"]) repository.versions.set(role, honest.get(role)!);
		await repository.signSnapshot();
		await repository.signTimestamp();
		expect(await outcome(world.refresh())).toBe("TRUST_ROLLBACK");
		await repository.rotate("timestamp");
		await repository.rotate("snapshot");
		await repository.signSnapshot();
		await repository.signTimestamp();
		await world.refresh();
		const { mark, set } = readTrustState(world.host);
		expect(mark.roles).toMatchObject({ root: { version: 3 }, timestamp: { version: 4 } });
		expect(set!.record.roles.snapshot!.version).toBe(4);
	});

	test("a version that a thief listed is forgotten with his keys, and what was installed is not", async () => {
		const repository = await makeKfnRepository();
		using world = openTrustWorld(repository);
		await world.refresh();
		await withLock(world.host, "test", (lock) => {
			noteSeen(lock, "gro", ["999.0.0"]);
			raiseFloor(lock, { name: "gro", version: "1.0.0" });
		});
		await repository.rotate("timestamp");
		await repository.signTimestamp();
		await world.refresh();
		expect(readMark(world.host).bundles).toEqual({ gro: { floor: "1.0.0", seen: "999.0.0" } });
		await repository.rotate("snapshot");
		await repository.signSnapshot();
		await repository.signTimestamp();
		await world.refresh();
		expect(readMark(world.host).bundles).toEqual({ gro: { floor: "1.0.0", seen: null } });
	});
});

test("a set folder that another set's name points to is not taken for it", async () => {
	const repository = await makeKfnRepository();
	using world = openTrustWorld(repository);
	const first = await world.refresh();
	await repository.signTimestamp();
	await world.refresh();
	const { trustCurrent } = world.host.layout;
	rmSync(trustCurrent);
	symlinkSync(`sets/${first.set.name}`, trustCurrent);
	expect(await outcome(world.refresh())).toBe("HOST_TRUST_ROLLED_BACK");
});
