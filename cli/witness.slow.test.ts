// A witness from its key to the quorum that hosts ask for, and what it refuses to cosign: real processes, a real registry whose
// log is then tampered with.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRegistry, type Registry } from "#registry/main.ts";
import { formatVerifierKey, parseVerifierKey, verifierKey } from "#signing/log/note.ts";
import { parseRegistryDocument } from "#signing/registry-document.ts";
import { run } from "#test/harness/command.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");
const NAME = "witness.example/w";
const WITNESS = ["log", "witness", "--name", NAME, "--key", "witness.key", "--state", "state"];

let folder: string;
let registry: Registry;
let url = "http://127.0.0.1:1";
let logKey: string;
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-witness-"));
	for (const name of ["admin", "witness"]) await kfn("key", "generate", "--out", `${name}.key`);
	const signers = ["--root-key", "admin.key.pub", "--targets-key", "admin.key.pub", "--key", "admin.key"];
	expect((await kfn("registry", "init", "--data", "data", "--bins", "2", ...signers)).code).toBe(0);
	registry = await openRegistry({ dataDir: join(folder, "data") });
	({ url } = await registry.listen({ host: "127.0.0.1", port: 0 }));
	const root = await (await fetch(`${url}/v1/metadata/1.root.json`)).arrayBuffer();
	writeFileSync(join(folder, "1.root.json"), Buffer.from(root));
	expect((await kfn("trust", "root", "pin", "1.root.json")).code).toBe(0);
	logKey = formatVerifierKey(parseRegistryDocument(liveDocument()).log!.key);
});
afterAll(async () => {
	await registry.close();
	rmSync(folder, { recursive: true, force: true });
});

async function kfn(...args: string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
	const env = { ...process.env, KFN_ROOT: folder, KFN_REGISTRY: url, KFN_PASSPHRASE: "a test's passphrase" };
	const { code, stdout } = await run(KFN, [...args, "--json"], { cwd: folder, env, allowFailure: true });
	return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}
const refusal = async (...args: string[]) => {
	const { code, json } = await kfn(...args);
	return [code, (json["error"] as { code: string } | undefined)?.code];
};
const database = <T>(work: (database: DatabaseSync) => T): T => {
	const opened = new DatabaseSync(join(folder, "data/registry.sqlite"), { timeout: 5000 });
	try {
		return work(opened);
	} finally {
		opened.close();
	}
};
const liveDocument = () =>
	database((opened) => {
		const query = "select content from documents where path = 'kfn/registry.json' and superseded_at is null";
		return Buffer.from(String(opened.prepare(query).get()?.["content"]));
	});

test("a witness that the registry does not name is not taken", async () => {
	expect(await refusal(...WITNESS, "--log-key", logKey)).toEqual([3, "REGISTRY_COSIGNATURE_REFUSED"]);
});

test("named by the targets signers, hosts ask for it; once it has cosigned, they believe the log", async () => {
	const { json } = await kfn(...WITNESS);
	expect(json["cosigned"]).toBeNull();
	const named = ["registry", "witness", "--data", "data", "--add", String(json["key"]), "--quorum", "1"];
	expect(await kfn(...named, "--key", "admin.key")).toMatchObject({ code: 0, json: { changed: true } });
	expect(await refusal("log", "verify")).toEqual([3, "LOG_QUORUM"]);
	const cosigned = await kfn(...WITNESS, "--log-key", logKey);
	expect(cosigned).toMatchObject({ code: 0, json: { cosigned: { cosigners: [NAME], quorum: 1 } } });
	expect(await kfn("log", "verify")).toMatchObject({ code: 0, json: { cosigners: [NAME], quorum: 1 } });
});

test("the log goes on, and so does the witness: from what it saw before", async () => {
	const change = ["registry", "witness", "--data", "data", "--quorum", "0", "--key", "admin.key"];
	expect((await kfn(...change)).code).toBe(0);
	const { json } = await kfn(...WITNESS, "--log-key", logKey);
	const { before, size } = json["cosigned"] as { before: number; size: number };
	expect(size).toBeGreaterThan(before);
});

test("one key for log and witness, a key of another log, a name unknown, a quorum without witnesses", async () => {
	const witness = ["registry", "witness", "--data", "data"];
	const { publicKey } = parseVerifierKey(String((await kfn(...WITNESS)).json["key"]));
	const otherLog = formatVerifierKey(verifierKey("other.example/log", "ed25519", publicKey));
	for (const wrong of [
		["--remove", "nobody"],
		["--quorum", "2"],
		["--add", logKey],
		["--remove", NAME, "--add", otherLog],
	])
		expect(await refusal(...witness, ...wrong)).toEqual([2, "CLI_USAGE"]);
	// Nothing of it waits as a draft that every later change would trip over.
	expect(await kfn("registry", "accept", "--data", "data")).toMatchObject({
		json: { error: { code: "REGISTRY_DRAFT_NONE" } },
	});
});

test("a log that was cut, or whose tiles are another log's, is not cosigned, and what was seen stays", async () => {
	database((opened) => opened.exec("delete from log_checkpoints where size > 3"));
	expect(await refusal(...WITNESS, "--log-key", logKey)).toEqual([3, "LOG_TRUNCATED"]);
	expect(await refusal(...WITNESS, "--log-key", logKey)).toEqual([3, "LOG_TRUNCATED"]);
	const other = logKey.replace(/^[^+]+/, "other.example/log");
	expect(await refusal(...WITNESS, "--log-key", other)).toEqual([3, "KEY_ID_MISMATCH"]);
});
