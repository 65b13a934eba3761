// PUT /v1/bundles/NAME/VERSION over real HTTP: what is taken, what is refused and under which code.
import { zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packArchive } from "#bundle/archive.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { serializePublishers } from "#signing/publishers.ts";
import {
	BUNDLE_MEDIA_TYPE,
	type ErrorDocument,
	type PublishedDocument,
	paths,
	targetPaths,
} from "../api/wire.ts";
import { testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";
import { testPublisher } from "../testing/trust.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
	server = await TestServer.start();
	token = await server.token();
});
afterAll(() => server[Symbol.asyncDispose]());

const indexOf = async (name: string) =>
	(await server.index(name)) ?? expect.unreachable(`no index of ${name}`);

test("publishes: 201, an index entry, the same bytes back", async () => {
	const bundle = await testBundle({ name: "fresh" });
	const answer = await server.publish(bundle, token);
	expect(answer.status).toBe(201);
	const published = answer.json as PublishedDocument;
	expect(published).toMatchObject({
		name: "fresh",
		version: "1.0.0",
		sha256: bundle.sha256,
		tag: bundle.tag,
	});
	const [entry] = (await indexOf("fresh")).versions;
	expect(entry).toMatchObject({
		version: "1.0.0",
		sha256: bundle.sha256,
		size: bundle.archive.byteLength,
		manifestSha256: published.manifestSha256,
		tag: bundle.tag,
		function: { name: "flow-dissector", abi: 1 },
		requires: [{ kernel: ">=5.10", features: ["link:netns", "prog_type:flow_dissector"] }],
		yanked: null,
	});
	expect(await server.locate(targetPaths.archive("fresh", "1.0.0"))).toBe(bundle.path);
	const archive = await server.request(bundle.path);
	expect(Buffer.from(archive.body).equals(bundle.archive)).toBe(true);
	expect(server.incomingOnDisk()).toEqual([]);
});

test("the same bytes again: 200 and the same answer, so a retry is harmless", async () => {
	const bundle = await testBundle({ name: "again" });
	const first = await server.publish(bundle, token);
	const second = await server.publish(bundle, token);
	expect([first.status, second.status]).toEqual([201, 200]);
	expect(second.json).toEqual(first.json);
	expect((await indexOf("again")).versions).toHaveLength(1);
});

test("other bytes for a version that exists: 409, and the first stay", async () => {
	const [first, second] = [
		await testBundle({ name: "fixed" }),
		await testBundle({ name: "fixed", readme: "other" }),
	];
	await server.publish(first, token);
	const answer = await server.publish(second, token);
	expect([answer.status, answer.code]).toEqual([409, "REGISTRY_VERSION_EXISTS"]);
	expect((await indexOf("fixed")).versions.map((entry) => entry.sha256)).toEqual([first.sha256]);
	expect(server.blobsOnDisk()).not.toContain(second.sha256);
});

test("a yanked version stays taken", async () => {
	const [first, second] = [
		await testBundle({ name: "taken" }),
		await testBundle({ name: "taken", readme: "other" }),
	];
	await server.publish(first, token);
	await server.yank(first, token, "crashes");
	expect((await server.publish(second, token)).code).toBe("REGISTRY_VERSION_EXISTS");
	expect((await server.publish(first, token)).status).toBe(200);
	expect((await indexOf("taken")).versions[0]?.yanked).not.toBeNull();
});

test("a pre-release version travels through the URL", async () => {
	const bundle = await testBundle({ name: "pre", version: "1.0.0-rc.1" });
	expect((await server.publish(bundle, token)).status).toBe(201);
});

describe("refuses", () => {
	const refused = async (
		answer: { status: number; code: string },
		expected: [number, string],
		name: string,
	) => {
		expect([answer.status, answer.code]).toEqual(expected);
		expect(await server.index(name)).toBeUndefined();
		expect(server.incomingOnDisk()).toEqual([]);
	};

	test("a bundle without signatures", async () => {
		const answer = await server.publish(await testBundle({ name: "unsigned", signers: [] }), token);
		await refused(answer, [400, "REGISTRY_SIGNATURE_MISSING"], "unsigned");
	});

	test("a bundle with signatures for the kernel that no host would take", async () => {
		const bundle = await testBundle({ name: "malformed", kernelSignatures: "{}" });
		const answer = await server.publish(bundle, token);
		await refused(answer, [400, "REGISTRY_BUNDLE_REFUSED"], "malformed");
		const { details } = (answer.json as ErrorDocument).error;
		expect(details).toMatchObject({ bundleCode: "KERNEL_SIGNATURE_MALFORMED" });
	});

	const unauthorised = async (name: string, signers: readonly SecretKey[], signatureCode: string) => {
		const answer = await server.publish(await testBundle({ name, signers }), token);
		await refused(answer, [403, "REGISTRY_UNAUTHORISED"], name);
		expect((answer.json as ErrorDocument).error.details).toMatchObject({ signatureCode });
	};

	test("unauthorised publisher: a bundle that only a key outside the authorisation map signed", async () => {
		await unauthorised("foreign", [await generateKeyPair()], "SIGNATURE_UNKNOWN_KEY");
	});

	test("a stranger's signature beside the publisher's", async () => {
		await unauthorised("mixed", [await testPublisher(), await generateKeyPair()], "SIGNATURE_UNKNOWN_KEY");
	});

	test("a name that the map has no entry for, and one whose threshold is not met", async () => {
		const { publicKey } = await testPublisher();
		const second = await generateKeyPair();
		const map = serializePublishers({
			publishers: [{ names: ["pair"], threshold: 2, keys: [publicKey, second.publicKey] }],
		});
		await using strict = await TestServer.start({ trust: { map } });
		const strictToken = await strict.token();
		const code = async (name: string, signers: readonly SecretKey[]) => {
			const answer = await strict.publish(await testBundle({ name, signers }), strictToken);
			return [answer.status, (answer.json as ErrorDocument).error?.details?.["signatureCode"]];
		};
		const first = await testPublisher();
		expect(await code("other", [first])).toEqual([403, "PUBLISHERS_NO_MATCH"]);
		expect(await code("pair", [first])).toEqual([403, "SIGNATURE_THRESHOLD"]);
		expect(await code("pair", [first, second])).toEqual([201, undefined]);
		expect((await strict.registry.audit())[1]).toMatchObject({
			outcome: "REGISTRY_UNAUTHORISED",
			name: "pair",
		});
	});

	test("name mismatch: an archive under a name that its manifest does not have", async () => {
		const answer = await server.publish(await testBundle({ name: "mine" }), token, { name: "yours" });
		await refused(answer, [400, "REGISTRY_BUNDLE_MISMATCH"], "yours");
		expect(await server.index("mine")).toBeUndefined();
	});

	test("version mismatch: an archive under a version that its manifest does not have", async () => {
		const answer = await server.publish(await testBundle({ name: "shifted" }), token, { version: "1.0.1" });
		await refused(answer, [400, "REGISTRY_BUNDLE_MISMATCH"], "shifted");
	});

	test.each([
		["an empty body", new Uint8Array(0), [400, "REGISTRY_BUNDLE_REFUSED"]],
		["text", Buffer.from("not a bundle"), [400, "REGISTRY_BUNDLE_REFUSED"]],
		[
			"an archive without a manifest",
			packArchive([{ path: "README.md", bytes: Buffer.from("x") }]),
			[400, "REGISTRY_BUNDLE_REFUSED"],
		],
	] as [string, Uint8Array, [number, string]][])("%s", async (_, bytes, expected) => {
		const archive = new Uint8Array(bytes);
		const answer = await server.publish(
			{ name: "broken", version: "1.0.0", archive, sha256: "", tag: "", path: "" },
			token,
		);
		await refused(answer, expected, "broken");
	});

	test("a bundle with one flipped bit, at any of many places", async () => {
		const { archive, ...rest } = await testBundle({ name: "flipped" });
		for (let at = 0; at < archive.byteLength; at += 97) {
			const damaged = archive.slice();
			damaged[at] = (damaged[at] ?? 0) ^ 1;
			if (expandsTo(damaged, zstdDecompressSync(archive))) continue;
			const answer = await server.publish({ ...rest, archive: damaged }, token);
			expect([at, answer.status, answer.code]).toEqual([at, 400, "REGISTRY_BUNDLE_REFUSED"]);
		}
		expect(await server.index("flipped")).toBeUndefined();
	});

	// zstd can spell the same bytes in several ways: a flipped bit of a match's distance may find equal bytes elsewhere.
	function expandsTo(archive: Uint8Array, tar: Buffer): boolean {
		try {
			return zstdDecompressSync(archive).equals(tar);
		} catch {
			return false;
		}
	}

	test("another content type, and none", async () => {
		const { archive } = await testBundle({ name: "typed" });
		const put = (headers: Record<string, string>) =>
			server.request(paths.bundle("typed", "1.0.0"), { method: "PUT", token, headers, body: archive });
		await refused(await put({ "content-type": "application/json" }), [415, "REGISTRY_MEDIA_TYPE"], "typed");
		await refused(await put({ "content-type": "text/plain" }), [415, "REGISTRY_MEDIA_TYPE"], "typed");
		await refused(await put({}), [415, "REGISTRY_MEDIA_TYPE"], "typed");
		const bare = await server.request(paths.bundle("typed", "1.0.0"), { method: "PUT", token });
		await refused(bare, [415, "REGISTRY_MEDIA_TYPE"], "typed");
		expect((await put({ "content-type": `${BUNDLE_MEDIA_TYPE}; v=1` })).status).toBe(201);
	});

	test.each(["1.0", "v1.0.0", "1.0.0+build", "latest", "1.0.0%00"])("the version %j", async (version) => {
		const path = `/v1/bundles/versions/${version}`;
		const { archive: body } = await testBundle({ name: "versions" });
		const headers = { "content-type": BUNDLE_MEDIA_TYPE };
		const answer = await server.request(path, { method: "PUT", token, headers, body });
		expect(answer.status === 404 || answer.code === "REGISTRY_REQUEST_INVALID").toBe(true);
		expect(await server.index("versions")).toBeUndefined();
	});
});

test("the audit log says who published what, and who was refused why", async () => {
	const owner = await server.registry.tokens.create({
		label: "audited",
		names: "audited",
		verbs: ["publish"],
		expiresAt: "2999-01-01T00:00:00.000Z",
	});
	const bundle = await testBundle({ name: "audited" });
	const other = await testBundle({ name: "audited", readme: "other" });
	for (const one of [bundle, bundle, other]) await server.publish(one, owner.token);
	await server.publish(await testBundle({ name: "elsewhere" }), owner.token);
	await server.yank(bundle, owner.token, "no");
	const log = (await server.registry.audit()).filter((line) => line.tokenId === owner.id).reverse();
	const line = (verb: string, name: string, sha256: string | null, outcome: string) =>
		expect.objectContaining({ verb, name, version: "1.0.0", sha256, outcome });
	expect(log).toEqual([
		line("publish", "audited", bundle.sha256, "created"),
		line("publish", "audited", bundle.sha256, "same"),
		line("publish", "audited", other.sha256, "REGISTRY_VERSION_EXISTS"),
		line("publish", "elsewhere", null, "REGISTRY_TOKEN_SCOPE"),
		line("yank", "audited", null, "REGISTRY_TOKEN_SCOPE"),
	]);
});
