// The kills of crash.test.ts with the real loader and kernel, and deaths inside the loader: after each, one complete
// program is attached, and the next command recovers.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { run } from "#test/harness/command.ts";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { type HostCommand, hostOf, runCommand } from "#test/harness/host-child.ts";
import {
	bundleChild,
	type CrashCase,
	type CrashRoot,
	inParallel,
	killAt,
	killsOf,
	pointsOf,
	runChild,
	runningVersions,
} from "#test/harness/host-crash.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { FAULTY_LOADER, LOADER, openRealWorld } from "#test/harness/loader-world.ts";
import { type NetworkNamespace, openNamespace } from "#test/harness/namespace.ts";
import { codeOf } from "./errors.ts";
import { currentGeneration } from "./generations.ts";
import { openHost } from "./host.ts";
import { install } from "./install.ts";
import { readJournal } from "./journal.ts";
import { spawnLoader } from "./loader.ts";
import { withLock } from "./lock.ts";
import { readLog } from "./log.ts";
import { emptyPlan } from "./plan.ts";
import { recover } from "./recover.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

let folder: string;
let child: string;
let samples: Samples;
let namespace: NetworkNamespace;
let scope: string;
const versions = new Map<string, string>();

beforeEach((context) => skipUnlessKernel(context));

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-crash-"));
	samples = await makeSamples();
	for (const sample of [samples.v1, samples.v2]) writeFileSync(archiveOf(sample.version), sample.archive);
	child = await bundleChild("host-child");
	if (process.getuid?.() !== 0) return;
	namespace = await openNamespace("host-crash");
	scope = `netns:${namespace.path}`;
	// Learns the kernel's tags of both programs.
	await using _ = await rootWith("1.1.0");
});

afterAll(async () => {
	await namespace?.[Symbol.asyncDispose]();
	rmSync(folder, { recursive: true, force: true });
});

const CASES: [string, HostCommand, string | undefined, string[], string[]][] = [
	["install", { verb: "install", archive: "1.0.0" }, undefined, [], ["1.0.0"]],
	["upgrade", { verb: "upgrade", archive: "1.1.0" }, "1.0.0", ["1.0.0"], ["1.1.0"]],
	["remove --purge", { verb: "remove", name: "sample", purge: true }, "1.1.0", ["1.1.0"], []],
];

describe.each(CASES)("%s", (name, command, has, before, after) => {
	const crash = (loader = LOADER): CrashCase => ({
		...{ name, versions },
		before: before.map((version) => `${scope} ${version}`),
		after: after.map((version) => `${scope} ${version}`),
		command: "archive" in command ? { ...command, archive: archiveOf(command.archive), scope } : command,
		prepare: () => rootWith(has, loader),
	});

	test("kill -9 at each point", async () => {
		const points = await pointsOf(crash());
		expect(points).toContain("loader apply");
		// What comes before the loader is the same in an install as in the upgrade, which goes through all of it.
		const first = command.verb === "install" ? points.indexOf("loader check") : 0;
		const kills = killsOf(points).filter(({ at }) => at > first);
		await inParallel(kills, 1, ({ at, kind }) => killAt(crash(), at, kind, child));
	});

	test.each(["kill", "fail"])("the loader meets %s at each of its own points", async (kind) => {
		for (const point of loaderPoints()) await loaderFault(crash(), `${point}:${kind}`);
	});
});

test("the loader outlives its killed caller: the host stays locked until it is done, then recovers", async () => {
	await using root = await rootWith("1.0.0");
	const [loader, gate] = loaderThatKillsItsCaller();
	const command: HostCommand = { verb: "upgrade", archive: archiveOf("1.1.0") };
	expect(await runChild(child, { root: root.path, loader, command })).toBe("SIGKILL");
	const host = openHost({ root: root.path, loader: LOADER });
	const refused = withLock(host, "remove", () => undefined);
	await expect(refused).rejects.toMatchObject({ code: "HOST_LOCKED", details: { command: "upgrade" } });
	await expect(refused).rejects.toThrow(/the loader of the ended process \d+ is changing this host: upgrade/);
	writeFileSync(gate, "go\n");
	await run("flock", [host.layout.lock, "true"]);
	expect(await runningVersions(host, { versions })).toEqual([`${scope} 1.1.0`]);
	expect([currentGeneration(host), readJournal(host)]).toMatchObject([1, { from: 1, to: 2 }]);
	expect(await status(host)).toMatchObject({ generation: 1, health: "pending" });
	await withLock(host, "recover", (lock) => recover(lock));
	expect(await runningVersions(host, { versions })).toEqual([`${scope} 1.0.0`]);
	expect(readLog(host).at(-1)).toMatchObject({ event: "recovered", from: 1, to: 1, reason: "upgrade" });
});

/** One fault inside the loader: never two programs nor half of one, and the next command works. */
async function loaderFault(crash: CrashCase, fault: string): Promise<void> {
	await using root = await crash.prepare();
	process.env["KFN_LOAD_FAULT"] = fault;
	const faulty = hostOf({ root: root.path, loader: FAULTY_LOADER, command: crash.command });
	let failure: unknown;
	try {
		await withLock(faulty, crash.command.verb, (lock) => runCommand(lock, crash.command));
	} catch (error) {
		failure = error;
	} finally {
		delete process.env["KFN_LOAD_FAULT"];
	}
	const host = openHost({ root: root.path, loader: LOADER });
	const running = await runningVersions(host, crash);
	if (failure === undefined) expect(running, fault).toEqual(crash.after);
	else {
		expect(["LOAD_FAULT", "HOST_LOADER_ANSWER"], fault).toContain(codeOf(failure));
		expect([crash.before, crash.after], fault).toContainEqual(running);
		expect(currentGeneration(host), fault).toBe(crash.before.length === 0 ? 0 : currentGeneration(host));
	}
	await withLock(host, crash.command.verb, (lock) => runCommand(lock, crash.command)).catch((error) => {
		expect([codeOf(error), crash.command.verb], fault).toEqual(["HOST_NOT_INSTALLED", "remove"]);
	});
	expect(await runningVersions(host, crash), fault).toEqual(crash.after);
	expect(await status(host), fault).toMatchObject({ health: "good" });
}

function loaderPoints(): string[] {
	execFileSync("make", ["--silent", "-C", join(import.meta.dirname, "native"), "faults"]);
	const answer = execFileSync(FAULTY_LOADER, ["faults"], { encoding: "utf8" });
	const { faults } = JSON.parse(answer) as { faults: string[] };
	expect(faults.length).toBeGreaterThan(5);
	return faults;
}

/** A fresh root with nothing, 1.0.0, or 1.0.0 upgraded to 1.1.0 in the one namespace. */
async function rootWith(version: string | undefined, loader = LOADER): Promise<CrashRoot> {
	const world = await openRealWorld(samples.key);
	const host = openHost({ root: world.root, loader: LOADER });
	const learn = async (learnt: string) =>
		versions.set((await status(host)).functions[0]?.programs[0]?.kernelTag ?? "", learnt);
	if (version !== undefined) {
		await withLock(host, "install", (lock) => install(lock, { bundle: samples.v1.archive, scope }));
		await learn("1.0.0");
	}
	if (version === "1.1.0") {
		await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
		await learn("1.1.0");
	}
	return {
		path: world.root,
		loader,
		async [Symbol.asyncDispose]() {
			// Unmounting the bpffs drops the link, too, but later: the next root would find the hook taken.
			await spawnLoader(LOADER, world.root).apply(emptyPlan(), 2);
			await world[Symbol.asyncDispose]();
		},
	};
}

/** A loader that kills whoever asks it to apply, then waits for a line in the returned fifo, then applies. */
function loaderThatKillsItsCaller(): [string, string] {
	const [path, gate] = [join(folder, "kfn-load-kills"), join(folder, "gate")];
	execFileSync("mkfifo", [gate]);
	// It has the whole plan before it kills: else the kill could come before the plan was sent.
	const apply = `plan=$(cat); kill -9 $PPID; read line < ${gate}; echo "$plan" | ${LOADER} "$@"`;
	const body = `case "$3" in apply) ${apply};; *) exec ${LOADER} "$@";; esac\n`;
	writeFileSync(path, `#!/bin/sh\n${body}`);
	chmodSync(path, 0o755);
	return [path, gate];
}

function archiveOf(version: string): string {
	return join(folder, `sample-${version}.kfn`);
}
