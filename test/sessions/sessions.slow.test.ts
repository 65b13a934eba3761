// Golden sessions that need no root: the real CLI, a real registry, real files. KFN_UPDATE=1 rewrites them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openRegistry } from "#registry/main.ts";
import { initialiseTestTrust, testPublisher } from "#registry/testing/trust.ts";
import { formatSeed } from "#signing/secret-key-file.ts";
import { runSession } from "../harness/session.ts";
import { pin } from "../harness/trust-world.ts";
import { CLI, EXAMPLE_PACKAGE, folderFiles, MASKS, PASSPHRASE, sampleArchives } from "./world.ts";

const file = (name: string) => join(import.meta.dirname, `${name}.golden`);

function temporary(): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-session-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

test("a publisher's session", async () => {
	const root = temporary();
	await runSession({
		file: file("publisher"),
		cli: CLI,
		masks: MASKS,
		env: { KFN_ROOT: root, KFN_PASSPHRASE: PASSPHRASE },
		literals: { ROOT: root },
		files: folderFiles(EXAMPLE_PACKAGE, "package"),
	});
});

test("a rollback permit's session: made, signed by two on two machines, shown", async () => {
	const root = temporary();
	await runSession({
		file: file("permit"),
		cli: CLI,
		masks: [...MASKS, { pattern: /\b[0-9a-f]{32}\b/g, name: "[ID]" }],
		env: { KFN_ROOT: root, KFN_PASSPHRASE: PASSPHRASE },
		literals: { ROOT: root },
		files: await sampleArchives(),
	});
});

test("an advisory's session: made, signed, published, seen by a host, withdrawn", async () => {
	const data = temporary();
	const root = temporary();
	const { rootBytes } = await initialiseTestTrust(data, { bins: 2 });
	const registry = await openRegistry({ dataDir: data });
	onTestFinished(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
	const { token } = await registry.tokens.create({ label: "t", names: "*", verbs: ["publish"], expiresAt });
	await runSession({
		file: file("advisory"),
		cli: CLI,
		masks: MASKS,
		env: {
			KFN_ROOT: root,
			KFN_REGISTRY: url,
			KFN_TOKEN: token,
			PUBLISHER: formatSeed(await testPublisher()),
		},
		literals: { ROOT: root },
		files: { "1.root.json": rootBytes },
	});
});

test("a catalogue's session: made from a bundle, signed, published, fetched by a host, followed", async () => {
	const data = temporary();
	const root = temporary();
	const { rootBytes, targets } = await initialiseTestTrust(data, { bins: 2 });
	const registry = await openRegistry({ dataDir: data });
	onTestFinished(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
	const { token } = await registry.tokens.create({ label: "t", names: "*", verbs: ["publish"], expiresAt });
	await runSession({
		file: file("catalogue"),
		cli: CLI,
		masks: MASKS,
		env: {
			KFN_ROOT: root,
			KFN_REGISTRY: url,
			KFN_TOKEN: token,
			DATA: data,
			TARGETS: formatSeed(targets[0]!),
		},
		literals: { ROOT: root, DATA: data },
		files: { ...(await sampleArchives()), "1.root.json": rootBytes },
	});
});

test("wrong command lines, and a host where nothing is installed", async () => {
	const root = temporary();
	await runSession({
		file: file("usage"),
		cli: CLI,
		masks: MASKS,
		env: { KFN_ROOT: root },
		literals: { ROOT: root },
	});
});

test("a registry's session: tokens, publishing, yanking", async () => {
	const data = temporary();
	const root = temporary();
	const { rootBytes } = await initialiseTestTrust(data);
	const registry = await openRegistry({ dataDir: data });
	onTestFinished(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	await runSession({
		file: file("registry"),
		cli: CLI,
		masks: MASKS,
		env: { KFN_ROOT: root, KFN_REGISTRY: url, DATA: data },
		literals: { ROOT: root, DATA: data },
		files: { ...(await sampleArchives()), "1.root.json": rootBytes },
	});
	expect(await registry.tokens.list()).toHaveLength(3);
});

test("a mirror's session: copied, exported, imported by another host", async () => {
	const data = temporary();
	const root = temporary();
	const { rootBytes } = await initialiseTestTrust(data, { bins: 2 });
	const registry = await openRegistry({ dataDir: data });
	onTestFinished(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
	const spec = { label: "test", names: "*", verbs: ["publish", "yank"], expiresAt } as const;
	const { token } = await registry.tokens.create(spec);
	const archives = await sampleArchives();
	const headers = { authorization: `Bearer ${token}`, "content-type": "application/vnd.kfn.bundle" };
	const body = new Uint8Array(archives["sample-1.0.0.kfn"]!);
	const sent = await fetch(`${url}/v1/bundles/sample/1.0.0`, { method: "PUT", headers, body });
	expect(sent.status).toBe(201);
	pin(root, rootBytes);
	await runSession({
		file: file("mirror"),
		cli: CLI,
		masks: [...MASKS, { pattern: /"bytes": \d+/g, name: '"bytes": [SIZE]' }],
		env: { KFN_ROOT: root, KFN_REGISTRY: url },
		literals: { ROOT: root },
		files: { "1.root.json": rootBytes, token },
	});
});

test("a key ceremony's session: machines of their own, publishers, a signer who leaves, new online keys", {
	timeout: 600_000,
}, async () => {
	const root = temporary();
	await runSession({
		file: file("ceremony"),
		cli: CLI,
		masks: [...MASKS, { pattern: /\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}/g, name: "+[ID]+[KEY]" }],
		env: { KFN_ROOT: root, KFN_PASSPHRASE: PASSPHRASE },
		literals: { ROOT: root },
	});
});
