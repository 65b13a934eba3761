// Five hosts and one registry: a version is revoked while two of them are installing it, and all are safe. Real command line, loader,
// kernel and HTTP; each host has a root and a namespace of its own. The timeline is printed.
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { formatSeed } from "#signing/secret-key-file.ts";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { signedSample } from "../harness/host-world.ts";
import { openNamespace } from "../harness/namespace.ts";
import { openTestRegistry } from "../harness/registry.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { CLI } from "../sessions/world.ts";

interface TestHost {
	readonly name: string;
	readonly root: KfnRoot;
	readonly scope: string;
	kfn(...args: string[]): Promise<CommandResult>;
}

interface Checked {
	readonly list: string;
	readonly milliseconds: number;
	readonly taken: readonly { version: string; to: string | null; seconds: number }[];
	readonly recall: { readonly state: string };
}

const versionsOf = async (host: TestHost) => {
	const { functions } = JSON.parse((await host.kfn("status", "--json")).stdout) as {
		functions: { version: string; running: boolean }[];
	};
	return functions.map(({ version, running }) => `${version}${running ? "" : " not running"}`);
};

test("publish, then recall while two of five hosts are installing: all safe, and none brings it back", async (context) => {
	await skipUnlessKernel(context);
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), "kfn-recall-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const key = await generateKeyPair("publisher");
	const registry = stack.use(await openTestRegistry({ trust: { publishers: [key.publicKey] } }));
	writeFileSync(join(folder, "1.root.json"), registry.trust.rootBytes);
	const shared = { KFN_REGISTRY: registry.url, KFN_TOKEN: registry.token, KFN_SIGNING_KEY: formatSeed(key) };
	const kfnIn = (env: NodeJS.ProcessEnv, ...args: string[]) =>
		run(CLI, args, { cwd: folder, env: { ...process.env, ...shared, ...env }, allowFailure: true });
	const done = async (result: Promise<CommandResult>) => {
		const { code, stdout, stderr } = await result;
		expect(code, stderr + stdout).toBe(0);
		return stdout;
	};

	const publisher = stack.use(await openRoot("recallpub", { bpffs: false }));
	const asPublisher = (...args: string[]) => done(kfnIn({ KFN_ROOT: publisher.path }, ...args));
	await asPublisher("trust", "root", "pin", "1.root.json");
	for (const [version, offset] of [
		["1.0.0", 20],
		["1.1.0", 24],
	] as const) {
		const sample = await signedSample({ version, offset, signers: [key] });
		writeFileSync(join(folder, `sample-${version}.kfn`), sample.archive);
		await asPublisher("publish", `sample-${version}.kfn`);
	}
	const bad = ["--version", "1.1.0", "--reason", "reads past short headers", "-o", "bad.json"];
	await asPublisher("recall", "new", "sample", ...bad);
	await asPublisher("recall", "sign", "bad.json");

	const hosts: TestHost[] = [];
	for (const name of ["upgraded", "only", "older", "watching", "killed"]) {
		const root = stack.use(await openRoot(`recall-${name}`));
		const netns = stack.use(await openNamespace(`recall-${name}`));
		const kfn = (...args: string[]) => kfnIn({ KFN_ROOT: root.path }, ...args);
		await done(kfn("trust", "root", "pin", "1.root.json"));
		hosts.push({ name, root, scope: `netns:${netns.path}`, kfn });
	}
	const [upgraded, only, older, watching, killed] = hosts as [
		TestHost,
		TestHost,
		TestHost,
		TestHost,
		TestHost,
	];
	const install = (host: TestHost, version: string, ...more: string[]) =>
		host.kfn("install", `sample@${version}`, "--scope", host.scope, ...more);
	await done(install(upgraded, "1.0.0"));
	await done(upgraded.kfn("upgrade"));
	await done(install(only, "1.1.0"));
	await done(install(older, "1.0.0"));
	for (const host of hosts) await done(host.kfn("recall", "check"));

	// Two are in the middle: the bad version runs in their kernels already, and is watched for half a minute.
	const installing = install(watching, "1.1.0", "--health-window", "30");
	const dying = run(
		"sh",
		[
			"-c",
			'echo $$ > dying.pid; exec "$0" "$@"',
			CLI,
			"install",
			"sample@1.1.0",
			"--scope",
			killed.scope,
			"--health-window",
			"30",
		],
		{ cwd: folder, env: { ...process.env, ...shared, KFN_ROOT: killed.root.path }, allowFailure: true },
	);
	for (const host of [watching, killed])
		await expect
			.poll(() => existsSync(join(host.root.pins, "flow-dissector")), { timeout: 30_000 })
			.toBe(true);
	expect([watching, killed].map(({ root }) => existsSync(join(root.state, "current")))).toEqual([
		false,
		false,
	]);

	const start = performance.now();
	const lines: string[] = [];
	const at = (what: string) =>
		lines.push(
			`${Math.round(performance.now() - start)
				.toString()
				.padStart(6)} ms  ${what}`,
		);
	await asPublisher("recall", "publish", "bad.json");
	at("published");
	process.kill(Number(readFileSync(join(folder, "dying.pid"), "utf8")), "SIGKILL");
	await dying;
	at("killed: its install died by kill -9");
	const checks = await Promise.all(
		hosts.map(async (host) => {
			const stdout = await done(host.kfn("recall", "check", "--json"));
			const checked = JSON.parse(stdout) as Checked;
			const taken = checked.taken
				.map(({ version, to }) => `${version} → ${to ?? "the kernel's own code"}`)
				.join();
			at(
				`${host.name}: safe, by its own clock ${checked.milliseconds} ms after it asked; ${taken || "nothing to take off"}`,
			);
			return checked;
		}),
	);
	const refused = await installing;
	at("watching: its install took itself back");
	console.log(`time to recall, five hosts:\n${lines.join("\n")}`);

	expect(refused.code, refused.stderr).toBe(3);
	expect(refused.stderr).toMatch(/sample 1\.1\.0 is revoked: reads past short headers \[HOST_REVOKED\]/);
	expect(checks.map(({ taken }) => taken.map(({ to }) => to))).toEqual([["1.0.0"], [null], [], [], []]);
	for (const { taken } of checks) for (const { seconds } of taken) expect(seconds).toBeLessThan(60);
	expect(await Promise.all(hosts.map(versionsOf))).toEqual([["1.0.0"], [], ["1.0.0"], [], []]);
	for (const host of [only, watching, killed]) {
		const pins = JSON.parse((await host.kfn("status", "--json")).stdout) as { drift: unknown[] };
		expect(pins.drift).toEqual([]);
		expect(existsSync(join(host.root.pins, "flow-dissector"))).toBe(false);
	}
	// Gone from boot: what would be loaded next is the generation without it.
	expect(readlinkSync(join(upgraded.root.state, "current"))).toBe("generations/3");
	// And it does not come back, whoever asks.
	expect((await install(older, "1.1.0")).code).toBe(1);
	for (const args of [
		["upgrade", "sample@1.1.0"],
		["rollback", "2"],
	]) {
		const { code, stderr } = await upgraded.kfn(...args);
		expect([code, stderr], args.join(" ")).toEqual([3, expect.stringContaining("[HOST_REVOKED]")]);
	}
	expect((await upgraded.kfn("upgrade", "--json")).code).toBe(0);
	// Nothing has changed since: the next look costs one conditional request.
	const again = JSON.parse(await done(upgraded.kfn("recall", "check", "--json"))) as Checked;
	expect(again).toMatchObject({ list: "unchanged", taken: [], recall: { state: "fresh" } });
}, 120_000);

test("withheld recalls: a warning first, then by policy the stop, which a newer list ends", async (context) => {
	await skipUnlessKernel(context);
	await using stack = new AsyncDisposableStack();
	const key = await generateKeyPair("publisher");
	const registry = stack.use(await openTestRegistry({ trust: { publishers: [key.publicKey] } }));
	const root = stack.use(await openRoot("recall-stop"));
	const netns = stack.use(await openNamespace("recall-stop"));
	const env = { KFN_ROOT: root.path, KFN_TOKEN: registry.token, KFN_SIGNING_KEY: formatSeed(key) };
	const kfnAt = (url: string, ...args: string[]) =>
		run(CLI, args, {
			cwd: root.path,
			env: { ...process.env, ...env, KFN_REGISTRY: url },
			allowFailure: true,
		});
	const kfn = (...args: string[]) => kfnAt(registry.url, ...args);
	writeFileSync(join(root.path, "1.root.json"), registry.trust.rootBytes);
	const sample = await signedSample({ version: "1.0.0", offset: 20, signers: [key] });
	writeFileSync(join(root.path, "sample.kfn"), sample.archive);
	await kfn("trust", "root", "pin", "1.root.json");
	await kfn("publish", "sample.kfn");
	expect((await kfn("install", "sample", "--scope", `netns:${netns.path}`)).code).toBe(0);
	expect((await kfn("recall", "check")).code).toBe(0);

	// Two days go by in which nobody answers: the list that this host holds is from then.
	const list = join(root.state, "recall/list.json");
	const held = JSON.parse(readFileSync(list, "utf8")) as Record<string, unknown>;
	const ago = (hours: number) => `${new Date(Date.now() - hours * 3_600_000).toISOString().slice(0, 19)}Z`;
	const checked = new Date(Date.now() - 60 * 3_600_000).toISOString();
	writeFileSync(list, JSON.stringify({ ...held, issued: ago(72), expires: ago(48), checked }));
	const nobody = "http://127.0.0.1:9";
	const warned = await kfnAt(nobody, "recall", "check");
	expect([warned.code, warned.stdout]).toEqual([1, expect.stringContaining("WARNING: the list expired")]);
	expect(await statusOf(kfn)).toMatchObject({ functions: [{ running: true }], recall: { state: "expired" } });

	const config = join(root.etc, "config.json");
	writeFileSync(config, JSON.stringify({ health: { windowSeconds: 0 }, recall: { stopAfterHours: 24 } }));
	const stopped = JSON.parse((await kfnAt(nobody, "recall", "check", "--json")).stdout) as Checked;
	expect(stopped).toMatchObject({ taken: [{ to: null, revocation: null }], recall: { state: "stopped" } });
	expect(existsSync(join(root.pins, "flow-dissector"))).toBe(false);
	const back = await kfnAt(nobody, "rollback");
	expect([back.code, back.stderr]).toEqual([3, expect.stringContaining("[HOST_RECALL_STALE]")]);

	// A newer list ends it; what ran comes back by the operator's word.
	const other = await signedSample({ version: "0.9.0", offset: 28, signers: [key] });
	writeFileSync(join(root.path, "other.kfn"), other.archive);
	await kfn("publish", "other.kfn");
	for (const args of [
		["recall", "new", "sample", "--version", "0.9.0", "--reason", "old", "-o", "old.json"],
		["recall", "sign", "old.json"],
		["recall", "publish", "old.json"],
		["recall", "check"],
		["rollback"],
	])
		expect((await kfn(...args)).code, args.join(" ")).toBe(0);
	expect(await statusOf(kfn)).toMatchObject({ functions: [{ running: true }], recall: { state: "fresh" } });
	expect((await kfn("rollback", "0")).code).toBe(0);
}, 120_000);

async function statusOf(kfn: (...args: string[]) => Promise<CommandResult>): Promise<unknown> {
	return JSON.parse((await kfn("status", "--json")).stdout);
}
