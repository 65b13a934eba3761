// The conformance client against repositories that @tufjs/models signs, over real HTTP: key kinds, key rotation, delegation
// graphs and odd names, which kfn's own registry has no use for and every TUF client must read.
import { describe, expect, test } from "vitest";
import { type ClientWorld, openClientWorld } from "./client-world.ts";
import type { KeyKind } from "./models-key.ts";
import { type Delegation, ModelsRepository } from "./models-repository.ts";

const OK = { exit: 0, says: "" };
const TOP = ["metadata/2.root.json", "metadata/timestamp.json"];

async function clientOf(repository: ModelsRepository, root = repository.root): Promise<ClientWorld> {
	const client = await openClientWorld(repository.files);
	expect(await client.init(root)).toEqual(OK);
	return client;
}

/** The roles that were asked for after the top-level ones, in order. */
const delegatedIn = (asked: readonly string[]) =>
	asked
		.filter((path) => path.startsWith("metadata/"))
		.slice(4)
		.map((path) => path.slice("metadata/1.".length, -".json".length));

describe("keys", () => {
	test.each(["ed25519", "ecdsa", "rsa"] as const)("%s, two of three", async (kind: KeyKind) => {
		const repository = new ModelsRepository({ kind, keys: 3, threshold: 2 });
		await using client = await clientOf(repository);
		repository.add("targets", "a.txt", Buffer.from("hello"));
		repository.publish();
		expect(await client.download("a.txt")).toEqual(OK);
		expect(client.artifacts()).toEqual(["hello"]);
		repository.signers.set("timestamp", repository.signers.get("timestamp")!.slice(0, 1));
		repository.publish();
		expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
		expect(client.trusted()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 2 });
	});

	test("rotation: a chain of roots, each signed by the keys before it and its own, and metadata by the new ones", async () => {
		const repository = new ModelsRepository({ keys: 2, threshold: 2 });
		await using client = await clientOf(repository);
		expect(await client.refresh()).toEqual(OK);
		for (const role of ["root", "timestamp", "snapshot", "targets"]) {
			const before = repository.giveKeys(role);
			repository.signRoot(role === "root" ? before : []);
		}
		expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
		repository.publish();
		expect(await client.refresh()).toEqual(OK);
		expect(client.trusted()).toEqual({ root: 5, timestamp: 2, snapshot: 2, targets: 2 });
	});

	test("rotation that the old keys, or the new ones, did not sign; a version that is skipped", async () => {
		const byNew = new ModelsRepository();
		const byOld = new ModelsRepository();
		const skipped = new ModelsRepository();
		const [newOnly, oldOnly, jump] = [byNew.root, byOld.root, skipped.root];
		byNew.giveKeys("root");
		byNew.signRoot();
		const old = byOld.giveKeys("root");
		byOld.signers.set("root", old);
		byOld.signRoot();
		skipped.signRoot([], { version: 3 });
		skipped.files.set("metadata/2.root.json", skipped.root);
		for (const [repository, root, says] of [
			[byNew, newOnly, "TRUST_SIGNATURES"],
			[byOld, oldOnly, "TRUST_SIGNATURES"],
			[skipped, jump, "TRUST_MISMATCH"],
		] as const) {
			await using client = await clientOf(repository, root);
			expect(await client.refresh()).toEqual({ exit: 1, says });
			expect(client.trusted()).toEqual({ root: 1 });
		}
	});
});

describe("delegations", () => {
	const graphs: Readonly<Record<string, { edges: readonly Delegation[]; visited: readonly string[] }>> = {
		"depth first, in the order of appearance": {
			edges: [
				{ from: "targets", to: "A" },
				{ from: "targets", to: "B" },
				{ from: "A", to: "C" },
				{ from: "A", to: "D" },
			],
			visited: ["A", "C", "D", "B"],
		},
		"a terminating role ends the search below it": {
			edges: [
				{ from: "targets", to: "A" },
				{ from: "targets", to: "B" },
				{ from: "A", to: "C", terminating: true },
				{ from: "A", to: "D" },
			],
			visited: ["A", "C"],
		},
		"paths that do not match are not walked": {
			edges: [
				{ from: "targets", to: "A", paths: ["*.py"] },
				{ from: "targets", to: "B" },
				{ from: "A", to: "C" },
			],
			visited: ["B"],
		},
		"a cycle ends": {
			edges: [
				{ from: "targets", to: "A" },
				{ from: "A", to: "B" },
				{ from: "B", to: "A" },
			],
			visited: ["A", "B"],
		},
	};

	test.each(Object.entries(graphs))("%s", async (_name, { edges, visited }) => {
		await using client = await clientOf(new ModelsRepository({}, edges));
		expect(await client.download("missing")).toEqual({ exit: 1, says: "TRUST_NO_TARGET" });
		expect(delegatedIn(client.asked())).toEqual(visited);
	});

	test("a target counts in the role that every delegation on the way gives its path", async () => {
		const repository = new ModelsRepository({}, [
			{ from: "targets", to: "A", paths: ["releases/*/*"] },
			{ from: "A", to: "B", paths: ["releases/x/*.zip"] },
		]);
		for (const path of ["releases/x/1.zip", "releases/y/1.zip", "x.zip"])
			repository.add("B", path, Buffer.from(path));
		repository.publish();
		await using client = await clientOf(repository);
		expect(await client.download("releases/x/1.zip")).toEqual(OK);
		expect(await client.download("releases/y/1.zip")).toEqual({ exit: 1, says: "TRUST_NO_TARGET" });
		expect(await client.download("x.zip")).toEqual({ exit: 1, says: "TRUST_NO_TARGET" });
		expect(client.artifacts()).toEqual(["releases/x/1.zip"]);
	});

	test("a role counts only under the delegation by which it is reached: the other's keys did not sign it", async () => {
		const repository = new ModelsRepository({}, [
			{ from: "targets", to: "A", paths: ["a/*"] },
			{ from: "targets", to: "B", paths: ["b/*"] },
			{ from: "A", to: "shared", paths: ["a/*"] },
		]);
		for (const path of ["a/x", "b/x"]) repository.add("shared", path, Buffer.from(path));
		repository.publish();
		// B names keys for the role that did not sign it; what A said of it, and the role itself, stay as they are.
		repository.giveKeys("shared");
		repository.delegate({ from: "B", to: "shared", paths: ["b/*"] });
		repository.signTargets("B");
		repository.signSnapshot();
		repository.signTimestamp();
		await using client = await clientOf(repository);
		expect(await client.download("a/x", "b/x")).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
		expect(client.artifacts()).toEqual(["a/x"]);
	});
});

describe("names", () => {
	test("targets: blanks, percent signs, question marks, dots and other scripts, each in a file of its own", async () => {
		const repository = new ModelsRepository();
		const names = [
			"a b/c d.txt",
			"100%/%41.txt",
			"what?/is#this&that=1+1.txt",
			"Straße/日本語.txt",
			"'\"`$(id)`\"'",
			"back\\slash",
			"...",
			".hidden",
			"dir/~user",
			"/rooted",
			"two//slashes",
		];
		for (const name of names) repository.add("targets", name, Buffer.from(name));
		repository.publish();
		await using client = await clientOf(repository);
		expect(await client.download(...names)).toEqual(OK);
		expect(client.artifacts().sort()).toEqual([...names].sort());
		client.asked();
		expect(await client.download(...names)).toEqual(OK);
		expect(client.asked()).toEqual(TOP);
	});

	test("roles: what would be a query, a fragment, a path or the folder above", async () => {
		const names = ["?", "#", "/role", "../role", "..", "a%2Fb"];
		const repository = new ModelsRepository(
			{},
			names.map((to) => ({ from: "targets", to })),
		);
		await using client = await clientOf(repository);
		expect(await client.download("missing")).toEqual({ exit: 1, says: "TRUST_NO_TARGET" });
		expect(delegatedIn(client.asked())).toEqual(names);
		const kept = Object.keys(client.trusted()).map(decodeURIComponent);
		expect(kept.sort()).toEqual([...names, "root", "timestamp", "snapshot", "targets"].sort());
	});
});

test("files without version and hash in their names, and SHA-512 alone", async () => {
	const repository = new ModelsRepository({ consistentSnapshot: false, hashes: ["sha512"] });
	repository.add("targets", "a/b.txt", Buffer.from("hello"));
	repository.publish();
	await using client = await clientOf(repository);
	expect(await client.download("a/b.txt")).toEqual(OK);
	expect(client.asked()).toEqual([
		...TOP,
		"metadata/snapshot.json",
		"metadata/targets.json",
		"targets/a/b.txt",
	]);
	expect(client.artifacts()).toEqual(["hello"]);
});

test("a root that is none is not pinned, and nothing is asked of anybody", async () => {
	const repository = new ModelsRepository();
	await using client = await openClientWorld(repository.files);
	const { signatures, signed } = JSON.parse(Buffer.from(repository.root).toString()) as {
		signatures: unknown[];
		signed: Record<string, unknown>;
	};
	expect(await client.init(Buffer.from("{}"))).toEqual({ exit: 1, says: "TRUST_MALFORMED" });
	expect(await client.init(Buffer.from(JSON.stringify({ signatures: [], signed })))).toEqual(OK);
	expect(await client.refresh()).toEqual({ exit: 1, says: "TRUST_SIGNATURES" });
	expect(client.asked()).toEqual([]);
	expect(signatures).toHaveLength(1);
});
