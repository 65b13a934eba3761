// Each thing that goes wrong on a host, walked as a user walks it: the real command line answers with the code and exit
// status of docs/errors.md, and what ran before still runs.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bpfObject } from "../harness/bpf-object.ts";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { openCuttingProxy } from "../harness/cutting-proxy.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { openNamespace } from "../harness/namespace.ts";
import { openRoot } from "../harness/root.ts";
import { CLI } from "../sessions/world.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

let world: HostWorld;

beforeAll(async () => {
	world = await openHostWorld("bad");
	await world.kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface Refusal {
	readonly code: string;
	readonly message: string;
	readonly hint?: string;
	readonly details: Record<string, unknown>;
}

function refusalOf(answer: CommandResult): Refusal {
	return (JSON.parse(answer.stdout) as { error: Refusal }).error;
}

/** Runs a command that must be refused, and checks code and exit status. */
async function refused(code: string, exit: number, args: readonly string[]): Promise<Refusal> {
	const answer = await world.kfn(...args, "--json");
	const refusal = refusalOf(answer);
	expect({ code: refusal.code, exit: answer.code }).toEqual({ code, exit });
	expect(refusal.hint, `${code} has no hint`).toBeDefined();
	return refusal;
}

async function status(): Promise<{ functions: { version: string; running: boolean }[]; health: string }> {
	return JSON.parse((await world.kfn("status", "--json")).stdout);
}

const install = (version = "1.0.0") => ["install", `flow-dissector@${version}`, "--scope", world.scope];

describe("on a host where nothing is active", () => {
	test("registry down in the middle of a download: nothing changes, and the next try succeeds", async (context) => {
		await skipUnlessKernel(context);
		await using proxy = await openCuttingProxy(world.registry);
		proxy.cut({ afterBytes: 5000, how: "reset", request: /\/v1\/targets\/.*\.kfn/ });
		await refused("CLI_DOWNLOAD_INTERRUPTED", 1, [...install(), "--registry", proxy.url]);
		expect(proxy.cuts).toBeGreaterThan(0);
		expect(existsSync(join(world.root.state, "store"))).toBe(false);
		proxy.cut(undefined);
		const answer = await world.kfn(...install(), "--registry", proxy.url);
		expect(answer.code, answer.stderr).toBe(0);
		await world.kfn("remove", "flow-dissector", "--purge");
	});

	test("bpffs not mounted", async (context) => {
		await skipUnlessKernel(context);
		await using root = await openRoot("bare", { bpffs: false });
		await world.kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub", "--root", root.path);
		await world.kfn("trust", "root", "pin", "1.root.json", "--root", root.path);
		const refusal = await refused("LOAD_BPFFS_NOT_MOUNTED", 1, [...install(), "--root", root.path]);
		expect(refusal.hint).toContain("mount -t bpf");
		expect(existsSync(join(root.state, "current"))).toBe(false);
	});

	test("no root: refused with what it takes", async (context) => {
		await skipUnlessKernel(context);
		await using root = await openRoot("nobody", { bpffs: false });
		execFileSync("chmod", ["-R", "a+rwX", root.path]);
		await world.kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub", "--root", root.path);
		await world.kfn("trust", "root", "pin", "1.root.json", "--root", root.path);
		execFileSync("chmod", ["-R", "a+rwX", root.path]);
		const nobody = [
			"--reuid=65534",
			"--regid=65534",
			"--clear-groups",
			CLI,
			...install(),
			"--root",
			root.path,
			"--json",
		];
		const answer = await run("setpriv", nobody, { env: world.env, cwd: "/", allowFailure: true });
		expect(refusalOf(answer).code).toBe("LOAD_NO_PRIVILEGE");
		expect(answer.code).toBe(1);
	});

	test("namespace gone", async (context) => {
		await skipUnlessKernel(context);
		await refused("LOAD_NETNS_GONE", 1, [
			"install",
			"flow-dissector@1.0.0",
			"--scope",
			"netns:/run/netns/kfn-gone",
		]);
	});

	test("kernel without the program type (strace answers bpf() in its place)", async (context) => {
		await skipUnlessKernel(context);
		const trace = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e", "inject=bpf:error=EINVAL"];
		const args = [...trace, CLI, ...install(), "--json"];
		const answer = await run("strace", args, { env: world.env, cwd: world.folder, allowFailure: true });
		expect(refusalOf(answer).code).toMatch(/^LOAD_(UNSUPPORTED_KERNEL|NO_VARIANT)$/);
		expect(answer.code).toBe(1);
		expect((await status()).functions).toEqual([]);
	});

	test("foreign dissector present: reported, never replaced", async (context) => {
		await skipUnlessKernel(context);
		const { netns } = world.pair.left;
		const object = await bpfObject(join(import.meta.dirname, "../harness/hash_oracle_dissector.bpf.c"));
		const pin = join(world.root.bpffs, "foreign");
		await run("bpftool", ["prog", "load", object, pin, "type", "flow_dissector"]);
		const detach = registerUndo("foreign dissector", () =>
			execFileSync("ip", [
				"netns",
				"exec",
				netns.name,
				"bpftool",
				"prog",
				"detach",
				"pinned",
				pin,
				"flow_dissector",
			]),
		);
		try {
			await netns.run("bpftool", ["prog", "attach", "pinned", pin, "flow_dissector"]);
			const scope = `netns:${netns.path}`;
			const refusal = await refused("LOAD_FOREIGN_PROGRAM", 1, [
				"install",
				"flow-dissector@1.0.0",
				"--scope",
				scope,
			]);
			expect(refusal.details).toHaveProperty("programId");
			// Its JSON is malformed as soon as a dissector is attached (bpftool 7.1), its text is not.
			const { stdout } = await netns.run("bpftool", ["net"]);
			expect(stdout).toMatch(/flow_dissector:\s+id \d+/);
			expect((await status()).functions).toEqual([]);
		} finally {
			detach.run();
			execFileSync("rm", [pin]);
		}
	});
});

describe("while 1.0.0 is active", () => {
	beforeAll(async () => {
		const { code, stderr } = await world.kfn(...install());
		expect(code, stderr).toBe(0);
	});

	async function expectOldStillRuns(): Promise<void> {
		const { functions, health } = await status();
		expect({ functions: functions.map((f) => [f.version, f.running]), health }).toEqual({
			functions: [["1.0.0", true]],
			health: "good",
		});
	}

	test("two kfn at once: the second is told who is first, and nothing changes", async (context) => {
		await skipUnlessKernel(context);
		const lock = join(world.root.state, "lock");
		// flock(1) takes the same lock as kfn does, and holds it until its input ends.
		const holder = spawn("flock", [lock, "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
		await new Promise((done) => holder.stdout.once("data", done));
		try {
			await refused("HOST_LOCKED", 1, ["upgrade", "flow-dissector"]);
		} finally {
			const gone = new Promise((done) => holder.once("close", done));
			holder.stdin.end();
			await gone;
		}
		await expectOldStillRuns();
	});

	test("many kfn at once: one wins, the others are refused, and exactly one version runs", async (context) => {
		await skipUnlessKernel(context);
		const answers = await Promise.all(
			Array.from({ length: 4 }, () => world.kfn("upgrade", "flow-dissector", "--json")),
		);
		for (const answer of answers.filter(({ code }) => code !== 0))
			expect(refusalOf(answer).code).toBe("HOST_LOCKED");
		expect(answers.some(({ code }) => code === 0)).toBe(true);
		const { functions } = await status();
		expect(functions.map(({ version, running }) => [version, running])).toEqual([["1.0.1", true]]);
		expect((await world.kfn("rollback")).code).toBe(0);
		await expectOldStillRuns();
	});

	test("wrong, missing and repeated signatures, and an unknown key, are never installed", async (context) => {
		await skipUnlessKernel(context);
		const folder = join(world.folder, "forged");
		const signatures = join(folder, "kfn.sig.json");
		mkdirSync(folder);
		execFileSync("tar", ["--zstd", "-xf", "flow-dissector-1.0.1.kfn", "-C", folder], { cwd: world.folder });
		const good = JSON.parse(readFileSync(signatures, "utf8")) as {
			signatures: { keyid: string; sig: string }[];
		};
		const [signature] = good.signatures;
		const cases: [string, typeof good.signatures][] = [
			["SIGNATURE_MISSING", []],
			["SIGNATURE_INVALID", [{ ...signature!, sig: Buffer.alloc(64, 1).toString("base64") }]],
			["SIGNATURE_REPEATED", [signature!, signature!]],
			["SIGNATURE_UNKNOWN_KEY", [{ keyid: "0".repeat(64), sig: signature!.sig }]],
		];
		for (const [code, list] of cases) {
			writeFileSync(signatures, `${JSON.stringify({ ...good, signatures: list }, null, 2)}\n`);
			await pack(folder, join(world.folder, "forged.kfn"));
			await refused(code, 3, ["upgrade", "forged.kfn"]);
		}
		await expectOldStillRuns();
	});

	test("disk full: the change is refused and what runs stays", async (context) => {
		await skipUnlessKernel(context);
		const state = world.root.state;
		// A file system as small as the state itself: the new bundle cannot fit.
		const saved = join(world.folder, "saved");
		execFileSync("cp", ["-a", state, saved]);
		execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", state]);
		const unmount = registerUndo("small disk", () => execFileSync("umount", [state]));
		try {
			execFileSync("cp", ["-a", `${saved}/.`, state]);
			fill(join(state, "ballast"));
			await refused("HOST_DISK_FULL", 1, ["upgrade", "flow-dissector"]);
			await expectOldStillRuns();
			execFileSync("rm", [join(state, "ballast")]);
			const answer = await world.kfn("upgrade", "flow-dissector");
			expect(answer.code, answer.stderr).toBe(0);
			expect((await world.kfn("rollback")).code).toBe(0);
		} finally {
			unmount.run();
		}
		await expectOldStillRuns();
	});

	test("a namespace that vanished is drift; remove takes it out and leaves the other scope alone", async (context) => {
		await skipUnlessKernel(context);
		const scope = await (async () => {
			await using netns = await openNamespace("vanish");
			// Not 1.0.0, which a rollback left running elsewhere: an upgrade has raised the floor above it.
			const { code, stderr } = await world.kfn(
				"install",
				"flow-dissector@1.0.1",
				"--scope",
				`netns:${netns.path}`,
			);
			expect(code, stderr).toBe(0);
			return `netns:${netns.path}`;
		})();
		const { stdout } = await world.kfn("status", "--json");
		const report = JSON.parse(stdout) as { health: string; drift: { kind: string; scope: string }[] };
		expect(report.health).toBe("drift");
		expect(report.drift).toContainEqual(expect.objectContaining({ kind: "namespace-gone", scope }));
		const { code, stderr } = await world.kfn("remove", "flow-dissector", "--scope", scope);
		expect(code, stderr).toBe(0);
		await expectOldStillRuns();
	});

	test("remove leaves nothing in bpffs", async (context) => {
		await skipUnlessKernel(context);
		expect((await world.kfn("remove", "flow-dissector")).code).toBe(0);
		expect(readdirSync(world.root.bpffs)).not.toContain("kfn");
	});
});

/** Fills the file system that `path` lies in, to the last block. */
function fill(path: string): void {
	try {
		execFileSync("dd", ["if=/dev/zero", `of=${path}`, "bs=4k"], { stdio: "ignore" });
	} catch {
		// dd ends with "no space left": that is what it was started for.
	}
}

/** Packs a folder as an archive in kfn's own format, whatever stands in it. */
async function pack(folder: string, out: string): Promise<void> {
	const { packArchive } = await import("#bundle/archive.ts");
	const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.map((path) => ({ path: path.slice(folder.length + 1), bytes: readFileSync(path) }));
	writeFileSync(out, packArchive(entries));
}
