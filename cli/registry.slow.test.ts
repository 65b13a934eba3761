// kfn registry init, root rotate and registry serve as real processes: what their flags say is what the drafts say, and who may read.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CeremonyResult } from "#registry/main.ts";
import { run } from "#test/harness/command.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");
const DAY_MS = 86_400_000;

let folder: string;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-registry-cli-"));
	env = { ...process.env, KFN_ROOT: folder, KFN_PASSPHRASE: "a test's passphrase" };
	for (const name of ["a", "b", "c"]) await kfn("key", "generate", "--out", name);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function kfn(...args: string[]): Promise<CeremonyResult> {
	const { stdout } = await run(KFN, [...args, "--json"], { cwd: folder, env });
	return JSON.parse(stdout) as CeremonyResult;
}

/** Role, its threshold, and whole days until it expires, of each draft that waits. */
const drafts = ({ waiting }: CeremonyResult) =>
	waiting.map(({ report: { role, expires, roles } }) => [
		role,
		roles.find((one) => one.role === role)?.threshold,
		Math.round((Date.parse(expires) - Date.now()) / DAY_MS),
	]);

test("thresholds and expiries are those that were asked for", async () => {
	const keys = (flag: string) => ["a", "b", "c"].flatMap((name) => [flag, `${name}.pub`]);
	const init = ["registry", "init", ...keys("--root-key"), ...keys("--targets-key"), "--bins", "2"];
	expect(drafts(await kfn(...init, "--data", "usual"))).toEqual([
		["root", 2, 365],
		["targets", 2, 180],
	]);
	const asked = [
		"--root-threshold",
		"3",
		"--targets-threshold",
		"1",
		"--root-days",
		"30",
		"--targets-days",
		"10",
	];
	expect(drafts(await kfn(...init, ...asked, "--data", "data"))).toEqual([
		["root", 3, 30],
		["targets", 1, 10],
	]);
	// Under the new root, the targets draft is another one, too.
	expect(drafts(await kfn("root", "rotate", "--data", "data", "--days", "50"))).toEqual([
		["root", 3, 50],
		["targets", 1, 10],
	]);
	const signed = await run(
		KFN,
		[
			"root",
			"sign",
			"data/staged/1.root.json",
			"data/staged/1.targets.json",
			"--key",
			"a",
			"--key",
			"b",
			"--key",
			"c",
		],
		{ cwd: folder, env },
	);
	expect(signed.code).toBe(0);
	expect((await kfn("registry", "accept", "--data", "data")).live).toHaveLength(2);
});

test("serve --private: reads want a token, health and metrics do not; SIGTERM ends it well", async () => {
	const args = [
		"registry",
		"serve",
		"--data",
		"data",
		"--private",
		"--host",
		"127.0.0.1",
		"--port",
		"0",
		"--json",
	];
	const server = spawn(KFN, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
	const [line] = (await once(server.stdout, "data")) as [Buffer];
	const { url } = JSON.parse(line.toString()) as { url: string };
	const paths = ["v1/metadata/timestamp.json", "v1/log/checkpoint", "v1/names.json", "healthz", "metrics"];
	const statuses = paths.map(async (path) => (await fetch(`${url}/${path}`)).status);
	expect([new URL(url).hostname, ...(await Promise.all(statuses))]).toEqual([
		"127.0.0.1",
		401,
		401,
		401,
		200,
		200,
	]);
	const ended = once(server, "close");
	server.kill("SIGTERM");
	expect(await ended).toEqual([0, null]);
});
