// The conformance client against a repository of our own writer over real HTTP: what the public suite checks of any client,
// for the format that kfn's registry serves.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import { artifactName } from "./artifact-folder.ts";
import { type ClientWorld, openClientWorld } from "./client-world.ts";

const INDEX = "flow-dissector/index.json";
const OK = { exit: 0, says: "" };

async function world(): Promise<{ repository: TufRepository; client: ClientWorld }> {
	const repository = await TufRepository.make({ bins: 4 });
	await repository.publish(INDEX, Buffer.from("[1]\n"));
	return { repository, client: await openClientWorld(repository.files, "v1/") };
}

/** A client that has seen the repository as it stands. */
async function seen(): Promise<{ repository: TufRepository; client: ClientWorld }> {
	const { repository, client } = await world();
	expect(await client.init(repository.root)).toEqual(OK);
	expect(await client.refresh()).toEqual(OK);
	client.asked();
	return { repository, client };
}

test("init, refresh, download: the requests, the bytes that are kept, and nothing twice", async () => {
	const { repository, client } = await world();
	await using _ = client;
	expect(await client.refresh()).toMatchObject({ exit: 1 });
	expect(await client.init(repository.root)).toEqual(OK);
	expect(client.asked()).toEqual([]);
	expect(await client.refresh()).toEqual(OK);
	const top = ["metadata/2.root.json", "metadata/timestamp.json"];
	expect(client.asked()).toEqual([...top, "metadata/2.snapshot.json", "metadata/1.targets.json"]);
	expect(client.trusted()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 1 });
	const timestamp = readFileSync(join(client.metadataDir, "timestamp.json"));
	expect(timestamp).toEqual(Buffer.from(repository.file("metadata/timestamp.json")));

	expect(await client.download(INDEX)).toEqual(OK);
	const [bin] = Object.keys(client.trusted()).filter((role) => role.startsWith("bin-"));
	const [artifact] = [...repository.files.keys()].filter((path) => path.startsWith("v1/targets/"));
	expect(client.asked()).toEqual([...top, `metadata/2.${bin}.json`, artifact!.slice("v1/".length)]);
	expect(client.artifacts()).toEqual(["[1]\n"]);

	expect(await client.download(INDEX)).toEqual(OK);
	expect(client.asked()).toEqual(top);
	writeFileSync(join(client.targetDir, artifactName(INDEX)), "[2]\n");
	expect(await client.download(INDEX)).toEqual(OK);
	expect(client.asked()).toEqual([...top, artifact!.slice("v1/".length)]);
	expect(client.artifacts()).toEqual(["[1]\n"]);
	expect(await client.init(repository.root)).toMatchObject({ exit: 1 });
});

test("a target that changes is fetched again and takes the old one's place; one that is listed nowhere is not asked for", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	expect(await client.download(INDEX)).toEqual(OK);
	await repository.publish(INDEX, Buffer.from("[1,2]\n"));
	expect(await client.download(INDEX)).toEqual(OK);
	expect(client.artifacts()).toEqual(["[1,2]\n"]);
	client.asked();
	expect(await client.download("nothing/index.json")).toMatchObject({ exit: 1 });
	expect(client.asked().filter((path) => path.startsWith("targets/"))).toEqual([]);
});

test("rollback: an older timestamp, an older snapshot under a newer timestamp", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	const old = repository.copyOfFiles();
	await repository.publish(INDEX, Buffer.from("[2]\n"));
	expect(await client.refresh()).toEqual(OK);
	client.mirror.serve((path) => old.get(path));
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_ROLLBACK" });
	await repository.signTimestamp(({ version }) => ({ version: version - 1 }));
	client.mirror.serve((path) => repository.files.get(path));
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_ROLLBACK" });
	expect(client.trusted()).toEqual({ root: 1, timestamp: 3, snapshot: 3, targets: 1 });
});

test("expired metadata: the newest verified part is kept, nothing after it", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	repository.now = new Date(Date.now() - 2 * 86_400_000);
	await repository.signTimestamp();
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_EXPIRED" });
	expect(client.trusted()).toMatchObject({ timestamp: 2 });
	repository.now = new Date(Date.now() - 8 * 86_400_000);
	await repository.signSnapshot();
	repository.now = new Date();
	await repository.signTimestamp();
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_EXPIRED" });
	expect(client.trusted()).toMatchObject({ timestamp: 4, snapshot: 2 });
});

test("wrong threshold: targets and root with one signature of two", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	await repository.signTargets(undefined, repository.keys.targets.slice(0, 1));
	await repository.signSnapshot();
	await repository.signTimestamp();
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
	expect(client.trusted()).toEqual({ root: 1, timestamp: 3, snapshot: 3, targets: 1 });
	await repository.signRoot(undefined, repository.keys.root.slice(0, 1));
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
	expect(client.trusted()).toMatchObject({ root: 1 });
});

test("wrong bytes, missing files and bytes without end, of metadata and of a target", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	const [artifact] = [...repository.files.keys()].filter((path) => path.startsWith("v1/targets/"));
	const lies = [
		[artifact!, Buffer.from("[3]\n"), "TRUST_MISMATCH"],
		[artifact!, "missing", "TRUST_MISMATCH"],
		[artifact!, "endless", "TRUST_TOO_LARGE"],
	] as const;
	for (const [path, lie, says] of lies) {
		client.mirror.lie(path, lie);
		expect(await client.download(INDEX)).toEqual({ exit: 1, says });
		expect(client.artifacts()).toEqual([]);
	}
	const older = repository.file("metadata/2.snapshot.json");
	await repository.publish(INDEX, Buffer.from("[4]\n"));
	for (const [lie, says] of [
		[older, "TRUST_MISMATCH"],
		["missing", "TRUST_MISMATCH"],
		["endless", "TRUST_TOO_LARGE"],
	] as const) {
		client.mirror.lie("v1/metadata/3.snapshot.json", lie);
		expect(await client.refresh()).toEqual({ exit: 1, says });
		expect(client.trusted()).toMatchObject({ timestamp: 3, snapshot: 2 });
	}
	client.mirror.honest();
	expect(await client.download(INDEX)).toEqual(OK);
	expect(client.artifacts()).toEqual(["[4]\n"]);
});

test("rotation of every role's keys, with the bins' among them", async () => {
	const { repository, client } = await seen();
	await using _ = client;
	for (const role of ["root", "targets", "snapshot", "timestamp", "bins"] as const)
		await repository.rotate(role);
	for (const role of ["a/index.json", INDEX]) await repository.publish(role, Buffer.from(`${role}\n`));
	await repository.publish("kfn/registry.json", Buffer.from("{}\n"));
	expect(await client.download("kfn/registry.json", INDEX)).toEqual(OK);
	expect(client.trusted()).toMatchObject({ root: 5, targets: 3 });
	expect(client.artifacts().sort()).toEqual([`${INDEX}\n`, "{}\n"]);
});
