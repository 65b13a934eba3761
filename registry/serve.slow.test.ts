// Opening, listening, closing and being killed: real processes, real files.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { nextRoot, withOnlineKeys } from "#signing/tuf/next-root.ts";
import { nextTargets, withBinsKey } from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { BUNDLE_MEDIA_TYPE, paths, targetPaths } from "./api/wire.ts";
import { serve, tokenCreate, tokenList, tokenRevoke, withCeremony } from "./main.ts";
import { openRegistry } from "./serve.ts";
import { testBundle } from "./testing/bundles.ts";
import { RawConnection } from "./testing/raw-http.ts";
import { changed, filesBelow, TestServer, temporaryFolder } from "./testing/server.ts";
import { initialiseTestTrust } from "./testing/trust.ts";
import { nextOnlineKeys, type OnlineKeys, readOnlineKeys, stageOnlineKeys } from "./trust/online-keys.ts";

let dataDir: string;
let children: ChildProcess[];
beforeEach(async () => {
	dataDir = temporaryFolder();
	await initialiseTestTrust(dataDir);
	children = [];
});
afterEach(async () => {
	for (const child of children) await kill(child);
	rmSync(dataDir, { recursive: true, force: true });
});

async function serveInChild(): Promise<{ child: ChildProcess; url: string; token: string }> {
	const script = join(import.meta.dirname, "testing", "serve-child.ts");
	const child = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
	children.push(child);
	const [line] = (await once(child.stdout!, "data")) as [Buffer];
	return { child, ...(JSON.parse(line.toString()) as { url: string; token: string }) };
}

async function kill(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill("SIGKILL");
	await once(child, "exit");
}

const HOST = { host: "127.0.0.1", port: 0 };
const soon = () => new Date(Date.now() + 60_000).toISOString();
const spec = (label: string) => ({
	label,
	names: "*",
	verbs: ["publish", "yank"] as const,
	expiresAt: soon(),
});
const incoming = () => readdirSync(join(dataDir, "blobs/incoming"));

test("kill -9 in the middle of an upload: the rest of it is gone after the next start, and the upload can be repeated", async () => {
	const { child, url, token } = await serveInChild();
	const bundle = await testBundle();
	const connection = await RawConnection.open(url);
	const head = [
		`PUT ${paths.bundle("sample", "1.0.0")} HTTP/1.1`,
		"host: x",
		`authorization: Bearer ${token}`,
		`content-type: ${BUNDLE_MEDIA_TYPE}`,
		`content-length: ${bundle.archive.byteLength}`,
	];
	connection.send(...head, "", "");
	connection.socket.write(bundle.archive.subarray(0, 1000));
	await changed(join(dataDir, "blobs/incoming"), () => incoming().length === 1);
	await kill(child);
	await connection.closed;
	expect(incoming()).toHaveLength(1);
	await using server = await TestServer.start({ dataDir });
	expect(incoming()).toEqual([]);
	expect(server.events.map((event) => event.event)).toEqual(["cleaned"]);
	expect((await server.publish(bundle, token)).status).toBe(201);
});

test.each([1, 4, 9])(
	"kill -9 among many uploads, at blob %i: what was answered is there, what is listed is whole",
	async (count) => {
		const { child, url, token } = await serveInChild();
		const bundles = await Promise.all(
			Array.from({ length: 16 }, (_, n) => testBundle({ name: `bundle-${n}`, readme: `${n}` })),
		);
		const answered: string[] = [];
		const uploads = bundles.map(async (bundle) => {
			const headers = { authorization: `Bearer ${token}`, "content-type": BUNDLE_MEDIA_TYPE };
			const init = { method: "PUT", headers, body: bundle.archive };
			const answer = await fetch(`${url}${paths.bundle(bundle.name, bundle.version)}`, init).catch(
				() => undefined,
			);
			if (answer?.status === 201) answered.push(bundle.name);
		});
		const blobs = join(dataDir, "blobs/sha256");
		await changed(blobs, () => filesBelow(blobs).length >= count);
		await kill(child);
		await Promise.all(uploads);
		await using server = await TestServer.start({ dataDir });
		for (const bundle of bundles) {
			const index = await server.index(bundle.name);
			const archive = await server.locate(targetPaths.archive(bundle.name, bundle.version));
			if (index === undefined) expect([answered.includes(bundle.name), archive]).toEqual([false, undefined]);
			else {
				expect(index.versions.map((version) => version.sha256)).toEqual([bundle.sha256]);
				expect(archive).toBe(bundle.path);
				expect((await server.request(bundle.path)).status).toBe(200);
			}
			expect([200, 201]).toContain((await server.publish(bundle, token)).status);
		}
		expect(server.blobsOnDisk()).toEqual(bundles.map((bundle) => bundle.sha256).sort());
	},
);

test("two servers on one folder: the second is refused, in another process and in this one; a killed one is none", async () => {
	const { child } = await serveInChild();
	const refused = { code: "REGISTRY_DATA_IN_USE" };
	const second = await openRegistry({ dataDir });
	await expect(second.listen(HOST)).rejects.toMatchObject(refused);
	await kill(child);
	const third = await openRegistry({ dataDir });
	await third.listen(HOST);
	const fourth = await openRegistry({ dataDir });
	await expect(fourth.listen(HOST)).rejects.toMatchObject(refused);
	for (const registry of [second, third, fourth]) await registry.close();
});

test("tokens made, and revoked, on the folder of a running server count at once", async () => {
	const { url } = await serveInChild();
	const { id, token } = await tokenCreate(dataDir, { ...spec("admin"), verbs: ["yank"] });
	const yank = async () => {
		const headers = { authorization: `Bearer ${token}` };
		const answer = await fetch(`${url}${paths.yank("sample", "1.0.0")}`, { method: "DELETE", headers });
		return ((await answer.json()) as { error: { code: string } }).error.code;
	};
	expect(await yank()).toBe("REGISTRY_NOT_FOUND");
	await tokenRevoke(dataDir, id);
	expect(await yank()).toBe("REGISTRY_TOKEN_REVOKED");
	const states = (await tokenList(dataDir)).map((one) => [one.label, one.state]);
	expect(states).toEqual([
		["child", "live"],
		["admin", "revoked"],
	]);
});

test("many openings of one new folder at once all succeed", async () => {
	const fresh = join(dataDir, "fresh");
	const registries = await Promise.all(Array.from({ length: 8 }, () => openRegistry({ dataDir: fresh })));
	await Promise.all(registries.map((registry, n) => registry.tokens.create(spec(`token ${n}`))));
	expect(await registries[0]?.tokens.list()).toHaveLength(8);
	for (const registry of registries) await registry.close();
});

test("the data folder is its owner's alone", async () => {
	const fresh = join(dataDir, "made", "below");
	await (await openRegistry({ dataDir: fresh })).close();
	const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
	expect([mode(fresh), mode(join(fresh, "registry.sqlite")), mode(join(fresh, "blobs"))]).toEqual([
		"700",
		"600",
		"700",
	]);
});

test("a folder without trust metadata, or without its keys, is not served; tokens can be made in it", async () => {
	const fresh = join(dataDir, "fresh");
	const registry = await openRegistry({ dataDir: fresh });
	await registry.tokens.create(spec("early"));
	await expect(registry.listen(HOST)).rejects.toMatchObject({ code: "REGISTRY_NOT_INITIALISED" });
	await registry.close();
	await initialiseTestTrust(fresh);
	const initialised = await openRegistry({ dataDir: fresh });
	await initialised.listen(HOST);
	await initialised.close();
	rmSync(join(fresh, "keys/online.json"));
	const keyless = await openRegistry({ dataDir: fresh });
	await expect(keyless.listen(HOST)).rejects.toMatchObject({ code: "REGISTRY_NOT_INITIALISED" });
	await keyless.close();
});

test("online keys are rotated under a running server: it goes on with the new ones", async () => {
	const data = join(dataDir, "rotated");
	await using server = await TestServer.start({ dataDir: data });
	const { online, signed, root, targets, documents } = server.trust!;
	const publicIds = (keys: OnlineKeys) =>
		[keys.bins, keys.snapshot, keys.timestamp].map(({ publicKey }) => publicKey);
	const next = await nextOnlineKeys(data);
	await stageOnlineKeys(data, next, new Set(publicIds(online).map((key) => tufKeyId(tufKeyOf(key)))));
	const life = { now: new Date(), days: 30 };
	const keys = { snapshot: next.snapshot.publicKey, timestamp: next.timestamp.publicKey };
	const newRoot = await signNew(withOnlineKeys(nextRoot(signed.root.signed, life), keys), root);
	const body = withBinsKey(nextTargets(signed.targets.signed, life), next.bins.publicKey);
	const other = await openRegistry({ dataDir: data });
	await other.accept({ root: newRoot, targets: { metadata: await signNew(body, targets), documents } });
	await other.close();
	expect(publicIds(await readOnlineKeys(data)).map(({ keyid }) => keyid)).toEqual(
		publicIds(next).map(({ keyid }) => keyid),
	);
	const bundle = await testBundle();
	expect((await server.publish(bundle, await server.token())).status).toBe(201);
});

test("a data folder of a newer kfn is refused and left alone", async () => {
	await (await openRegistry({ dataDir })).close();
	const file = join(dataDir, "registry.sqlite");
	const database = new DatabaseSync(file);
	database.exec("insert into kysely_migration values ('9999-future', '2999-01-01')");
	database.close();
	await expect(openRegistry({ dataDir })).rejects.toMatchObject({ code: "REGISTRY_DATA_NEWER" });
});

test("an address that is taken", async () => {
	const squatter = createServer().listen(0, "127.0.0.1");
	await once(squatter, "listening");
	const { port } = squatter.address() as { port: number };
	const registry = await openRegistry({ dataDir });
	await expect(registry.listen({ host: "127.0.0.1", port })).rejects.toMatchObject({
		code: "REGISTRY_LISTEN_FAILED",
	});
	await registry.close();
	squatter.close();
});

test("closing lets a running upload finish, and takes no new connection", async () => {
	const server = await TestServer.start({ dataDir });
	const bundle = await testBundle();
	const token = await server.token();
	const connection = await RawConnection.open(server.url);
	connection.send(
		`PUT ${paths.bundle("sample", "1.0.0")} HTTP/1.1`,
		"host: x",
		`authorization: Bearer ${token}`,
		`content-type: ${BUNDLE_MEDIA_TYPE}`,
		`content-length: ${bundle.archive.byteLength}`,
		"",
		"",
	);
	connection.socket.write(bundle.archive.subarray(0, 1000));
	await changed(join(dataDir, "blobs/incoming"), () => incoming().length === 1);
	const closed = server.registry.close();
	connection.socket.write(bundle.archive.subarray(1000));
	expect(await connection.closed).toMatch(/^HTTP\/1\.1 201 /);
	await closed;
	await server.registry.close();
	await expect(RawConnection.open(server.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a folder that is no registry stays what it is: a mistyped path makes none", async () => {
	const typo = join(dataDir, "typo");
	const { signal } = new AbortController();
	const calls: (() => Promise<unknown>)[] = [
		() => tokenCreate(typo, spec("x")),
		() => tokenList(typo),
		() => tokenRevoke(typo, "x"),
		() => withCeremony(typo, (ceremony) => ceremony.accept([])),
		() =>
			serve({
				...{ dataDir: typo, host: "127.0.0.1", port: 0, private: false, signal },
				onListening: () => expect.unreachable(),
				report: () => undefined,
			}),
	];
	for (const call of calls)
		await expect(call()).rejects.toMatchObject({
			code: "REGISTRY_NOT_INITIALISED",
			hint: expect.stringContaining("kfn registry init"),
		});
	expect(existsSync(typo)).toBe(false);
});

test("serve() says its address, and ends when its signal aborts", async () => {
	const stop = new AbortController();
	let answer: Promise<Response> | undefined;
	const served = serve({
		dataDir,
		...HOST,
		private: false,
		signal: stop.signal,
		report: () => undefined,
		onListening: ({ url }) => {
			answer = fetch(`${url}/healthz`);
			answer.finally(() => stop.abort());
		},
	});
	expect((await answer)?.status ?? (await served.then(() => answer))?.status).toBe(200);
	await served;
});
