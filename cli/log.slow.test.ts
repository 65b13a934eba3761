// kfn log and kfn verify --proof as real processes against a real registry, honest and then tampered with.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testBundle } from "#registry/testing/bundles.ts";
import { TestServer } from "#registry/testing/server.ts";
import { testPublisher } from "#registry/testing/trust.ts";
import { formatPublicKeyFile } from "#signing/public-key.ts";
import { run } from "#test/harness/command.ts";
import { forgeLog, tamper } from "#test/harness/log-world.ts";
import { pin } from "#test/harness/trust-world.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");

let server: TestServer;
let folder: string;
beforeAll(async () => {
	server = await TestServer.start();
	folder = mkdtempSync(join(tmpdir(), "kfn-log-cli-"));
	pin(folder, server.trust!.rootBytes);
	const token = await server.token();
	for (const version of ["1.0.0", "1.1.0"]) {
		const bundle = await testBundle({ version });
		await server.publish(bundle, token);
		writeFileSync(join(folder, `sample-${version}.kfn`), bundle.archive);
	}
	writeFileSync(join(folder, "publisher.pub"), formatPublicKeyFile((await testPublisher()).publicKey));
	await kfn("trust", "add", "sample", "--key", "publisher.pub");
});
afterAll(async () => {
	rmSync(folder, { recursive: true, force: true });
	await server[Symbol.asyncDispose]();
});

async function kfn(...args: string[]): Promise<{ code: number | null; json: Record<string, unknown> }> {
	const env = { ...process.env, KFN_ROOT: folder, KFN_REGISTRY: server.url };
	const { code, stdout } = await run(KFN, [...args, "--json"], { cwd: folder, env, allowFailure: true });
	return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}
const refusal = async (...args: string[]) => {
	const { code, json } = await kfn(...args);
	return [code, (json["error"] as { code: string } | undefined)?.code];
};

test("without having seen the log, a proof cannot be judged", async () => {
	expect(await refusal("verify", "sample-1.0.0.kfn", "--proof", "publisher.pub")).toEqual([1, "CLI_NO_LOG"]);
});

test("verify remembers; show lists what happened", async () => {
	const first = await kfn("log", "verify");
	expect(first).toMatchObject({ code: 0, json: { origin: "test.example/log", size: 5, before: null } });
	expect((await kfn("log", "verify")).json).toMatchObject({ size: 5, before: 5 });
	const { entries } = (await kfn("log", "show")).json as { entries: { type: string; version?: string }[] };
	expect(entries.map(({ type }) => type)).toEqual(["root", "targets", "publishers", "publish", "publish"]);
	const named = (await kfn("log", "show", "--name", "sample")).json as { entries: { index: number }[] };
	expect(named.entries.map(({ index }) => index)).toEqual([3, 4]);
});

test("a proof is made once, and verified without a registry", async () => {
	const file = "sample-1.0.0.tlog-proof";
	expect((await kfn("log", "prove", "sample@1.0.0", "-o", file)).json).toMatchObject({ index: 3, size: 5 });
	expect(readFileSync(join(folder, file), "utf8")).toMatch(/^c2sp\.org\/tlog-proof@v1\nextra /);
	expect(await refusal("log", "prove", "sample@1.0.0", "-o", file)).toEqual([1, "CLI_FILE_EXISTS"]);
	expect((await kfn("log", "prove", "sample@1.1.0", "-o", file, "--force")).json).toMatchObject({ index: 4 });
	await kfn("log", "prove", "sample@1.0.0", "-o", file, "--force");
	const env = { ...process.env, KFN_ROOT: folder, KFN_REGISTRY: "http://127.0.0.1:1" };
	const args = ["verify", "sample-1.0.0.kfn", "--proof", file, "--json"];
	const { stdout } = await run(KFN, args, { cwd: folder, env });
	expect(JSON.parse(stdout)).toMatchObject({ version: "1.0.0", logged: { index: 3, size: 5 } });
});

test("an inclusion proof for another bundle, and a file that is none", async () => {
	const proof = ["--proof", "sample-1.0.0.tlog-proof"];
	expect(await refusal("verify", "sample-1.1.0.kfn", ...proof)).toEqual([3, "LOG_NOT_INCLUDED"]);
	expect(await refusal("verify", "sample-1.0.0.kfn", "--proof", "publisher.pub")).toEqual([
		3,
		"LOG_PROOF_MALFORMED",
	]);
	const text = readFileSync(join(folder, "sample-1.0.0.tlog-proof"), "utf8");
	writeFileSync(join(folder, "changed.tlog-proof"), text.replace("index 3", "index 4"));
	const changed = await refusal("verify", "sample-1.0.0.kfn", "--proof", "changed.tlog-proof");
	expect(changed).toEqual([3, "LOG_NOT_INCLUDED"]);
});

test("a version that is not in the log is not proved; a range is no version", async () => {
	expect(await refusal("log", "prove", "sample@9.0.0", "-o", "x")).toEqual([1, "CLI_NO_VERSION"]);
	expect(await refusal("log", "prove", "sample", "-o", "x")).toEqual([2, "CLI_USAGE"]);
	expect(await refusal("log", "prove", "sample@^1", "-o", "x")).toEqual([2, "BUNDLE_VERSION_INVALID"]);
});

test("truncated, then forked: exit 3, and nothing installs from such a registry", async () => {
	const { entries } = (await kfn("log", "show")).json as { entries: never[] };
	tamper(server, "delete from log_checkpoints where size > 4");
	expect(await refusal("log", "verify")).toEqual([3, "LOG_TRUNCATED"]);
	const at = "2026-01-02T03:04:05.678Z";
	const rewritten = entries.map(() => ({ at, type: "publishers", sha256: "f".repeat(64) }) as const);
	await forgeLog(server, rewritten);
	expect(await refusal("log", "verify")).toEqual([3, "LOG_FORKED"]);
	expect(await refusal("upgrade")).toEqual([3, "LOG_FORKED"]);
});
