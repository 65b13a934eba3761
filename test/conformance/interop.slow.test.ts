// One registry, read by three clients: kfn's (the conformance executable), tuf-js as it comes from npm with its own fetcher
// and folder, and Python with Debian's securesystemslib. None of them may see other bytes than the others.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE, paths, targetPaths } from "#registry/api/wire.ts";
import { testBundle } from "#registry/testing/bundles.ts";
import { type CommandResult, run } from "#test/harness/command.ts";
import { fromFiles, fromServer, openLyingMirror } from "#test/harness/lying-mirror.ts";
import { openTestRegistry, type TestRegistry } from "#test/harness/registry.ts";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import { type ClientWorld, openClientWorld } from "./client-world.ts";

const PYTHON_READER = join(import.meta.dirname, "read_repository.py");
const NAMES = ["flow-dissector", "acme-gro"];
const WANTED = [
	...NAMES.flatMap((name) => [targetPaths.index(name), targetPaths.archive(name, "1.0.0")]),
	"kfn/publishers.json",
	"kfn/registry.json",
];

type Digests = Readonly<Record<string, string>>;
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A registry with two bundles, and the digests of all that a client may want of it. */
async function filled(registry: TestRegistry): Promise<Digests> {
	const expected: Record<string, string> = {};
	for (const name of NAMES) {
		const bundle = await testBundle({ name });
		const answer = await fetch(`${registry.url}${paths.bundle(name, "1.0.0")}`, {
			method: "PUT",
			headers: { authorization: `Bearer ${registry.token}`, "content-type": BUNDLE_MEDIA_TYPE },
			body: bundle.archive,
		});
		expect(answer.status).toBe(201);
		expected[targetPaths.archive(name, "1.0.0")] = bundle.sha256;
	}
	for (const [path, bytes] of Object.entries(registry.trust.documents)) expected[path] = digest(bytes);
	return expected;
}

async function byPython(url: string, root: string, wanted = WANTED): Promise<CommandResult> {
	return run("/usr/bin/python3", [PYTHON_READER, url, root, ...wanted], { allowFailure: true });
}

async function byTufJs(url: string, folder: string): Promise<Digests> {
	const updater = new Updater({
		metadataDir: folder,
		metadataBaseUrl: `${url}/v1/metadata`,
		targetDir: folder,
		targetBaseUrl: `${url}/v1/targets`,
	});
	await updater.refresh();
	const found: Record<string, string> = {};
	for (const path of WANTED) {
		const target = (await updater.getTargetInfo(path)) ?? expect.unreachable(path);
		found[path] = digest(readFileSync(await updater.downloadTarget(target)));
	}
	return found;
}

async function byKfn(client: ClientWorld, root: Uint8Array): Promise<readonly string[]> {
	expect(await client.init(root)).toEqual({ exit: 0, says: "" });
	expect(await client.download(...WANTED)).toEqual({ exit: 0, says: "" });
	return client.artifacts("latin1").map((text) => digest(Buffer.from(text, "latin1")));
}

test("kfn, tuf-js and Python read the same targets from one registry", async () => {
	await using registry = await openTestRegistry();
	const expected = await filled(registry);
	const folder = mkdtempSync(join(tmpdir(), "kfn-interop-"));
	const root = join(folder, "root.json");
	writeFileSync(root, registry.trust.rootBytes);

	const python = await byPython(registry.url, root);
	expect(python).toMatchObject({ code: 0, stderr: "" });
	const found = JSON.parse(python.stdout) as Digests;
	expect(Object.keys(found)).toEqual(WANTED);
	expect(found).toMatchObject(expected);
	expect(await byTufJs(registry.url, folder)).toEqual(found);
	await using client = await openClientWorld(fromServer(registry.url), "v1/");
	expect([...(await byKfn(client, registry.trust.rootBytes))].sort()).toEqual(Object.values(found).sort());
	rmSync(folder, { recursive: true });
});

test("Python refuses what nobody signed, what was changed, and what is not in canonical JSON", async () => {
	await using registry = await openTestRegistry();
	await filled(registry);
	const folder = mkdtempSync(join(tmpdir(), "kfn-interop-"));
	const root = join(folder, "root.json");
	writeFileSync(root, registry.trust.rootBytes);
	const refusal = async (path: string, change: (file: Envelope) => unknown) => {
		await using mirror = await openLyingMirror(fromServer(registry.url));
		const honest = await fromServer(registry.url)(path);
		const file = JSON.parse(Buffer.from(honest!).toString()) as Envelope;
		mirror.lie(path, Buffer.from(JSON.stringify(change(file))));
		const { code, stderr } = await byPython(mirror.url, root, [targetPaths.index(NAMES[0]!)]);
		expect(code).toBe(1);
		return stderr.trim();
	};
	const timestamp = "v1/metadata/timestamp.json";
	expect(await refusal(timestamp, (file) => ({ ...file, signatures: [] }))).toContain(
		"timestamp is signed by 0 of 1",
	);
	expect(
		await refusal(timestamp, ({ signatures, signed }) => ({
			signatures,
			signed: { ...signed, version: 99 },
		})),
	).toContain("timestamp is signed by 0 of 1");
	expect(await refusal(timestamp, ({ signatures, signed }) => ({ signed, signatures }))).toContain(
		"timestamp is not in canonical JSON",
	);
	expect(await refusal("v1/metadata/1.targets.json", (file) => ({ ...file, signatures: [] }))).toContain(
		"targets is signed by 0 of 1",
	);
	rmSync(folder, { recursive: true });
});

test("Python walks from an old root to the newest, and not to one that too few signed", async () => {
	const repository = await TufRepository.make({ bins: 4 });
	const folder = mkdtempSync(join(tmpdir(), "kfn-interop-"));
	const root = join(folder, "root.json");
	writeFileSync(root, repository.root);
	for (const role of ["root", "targets", "snapshot", "timestamp", "bins"] as const)
		await repository.rotate(role);
	for (const path of ["kfn/registry.json", "a/index.json", "b/index.json", "c/index.json"])
		await repository.publish(path, Buffer.from(`${path}\n`));
	await using mirror = await openLyingMirror(fromFiles(repository.files));
	const wanted = ["a/index.json", "b/index.json", "c/index.json", "kfn/registry.json"];
	const { stdout, stderr } = await byPython(mirror.url, root, wanted);
	expect(stderr).toBe("");
	expect(JSON.parse(stdout)).toEqual(
		Object.fromEntries(wanted.map((path) => [path, digest(Buffer.from(`${path}\n`))])),
	);
	await repository.signRoot(undefined, repository.keys.root.slice(0, 1));
	expect((await byPython(mirror.url, root, wanted)).stderr).toContain("root is signed by 1 of 2");
	rmSync(folder, { recursive: true });
});

interface Envelope {
	readonly signatures: readonly unknown[];
	readonly signed: Readonly<Record<string, unknown>>;
}
