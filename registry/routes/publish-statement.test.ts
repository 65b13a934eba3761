// PUT /v1/statements/… over real HTTP: what is listed, what is refused, and attacks by name.

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import {
	type DsseEnvelope,
	envelopeValue,
	serializeDsseEnvelope,
	signDsseEnvelope,
} from "#signing/envelope.ts";
import { parseLogEntry } from "#signing/log/entry.ts";
import { newPermit, type Permit } from "#signing/permit.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { paths, STATEMENT_MEDIA_TYPE } from "../api/wire.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { type Answer, TestServer } from "../testing/server.ts";
import { StoreReader } from "../testing/store-reader.ts";
import { testPublisher } from "../testing/trust.ts";

let server: TestServer;
let token: string;
let bundle: TestBundle;
let publisher: SecretKey;
let second: SecretKey;
let manifestSha256: string;
/** A real time: a standard client, which knows no other, reads what is listed. */
const START = Math.floor(Date.now() / 1000) * 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let now = new Date(START);
let ids = 0;
beforeAll(async () => {
	publisher = await testPublisher();
	second = await generateKeyPair("second");
	const [one, two] = [publisher.publicKey, second.publicKey];
	const map = serializePublishers({
		publishers: [
			{ names: ["sample", "other"], threshold: 1, keys: [one] },
			{ names: ["pair"], threshold: 2, keys: [one, two] },
		],
	});
	server = await TestServer.start({ now: () => now, trust: { map } });
	token = await server.token({ expiresAt: "2999-01-01T00:00:00.000Z" });
	bundle = await testBundle();
	for (const each of [bundle, await testBundle({ name: "other" })]) await server.publish(each, token);
	await server.publish(await testBundle({ name: "pair", signers: [publisher, second] }), token);
	manifestSha256 = (await indexOf("sample")).versions[0]!.manifestSha256;
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
	now = new Date(START);
});

const indexOf = async (name: string) =>
	(await server.index(name)) ?? expect.unreachable(`no index of ${name}`);
const listed = () => server.statements("permit", "sample");

async function permit(changes: Partial<Permit> = {}, signers: readonly SecretKey[] = [publisher]) {
	ids += 1;
	let envelope = newPermit({
		id: ids.toString(16).padStart(32, "0"),
		name: "sample",
		from: ">=1.0.1 <=1.0.2" as Permit["from"],
		to: { version: "1.0.0", manifestSha256 },
		reason: "drops packets",
		issued: tufTime(new Date(START - HOUR)),
		expires: tufTime(new Date(START + 14 * DAY)),
		...changes,
	});
	for (const signer of signers) envelope = await signDsseEnvelope(envelope, signer);
	return { id: changes.id ?? ids.toString(16).padStart(32, "0"), envelope };
}

function put(
	{ id, envelope }: { id: string; envelope: DsseEnvelope | string },
	at: { kind?: string; name?: string; id?: string; token?: string | undefined; type?: string } = {},
): Promise<Answer> {
	const body = typeof envelope === "string" ? envelope : new Uint8Array(serializeDsseEnvelope(envelope));
	return server.request(paths.statement(at.kind ?? "permit", at.name ?? "sample", at.id ?? id), {
		method: "PUT",
		token: "token" in at ? at.token : token,
		headers: { "content-type": at.type ?? STATEMENT_MEDIA_TYPE },
		body,
	});
}

async function refuses(
	expected: [status: number, code: string, detail?: string],
	answer: Promise<Answer>,
): Promise<void> {
	const before = await listed();
	const { status, code, json } = await answer;
	const details = (json as { error?: { details?: Record<string, unknown> } }).error?.details;
	const detail = details?.["statementCode"] ?? details?.["signatureCode"];
	expect([status, code, ...(expected.length === 3 ? [detail] : [])]).toEqual(expected);
	expect(await listed()).toEqual(before);
}

test("a permit is listed in the target of its name and kind, which standard clients verify", async () => {
	const made = await permit();
	const first = await put(made);
	expect(first).toMatchObject({
		status: 201,
		json: { schema: "kfn.statement-published/1", kind: "permit", id: made.id, name: "sample", serial: 0 },
	});
	expect((await put(made)).status).toBe(200);
	expect(await listed()).toEqual([envelopeValue(made.envelope)]);
	const store = await openSqliteMetadataStore(join(server.dataDir, "registry.sqlite"));
	const reader = new StoreReader(store, server.trust!.rootBytes);
	const verified = JSON.parse(Buffer.from((await reader.read("sample/permit.json"))!).toString());
	expect(verified.statements).toEqual([envelopeValue(made.envelope)]);
	const [line] = (await store.read((reads) => reads.listAudit(10))).filter(
		({ verb }) => verb === "statement",
	);
	expect(line).toMatchObject({ name: "sample", version: null, outcome: "same" });
	const entries = await store.read((reads) => reads.listLogEntries(0, 100));
	const logged = entries.map(parseLogEntry).filter(({ type }) => type === "statement");
	const sha256 = createHash("sha256").update(serializeDsseEnvelope(made.envelope)).digest("hex");
	// Once: a repeated upload is no event.
	expect(logged).toEqual([
		{
			at: now.toISOString(),
			type: "statement",
			kind: "permit",
			name: "sample",
			id: made.id,
			serial: 0,
			sha256,
		},
	]);
	await store.close();
	rmSync(reader.folder, { recursive: true });
});

test("a yank and a publication keep it listed; once it has expired, the next statement drops it", async () => {
	const made = await permit({ expires: tufTime(new Date(START + 12 * HOUR)) });
	await put(made);
	await server.yank(bundle, token, "bad");
	await server.publish(await testBundle({ version: "1.0.9" }), token);
	expect(await listed()).toContainEqual(envelopeValue(made.envelope));
	now = new Date(START + 12 * HOUR);
	await put(await permit());
	expect(await listed()).not.toContainEqual(envelopeValue(made.envelope));
});

test("two signers where the map asks for two", async () => {
	const to = { version: "1.0.0", manifestSha256: (await indexOf("pair")).versions[0]!.manifestSha256 };
	const alone = await permit({ name: "pair", to }, [publisher]);
	await refuses([403, "REGISTRY_UNAUTHORISED", "SIGNATURE_THRESHOLD"], put(alone, { name: "pair" }));
	const both = await permit({ name: "pair", to }, [publisher, second]);
	expect((await put(both, { name: "pair" })).status).toBe(201);
});

describe("refuses", () => {
	test("no token, one for another name, one for another verb", async () => {
		const made = await permit();
		await refuses([401, "REGISTRY_TOKEN_MISSING"], put(made, { token: undefined }));
		const other = await server.token({ names: "other", expiresAt: "2999-01-01T00:00:00.000Z" });
		await refuses([403, "REGISTRY_TOKEN_SCOPE"], put(made, { token: other }));
		const yanker = await server.token({ verbs: ["yank"], expiresAt: "2999-01-01T00:00:00.000Z" });
		await refuses([403, "REGISTRY_TOKEN_SCOPE"], put(made, { token: yanker }));
	});

	test("an unsigned one, a stranger's, and one whose payload was changed", async () => {
		await refuses([403, "REGISTRY_UNAUTHORISED", "SIGNATURE_MISSING"], put(await permit({}, [])));
		await refuses([403, "REGISTRY_UNAUTHORISED", "SIGNATURE_UNKNOWN_KEY"], put(await permit({}, [second])));
		const [good, wide] = [await permit(), await permit({ from: ">=1.0.1 <=9.0.0" as Permit["from"] }, [])];
		const forged = { ...wide.envelope, signatures: good.envelope.signatures };
		await refuses(
			[403, "REGISTRY_UNAUTHORISED", "SIGNATURE_INVALID"],
			put({ id: wide.id, envelope: forged }),
		);
	});

	test("one for a name that nobody may publish", async () => {
		const made = await permit({ name: "nobody" });
		await refuses([403, "REGISTRY_UNAUTHORISED", "PUBLISHERS_NO_MATCH"], put(made, { name: "nobody" }));
	});

	test("replay: an expired one, one of the future, one for another name of the same publisher", async () => {
		const made = await permit();
		now = new Date(START + 14 * DAY);
		await refuses([400, "REGISTRY_STATEMENT_REFUSED", "PERMIT_EXPIRED"], put(made));
		now = new Date(START - 2 * HOUR);
		await refuses([400, "REGISTRY_STATEMENT_REFUSED", "PERMIT_NOT_YET"], put(made));
		now = new Date(START);
		await refuses([400, "REGISTRY_STATEMENT_REFUSED", "PERMIT_SCOPE"], put(made, { name: "other" }));
	});

	test("a target that is not published, or with other bytes", async () => {
		const unknown = { version: "0.9.0", manifestSha256 };
		await refuses([404, "REGISTRY_NOT_FOUND"], put(await permit({ to: unknown })));
		const other = { version: "1.0.0", manifestSha256: "ab".repeat(32) };
		await refuses([400, "REGISTRY_STATEMENT_REFUSED", "PERMIT_SCOPE"], put(await permit({ to: other })));
	});

	test("another id in the URL, one that is none, and one that is taken", async () => {
		const made = await permit();
		await refuses([400, "REGISTRY_STATEMENT_REFUSED"], put(made, { id: "f".repeat(32) }));
		await refuses([400, "REGISTRY_REQUEST_INVALID"], put(made, { id: "../../x" }));
		await refuses([400, "REGISTRY_REQUEST_INVALID"], put(made, { kind: "constructor" }));
		expect((await put(made)).status).toBe(201);
		const again = await permit({ id: made.id, reason: "another one" });
		await refuses([409, "REGISTRY_STATEMENT_EXISTS"], put(again));
	});

	test("other bodies: another type, none, too much, not a permit, another spelling", async () => {
		const made = await permit();
		await refuses([415, "REGISTRY_MEDIA_TYPE"], put(made, { type: "application/json" }));
		const nothing = server.request(paths.statement("permit", "sample", made.id), { method: "PUT", token });
		await refuses([415, "REGISTRY_MEDIA_TYPE"], nothing);
		const malformed: [number, string, string] = [400, "REGISTRY_STATEMENT_REFUSED", "PERMIT_MALFORMED"];
		const text = Buffer.from(serializeDsseEnvelope(made.envelope)).toString();
		for (const envelope of [
			"",
			"{}",
			text.slice(0, -1),
			text.replace("rollback-permit", "manifest"),
			`${text} `,
		]) {
			await refuses(malformed, put({ id: made.id, envelope }));
		}
		await refuses([413, "REGISTRY_TOO_LARGE"], put({ id: made.id, envelope: "x".repeat(128 * 1024 + 1) }));
	});

	test("the 65th that would be in force at once", async () => {
		const room = 64 - (await listed()).length;
		for (let count = 0; count < room; count++) expect((await put(await permit())).status).toBe(201);
		await refuses([400, "REGISTRY_STATEMENT_REFUSED"], put(await permit()));
	});
});
