// The key ceremony from end to end: three root signers and two targets signers with a folder each as their machine, the real command
// line, a real server, and after each step tuf-js over HTTP, which trusts root 1 and nothing else.
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { expect, onTestFinished, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { formatPublicKeyFile } from "#signing/public-key.ts";
import { encryptSecretKey } from "#signing/secret-key-file.ts";
import { endChild, run, waitForLine } from "./harness/command.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");
const PASSPHRASE = "a test";

class World {
	readonly folder: string;
	readonly data: string;

	constructor() {
		this.folder = mkdtempSync(join(tmpdir(), "kfn-ceremony-"));
		this.data = join(this.folder, "data");
		onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
	}

	/** A signer's machine: a folder with a key, whose public half the admin has. */
	async machine(name: string): Promise<void> {
		mkdirSync(join(this.folder, name));
		const secret = await generateKeyPair(name);
		const text = await encryptSecretKey(secret, PASSPHRASE, { cost: { passes: 1, memoryKiB: 8 } });
		writeFileSync(join(this.folder, name, "key"), text);
		writeFileSync(join(this.folder, `${name}.pub`), formatPublicKeyFile(secret.publicKey));
	}

	async kfn(cwd: string, ...args: string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
		const env = { ...process.env, KFN_PASSPHRASE: PASSPHRASE };
		const options = { cwd: join(this.folder, cwd), env, allowFailure: true };
		const { code, stdout } = await run(KFN, [...args, "--json"], options);
		return { code, json: JSON.parse(stdout) as Record<string, unknown> };
	}

	/** Carries what waits to the machines and signs it there; the copies' paths, seen from the registry's machine. */
	async sign(file: string, ...signers: string[]): Promise<string[]> {
		for (const signer of signers) {
			copyFileSync(join(this.data, "staged", file), join(this.folder, signer, file));
			const { code, json } = await this.kfn(signer, "root", "sign", file, "--key", "key");
			expect({ code, json }).toMatchObject({ code: 0 });
		}
		return signers.map((signer) => join(signer, file));
	}

	/** A command of the admin, who has no secret key. */
	async admin(...args: string[]): Promise<Record<string, unknown>> {
		const { code, json } = await this.kfn(".", ...args, "--data", this.data);
		expect({ code, json }).toMatchObject({ code: 0 });
		return json;
	}

	async refused(...args: string[]): Promise<unknown> {
		const { json } = await this.kfn(".", ...args, "--data", this.data);
		return (json["error"] as { code: string } | undefined)?.code;
	}
}

async function serve(world: World): Promise<string> {
	const args = ["registry", "serve", "--data", world.data, "--port", "0", "--json"];
	const child: ChildProcess = spawn(KFN, args, { stdio: ["ignore", "pipe", "inherit"] });
	onTestFinished(() => endChild(child, "SIGTERM"));
	return (JSON.parse(await waitForLine(child, /"url"/)) as { url: string }).url;
}

/** The names that a stock client with root 1 reads in the authorisation map, over the whole chain of roots. */
async function readByTufJs(world: World, url: string): Promise<string[]> {
	const folder = mkdtempSync(join(world.folder, "client-"));
	const [metadataDir, targetDir] = [join(folder, "metadata"), join(folder, "targets")];
	for (const path of [metadataDir, targetDir]) mkdirSync(path);
	const first = await fetch(`${url}/v1/metadata/1.root.json`);
	writeFileSync(join(metadataDir, "root.json"), new Uint8Array(await first.arrayBuffer()));
	const updater = new Updater({
		metadataDir,
		targetDir,
		metadataBaseUrl: `${url}/v1/metadata`,
		targetBaseUrl: `${url}/v1/targets`,
	});
	await updater.refresh();
	const info = await updater.getTargetInfo("kfn/publishers.json");
	const map = JSON.parse(readFileSync(await updater.downloadTarget(info!), "utf8"));
	return (map as { publishers: { names: string[] }[] }).publishers.flatMap(({ names }) => names);
}

test("a registry begins, changes every kind of key while it serves, and any client follows", {
	timeout: 600_000,
}, async () => {
	const world = new World();
	for (const name of ["ann", "bob", "cid", "dan", "eve", "fay"]) await world.machine(name);
	const roots = ["ann", "bob", "cid"].flatMap((name) => ["--root-key", `${name}.pub`]);
	const targets = ["dan", "eve"].flatMap((name) => ["--targets-key", `${name}.pub`]);
	await world.admin("registry", "init", ...roots, ...targets, "--bins", "4", "--origin", "test.example/log");
	// Signed by one of three, or by the same one twice: not enough.
	const [ann] = (await world.sign("1.root.json", "ann")) as [string];
	const both = await world.sign("1.targets.json", "dan", "eve");
	expect(await world.refused("registry", "accept", ann, ann, ...both)).toBe("REGISTRY_DRAFT_INCOMPLETE");
	const { live } = await world.admin("registry", "accept", ...(await world.sign("1.root.json", "cid")));
	expect(live).toHaveLength(2);
	const url = await serve(world);
	expect(await readByTufJs(world, url)).toEqual([]);

	// A root signer is replaced: two of the old three, and two of the new three.
	await world.admin("root", "add-signer", "--role", "root", "--key-file", "fay.pub");
	await world.admin("root", "remove-signer", "--role", "root", "--key-file", "ann.pub");
	const old = await world.sign("2.root.json", "ann", "fay");
	expect(await world.refused("registry", "accept", ...old)).toBe("REGISTRY_DRAFT_INCOMPLETE");
	await world.admin("registry", "accept", ...(await world.sign("2.root.json", "bob")));
	expect(await readByTufJs(world, url)).toEqual([]);

	// Online keys: both drafts, both live at once, while the server runs.
	await world.admin("root", "rotate", "--online");
	const copies = [
		...(await world.sign("3.root.json", "fay", "cid")),
		...(await world.sign("2.targets.json", "dan", "eve")),
	];
	await world.admin("registry", "accept", ...copies);
	expect(await readByTufJs(world, url)).toEqual([]);

	// A targets signer goes, and the threshold with him: the other's signature on the live targets still suffices.
	await world.admin(
		"root",
		"remove-signer",
		"--role",
		"targets",
		"--key-file",
		"dan.pub",
		"--threshold",
		"1",
	);
	const four = await world.sign("4.root.json", "fay", "bob");
	await world.admin("registry", "accept", ...four);
	await world.admin("registry", "publisher", "add", "gro", "--publisher", "eve.pub");
	const five = await world.sign("3.targets.json", "eve");
	await world.admin("registry", "accept", ...five);
	expect(await readByTufJs(world, url)).toEqual(["gro"]);
	expect((await world.admin("registry", "publisher", "list"))["live"]).toHaveLength(1);
	// What was signed before is overtaken for good, and the signer who left counts no more.
	expect(await world.refused("registry", "accept", ...four)).toBe("REGISTRY_DRAFT_OVERTAKEN");
	await world.admin("root", "rotate", "--role", "targets");
	copyFileSync(join(world.data, "staged/4.targets.json"), join(world.folder, "dan/4.targets.json"));
	const dan = await world.kfn("dan", "root", "sign", "4.targets.json", "--key", "key");
	expect(dan).toMatchObject({ code: 1, json: { error: { code: "DRAFT_FOREIGN_KEY" } } });
});
