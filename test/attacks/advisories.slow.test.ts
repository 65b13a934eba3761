// Attacks on advisories by whoever holds a registry's online keys, or stands between it and a host: real registry, real HTTP, real metadata.
// What a host has verified once goes on counting, and it says what it noticed.
import { createHash } from "node:crypto";
import { request } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { learnAdvisories } from "#cli/client/advisories.ts";
import { advisoriesFor } from "#host/advisories/judge.ts";
import { readKnown } from "#host/advisories/known.ts";
import { type Document, ofBundle } from "#host/advisories/testing/documents.ts";
import { paths, STATEMENT_MEDIA_TYPE } from "#registry/api/wire.ts";
import { testPublisher } from "#registry/testing/trust.ts";
import { newAdvisory } from "#signing/advisory.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import {
	type DsseEnvelope,
	envelopeValue,
	serializeDsseEnvelope,
	signDsseEnvelope,
} from "#signing/envelope.ts";
import { binOf } from "#signing/tuf/bins.ts";
import { tufTime } from "#signing/tuf/time.ts";
import type { TestRegistry } from "../harness/registry.ts";
import { outcome } from "../harness/trust-world.ts";
import { openAttackedRegistry, SHAPE, type Victim, victim } from "./registry-world.ts";

const TARGET = "sample/advisory.json";
const RUNNING = { name: "sample", version: "1.0.0", tag: `kfn1:${"0".repeat(64)}` };
const ago = (seconds: number) => tufTime(new Date(Date.now() - seconds * 1000));

let registry: TestRegistry;
let older: ReadonlyMap<string, Uint8Array>;
let publisher: SecretKey;
let stranger: SecretKey;
beforeAll(async () => {
	({ registry, older } = await openAttackedRegistry());
	[publisher, stranger] = await Promise.all([testPublisher(), generateKeyPair()]);
});
afterAll(() => registry[Symbol.asyncDispose]());

/** Ids differ from test to test, for what is published stays published. */
let id = "";
let ids = 0;
beforeEach(() => {
	ids += 1;
	id = `x_T-${ids}`;
});

function advisory(
	modified: string,
	more: { withdrawn?: string; by?: SecretKey } = {},
): Promise<DsseEnvelope> {
	const { by = publisher, ...said } = more;
	const document: Document = ofBundle(id, ["0", { fixed: "1.1.0" }], {
		names: ["sample"],
		modified,
		...said,
	});
	return signDsseEnvelope(newAdvisory(document), by);
}

async function publish(envelope: DsseEnvelope): Promise<number> {
	const answer = await request(`${registry.url}${paths.statement("advisory", "sample", id)}`, {
		method: "PUT",
		headers: { authorization: `Bearer ${registry.token}`, "content-type": STATEMENT_MEDIA_TYPE },
		body: serializeDsseEnvelope(envelope),
	});
	await answer.body.dump();
	return answer.statusCode;
}

/** With stolen online keys: a list that the registry never made, or none. */
async function forge({ forger, mirror }: Victim, listed: readonly DsseEnvelope[] | undefined): Promise<void> {
	const document = {
		schema: "kfn.statements/1",
		kind: "advisory",
		name: "sample",
		statements: listed?.map(envelopeValue),
	};
	const bytes = Buffer.from(JSON.stringify(document));
	const sha256 = createHash("sha256").update(bytes).digest("hex");
	mirror.lie(paths.target(TARGET, sha256).slice(1), bytes);
	await forger.bin(binOf(TARGET, SHAPE), (signed) => {
		const { [TARGET]: _, ...others } = signed.targets;
		const entry = { length: bytes.byteLength, hashes: { sha256 } };
		return { ...signed, targets: listed === undefined ? others : { ...others, [TARGET]: entry } };
	});
}

/** The host asks the registry; which of this test's advisories are open for 1.0.0, and what was noticed about them. */
async function asks({ host, open }: Victim) {
	const known = await learnAdvisories(host, await open(), ["sample"]);
	// What is remembered is what was judged by.
	expect(readKnown(host).map(({ advisories }) => advisories.length)).toEqual(
		known.map(({ advisories }) => advisories.length),
	);
	return {
		open: advisoriesFor(known, RUNNING)
			.map((found) => found.id)
			.filter((found) => found === id),
		notices: known
			.flatMap(({ notices }) => notices)
			.filter((notice) => notice.id === id)
			.map(({ code }) => code),
	};
}

describe("with the registry's online keys", () => {
	test("replayed advisory list: the one from before an advisory was amended", async () => {
		const host = await victim(registry);
		const first = await advisory(ago(3600), { withdrawn: ago(3600) });
		await publish(first);
		expect(await asks(host)).toEqual({ open: [], notices: [] });
		await publish(await advisory(ago(60)));
		expect(await asks(host)).toEqual({ open: [id], notices: [] });
		await forge(host, [first]);
		expect(await asks(host)).toEqual({ open: [id], notices: ["ADVISORY_REPLAYED"] });
	});

	test("withheld advisories: the list is empty, or not there", async () => {
		const host = await victim(registry);
		await publish(await advisory(ago(60)));
		expect(await asks(host)).toEqual({ open: [id], notices: [] });
		await forge(host, []);
		expect(await asks(host)).toEqual({ open: [id], notices: ["ADVISORY_WITHHELD"] });
		await forge(host, undefined);
		expect(await asks(host)).toEqual({ open: [id], notices: ["ADVISORY_WITHHELD"] });
	});

	test("forged withdrawal: signed by a stranger, and the publisher's signature over another document", async () => {
		const host = await victim(registry);
		const honest = await advisory(ago(60));
		await publish(honest);
		expect(await asks(host)).toEqual({ open: [id], notices: [] });
		const strange = await advisory(ago(1), { withdrawn: ago(1), by: stranger });
		await forge(host, [strange]);
		expect(await asks(host)).toEqual({ open: [id], notices: ["SIGNATURE_UNKNOWN_KEY", "ADVISORY_WITHHELD"] });
		await forge(host, [honest, { ...honest, payload: strange.payload }]);
		expect(await asks(host)).toEqual({ open: [id], notices: ["SIGNATURE_INVALID"] });
	});
});

describe("between a registry and a host", () => {
	test("the whole registry of before an advisory is shown again: refused, and what is remembered counts", async () => {
		const host = await victim(registry);
		await publish(await advisory(ago(60)));
		expect((await asks(host)).open).toEqual([id]);
		host.mirror.serve((path) => older.get(path));
		expect(await outcome(asks(host))).toBe("TRUST_ROLLBACK");
		expect(advisoriesFor(readKnown(host.host), RUNNING).map((found) => found.id)).toContain(id);
	});

	test("clock set back by a year: a host that has seen today takes today's advisories, and no withdrawal of the future", async () => {
		const host = await victim(registry);
		await host.open();
		host.ahead = -365;
		await publish(await advisory(ago(60)));
		expect(await asks(host)).toEqual({ open: [id], notices: [] });
		const future = tufTime(new Date(Date.now() + 86_400_000));
		await forge(host, [await advisory(future, { withdrawn: future })]);
		expect(await asks(host)).toEqual({ open: [id], notices: ["ADVISORY_NOT_YET", "ADVISORY_WITHHELD"] });
	});
});

test("a registry takes no forged, no replayed and no future document itself", async () => {
	await publish(await advisory(ago(60)));
	const refused = async (envelope: DsseEnvelope) => publish(envelope);
	expect(await refused(await advisory(ago(1), { withdrawn: ago(1), by: stranger }))).toBe(403);
	expect(await refused(await advisory(ago(3600)))).toBe(409);
	expect(await refused(await advisory(ago(60), { withdrawn: ago(60) }))).toBe(409);
	expect(await refused(await advisory("9999-12-31T23:59:59Z"))).toBe(400);
	expect(await refused(newAdvisory(ofBundle(id, ["0"], { names: ["sample"] })))).toBe(403);
});
