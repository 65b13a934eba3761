// Learning and taking off, against a registry that lies: withheld, replayed, forged, emptied, and a clock that is set back.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, envelopeValue, signDsseEnvelope } from "#signing/envelope.ts";
import { type RecallList, signRecallList } from "#signing/recall-list.ts";
import { newRevocation, type Revocation, withdrawalOf } from "#signing/revocation.ts";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, trustKeys } from "#test/harness/host-world.ts";
import { currentGeneration } from "../generations.ts";
import type { Host } from "../host.ts";
import { install } from "../install.ts";
import { upgrade } from "../upgrade.ts";
import { type Learnt, learn, type RecallSource } from "./learn.ts";
import { readListState } from "./list-state.ts";
import { readRevoked } from "./revoked.ts";
import { takeOff } from "./take-off.ts";

let samples: Samples;
let second: SecretKey;
let recall: SecretKey;
beforeAll(async () => {
	samples = await makeSamples();
	[second, recall] = await Promise.all([generateKeyPair(), generateKeyPair()]);
});

const START = Date.parse("2026-11-29T12:00:00Z");
const HOUR = 3_600_000;
const text = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** A registry in this process: what it shows is the test's to say. */
class Registry implements RecallSource {
	now = START;
	sequence = 0;
	file: Uint8Array | undefined;
	documents = new Map<string, readonly unknown[]>();
	requests = 0;
	refreshes = 0;

	async show(
		statements: Readonly<Record<string, readonly DsseEnvelope[]>>,
		change: Partial<RecallList> = {},
	) {
		this.sequence += 1;
		const names = Object.entries(statements).map(([name, envelopes]) => {
			const values = envelopes.map(envelopeValue);
			const sha256 = createHash("sha256").update(JSON.stringify(values)).digest("hex");
			this.documents.set(sha256, values);
			return { name, sha256, size: 1 };
		});
		const times = { issued: text(this.now), expires: text(this.now + 24 * HOUR) };
		this.file = await signRecallList({ sequence: this.sequence, names, ...times, ...change }, recall);
		return this.file;
	}

	async list(etag: string | null) {
		this.requests += 1;
		if (this.file === undefined) return "missing" as const;
		const ours = `"${createHash("sha256").update(this.file).digest("hex")}"`;
		return etag === ours ? ("unchanged" as const) : { bytes: this.file, etag: ours };
	}

	async statements({ sha256 }: { readonly sha256: string }) {
		this.requests += 1;
		return this.documents.get(sha256)!;
	}

	async refresh() {
		this.refreshes += 1;
	}
}

let registry: Registry;
let bad: Revocation;
beforeEach(() => {
	registry = new Registry();
	bad = {
		...{ id: "01".repeat(16), name: "sample", state: "revoked", tags: [samples.v2.tag], builds: [] },
		...{ advisory: null, reason: "it is bad", issued: text(START) },
	};
});

async function signed(envelope: DsseEnvelope, ...keys: SecretKey[]): Promise<DsseEnvelope> {
	let all = envelope;
	for (const key of keys) all = await signDsseEnvelope(all, key);
	return all;
}
const revocation = (...keys: SecretKey[]) => signed(newRevocation(bad), ...keys);

/** A host whose registry's verified document names the recall key; its clock is the registry's. */
async function open(): Promise<FakeHost & { learn(): Promise<Learnt> }> {
	const fake = openFakeHost(samples);
	trustKeys(fake.host.layout.root, ["sample"], [samples.key, second], 2);
	const host: Host = { ...fake.host, now: () => new Date(registry.now) };
	return { ...fake, host, learn: () => learn(host, registry, { key: () => recall.publicKey }) };
}

describe("a registry that does what it should", () => {
	test("two requests bring what is new, one brings that nothing is; a kill between the two files learns again", async () => {
		using fake = await open();
		await registry.show({ sample: [await revocation(samples.key)] });
		expect(await fake.learn()).toMatchObject({ list: "read", news: [{ id: bad.id }], warnings: [] });
		expect(registry.requests).toBe(2);
		registry.now += 5 * 60_000;
		expect(await fake.learn()).toEqual({ list: "unchanged", news: [], warnings: [] });
		expect(registry.requests).toBe(3);
		expect(readListState(fake.host)?.checked).toBe(new Date(registry.now).toISOString());
		// A new list with the same documents fetches none of them.
		await registry.show({ sample: [await revocation(samples.key)] });
		expect(await fake.learn()).toMatchObject({ list: "read", news: [] });
		expect(registry.requests).toBe(4);
		writeFileSync(fake.host.layout.recallList, "");
		expect(await fake.learn()).toMatchObject({ list: "read", news: [] });
		expect(readRevoked(fake.host)).toHaveLength(1);
	});

	test("a withdrawal with the whole threshold ends it", async () => {
		using fake = await open();
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		const back = withdrawalOf(bad, { reason: "it was not", issued: text(START) });
		await registry.show({ sample: [await signed(back, samples.key, second)] });
		expect(await fake.learn()).toMatchObject({ news: [{ state: "withdrawn" }] });
	});
});

describe("attacks", () => {
	test("withheld: the same answer for ever expires into a warning, and only a newer list ends it", async () => {
		using fake = await open();
		await registry.show({});
		await fake.learn();
		registry.now += 25 * HOUR;
		await expect(fake.learn()).rejects.toMatchObject({ code: "RECALL_LIST_EXPIRED", exit: 3 });
		await registry.show({});
		expect((await fake.learn()).list).toBe("read");
	});

	test("the clock set back: what was found expired stays so", async () => {
		using fake = await open();
		await registry.show({});
		await fake.learn();
		registry.now += 25 * HOUR;
		await expect(fake.learn()).rejects.toMatchObject({ code: "RECALL_LIST_EXPIRED" });
		registry.now -= 24 * HOUR;
		await expect(fake.learn()).rejects.toMatchObject({ code: "RECALL_LIST_EXPIRED" });
		// Also where the registry answers with the file instead of "unchanged".
		const same = {
			...registry,
			list: async () => ({ bytes: registry.file!, etag: null }),
		} as unknown as Registry;
		const again = learn(fake.host, same, { key: () => recall.publicKey });
		await expect(again).rejects.toMatchObject({ code: "RECALL_LIST_EXPIRED" });
	});

	test("withheld altogether, and 304 to somebody who has nothing", async () => {
		using fake = await open();
		await expect(fake.learn()).rejects.toMatchObject({ code: "HOST_RECALL_NONE", exit: 3 });
		const lying = { list: async () => "unchanged" as const } as unknown as RecallSource;
		const first = learn(fake.host, lying, { key: () => recall.publicKey });
		await expect(first).rejects.toMatchObject({ code: "HOST_RECALL_NONE", exit: 3 });
	});

	test("replayed: an older list, and another of the same sequence", async () => {
		using fake = await open();
		const before = await registry.show({});
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		registry.file = before;
		await expect(fake.learn()).rejects.toMatchObject({ code: "RECALL_LIST_ROLLBACK", exit: 3 });
		registry.sequence -= 1;
		await registry.show({});
		await expect(fake.learn()).rejects.toMatchObject({ code: "RECALL_LIST_ROLLBACK", exit: 3 });
		expect(readRevoked(fake.host)).toMatchObject([{ state: "revoked" }]);
	});

	test("forged: a list that another key signed, a withdrawal of one key, a revocation of a stranger", async () => {
		using fake = await open();
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		const back = withdrawalOf(bad, { reason: "it was not", issued: text(START) });
		await registry.show({ sample: [await signed(back, samples.key)] });
		const { warnings } = await fake.learn();
		expect(warnings.join("\n")).toContain("[SIGNATURE_THRESHOLD]");
		expect(readRevoked(fake.host)).toMatchObject([{ state: "revoked" }]);
		// What cannot be believed is asked for again, after a look at who may sign now.
		const { refreshes } = registry;
		await fake.learn();
		expect(registry.refreshes).toBe(refreshes + 1);
		const eve = await generateKeyPair();
		bad = { ...bad, id: "02".repeat(16), tags: [samples.v1.tag] };
		await registry.show({ sample: [await revocation(eve)] });
		expect((await fake.learn()).warnings.join("\n")).toContain("[SIGNATURE_UNKNOWN_KEY]");
		expect(readRevoked(fake.host)).toHaveLength(1);
		const other = learn(fake.host, registry, { key: () => eve.publicKey });
		await expect(other).rejects.toMatchObject({ code: "SIGNATURE_UNKNOWN_KEY", exit: 3 });
	});

	test("a list that leaves out what this host knows takes nothing back, and is told", async () => {
		using fake = await open();
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		await registry.show({});
		expect((await fake.learn()).warnings).toEqual([
			`the registry leaves out revocation ${bad.id} of sample, which this host remembers: it still counts`,
		]);
		await registry.show({ sample: [] });
		expect((await fake.learn()).warnings).toHaveLength(1);
		expect(readRevoked(fake.host)).toMatchObject([{ state: "revoked" }]);
	});
});

describe("taking off", () => {
	const installed = async (fake: FakeHost, ...versions: ("v1" | "v2")[]) => {
		trustKeys(fake.host.layout.root, ["sample"], [samples.key]);
		const [first, next] = versions;
		await fake.locked((lock) => install(lock, { bundle: samples[first!].archive, scope: BLUE }));
		if (next !== undefined) await fake.locked((lock) => upgrade(lock, { bundle: samples[next].archive }));
	};
	const runs = (fake: FakeHost) => fake.kernel.read().pins.map(({ version }) => version);

	test("the last good version takes its place; revoked too, the kernel's own code does", async () => {
		using fake = await open();
		await installed(fake, "v1", "v2");
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		const first = await fake.locked((lock) => takeOff({ ...lock, host: fake.host, fd: lock.fd }));
		expect(first.taken).toMatchObject([{ version: "1.1.0", to: "1.0.0", seconds: 0 }]);
		expect(runs(fake)).toEqual(["1.0.0"]);
		const one = await revocation(samples.key);
		bad = { ...bad, id: "02".repeat(16), tags: [samples.v1.tag] };
		await registry.show({ sample: [one, await revocation(samples.key)] });
		await fake.learn();
		const then = await fake.locked((lock) => takeOff({ ...lock, host: fake.host, fd: lock.fd }));
		expect(then.taken).toMatchObject([{ version: "1.0.0", to: null }]);
		expect([runs(fake), currentGeneration(fake.host)]).toEqual([[], 4]);
		const done = await fake.locked((lock) => takeOff({ ...lock, host: fake.host, fd: lock.fd }));
		expect(done).toMatchObject({ taken: [], report: undefined });
	});

	test("a last good version that cannot be had any more does not keep a revoked one", async () => {
		using fake = await open();
		await installed(fake, "v1", "v2");
		await registry.show({ sample: [await revocation(samples.key)] });
		await fake.learn();
		writeFileSync(`${fake.host.layout.storeEntry(samples.v1.sha256)}/kfn.sig.json`, "{}");
		const { taken, warnings } = await fake.locked((lock) =>
			takeOff({ ...lock, host: fake.host, fd: lock.fd }),
		);
		expect(taken).toMatchObject([{ to: null }]);
		expect(warnings.join("\n")).toContain("could not take its place");
		expect(runs(fake)).toEqual([]);
	});
});
