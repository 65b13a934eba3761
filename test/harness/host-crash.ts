// Ends or fails a changing command of the host at one point, then demands what design §6 promises. Refuses to be told how
// many points there are: a run without a fault counts them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { expect } from "vitest";
import { codeOf } from "#host/errors.ts";
import type { FaultKind } from "#host/faults.ts";
import { currentGeneration, generationNumbers, readPlan } from "#host/generations.ts";
import { goodGeneration, readHealth } from "#host/health.ts";
import type { Host } from "#host/host.ts";
import { readJournal } from "#host/journal.ts";
import { layoutOf } from "#host/layout.ts";
import { withLock } from "#host/lock.ts";
import { recover } from "#host/recover.ts";
import { status } from "#host/status.ts";
import { openStored, storedDigests } from "#host/store.ts";
import { registerUndo } from "./cleanup.ts";
import { type HostChildSpec, type HostCommand, hostOf, runCommand } from "./host-child.ts";

const TOP = join(import.meta.dirname, "../..");

/** A root in the state before the command. */
export interface CrashRoot extends AsyncDisposable {
	readonly path: string;
	readonly loader: string;
}

/** One command and what must run before and after it, as "scope version" lines. */
export interface CrashCase {
	readonly name: string;
	readonly command: HostCommand;
	readonly before: readonly string[];
	readonly after: readonly string[];
	/** Versions by the kernel's tag of their program. */
	readonly versions: ReadonlyMap<string, string>;
	prepare(): Promise<CrashRoot>;
}

/** Runs the command without a fault and returns the names of the points that it passed. */
export async function pointsOf(test: CrashCase): Promise<string[]> {
	await using root = await test.prepare();
	const host = hostOf(specOf(test, root));
	await withLock(host, test.command.verb, (lock) => runCommand(lock, test.command));
	const passed = [...host.passed];
	await expectDone(hostOf(specOf(test, root)), test);
	return passed;
}

/** Where to kill: before every point, and after those whose effect takes time; "after" any other is "before" the next. */
export function killsOf(points: readonly string[]): { at: number; kind: "kill-before" | "kill-after" }[] {
	return points.flatMap((point, i) => {
		const isLong = point.startsWith("loader") || i === points.length - 1;
		const before = { at: i + 1, kind: "kill-before" as const };
		return isLong ? [before, { at: i + 1, kind: "kill-after" as const }] : [before];
	});
}

/** Kills a real child process at a point, then demands old or new generation, recovery, and success of the next try. */
export async function killAt(
	test: CrashCase,
	at: number,
	kind: "kill-before" | "kill-after",
	child: string,
): Promise<void> {
	await using root = await test.prepare();
	const from = currentGeneration(hostOf(specOf(test, root)));
	const signal = await runChild(child, { ...specOf(test, root), fault: { at, kind } });
	expect(signal, "the child was killed").toBe("SIGKILL");
	const host = hostOf(specOf(test, root));
	await expectOldOrNew(host, test, from);
	await withLock(host, "recover", (lock) => recover(lock));
	expect(await runningVersions(host, test), "recovered").toEqual(plannedVersions(host));
	await repeat(host, test);
}

/** Fails one point in this process, then demands that the failure was taken back at once or was a mere warning. */
export async function failAt(
	test: CrashCase,
	at: number,
	kind: Exclude<FaultKind, `kill-${string}`>,
): Promise<void> {
	await using root = await test.prepare();
	const from = currentGeneration(hostOf(specOf(test, root)));
	const host = hostOf({ ...specOf(test, root), fault: { at, kind } });
	const failure = await withLock(host, test.command.verb, (lock) => runCommand(lock, test.command)).then(
		() => undefined,
		(error: unknown) => error,
	);
	const sound = hostOf(specOf(test, root));
	if (failure !== undefined) {
		expect(["EIO", "ENOSPC", "HOST_IO", "HOST_DISK_FULL"]).toContain(codeOf(failure));
		// Only a purge can fail after its commit: what runs has changed by then, what is left to remove is history.
		const committed = currentGeneration(sound) !== from;
		if (committed) expect(test.command).toMatchObject({ purge: true });
		expect(await runningVersions(sound, test), "taken back").toEqual(committed ? test.after : test.before);
		expect(readJournal(sound), "no journal").toBeUndefined();
	}
	await repeat(sound, test);
}

/** Bundles a child of this folder into one file, which starts four times as fast; removed when this process ends. */
export async function bundleChild(name: "host-child" | "trust-child"): Promise<string> {
	const outfile = join(TOP, `build/test/${name}-${process.pid}.mjs`);
	mkdirSync(join(TOP, "build/test"), { recursive: true });
	registerUndo(`bundled ${name}`, () => rmSync(outfile, { force: true }));
	const input = join(import.meta.dirname, `${name}.ts`);
	await using bundle = await rolldown({ input, platform: "node", logLevel: "warn" });
	await bundle.write({ file: outfile, format: "esm", codeSplitting: false });
	return outfile;
}

/** Runs a task for every item, `width` at a time; the first failure says which item it was. */
export async function inParallel<T>(
	items: readonly T[],
	width: number,
	task: (item: T) => Promise<void>,
): Promise<void> {
	const queue = [...items];
	const worker = async () => {
		for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
			try {
				await task(item);
			} catch (error) {
				queue.length = 0;
				throw new Error(`at ${JSON.stringify(item)}: ${(error as Error).message}`, { cause: error });
			}
		}
	};
	// All of them, also after a failure: what still ran would outlive the test and its folder.
	const ended = await Promise.allSettled(Array.from({ length: width }, worker));
	for (const end of ended) if (end.status === "rejected") throw end.reason;
}

/** Attached versions, as "scope version" lines, sorted; a program that no version has shows as its kernel tag. */
export async function runningVersions(host: Host, test: Pick<CrashCase, "versions">): Promise<string[]> {
	const { pins } = await host.loader.inspect([]);
	return pins
		.filter((pin) => pin.link?.alive === true)
		.map((pin) => {
			const tag = pin.programs.map((program) => program.kernelTag).join();
			return `${pin.scope} ${test.versions.get(tag) ?? tag}`;
		})
		.sort();
}

/** Starts the child with one command and returns the signal that ended it, if one did. */
export async function runChild(child: string, spec: HostChildSpec): Promise<NodeJS.Signals | null> {
	const process_ = spawn(process.execPath, [child, JSON.stringify(spec)], {
		stdio: ["ignore", "ignore", "inherit"],
	});
	const [, signal] = (await once(process_, "close")) as [number | null, NodeJS.Signals | null];
	return signal;
}

function specOf(test: CrashCase, root: CrashRoot): HostChildSpec {
	return { root: root.path, loader: root.loader, command: test.command };
}

async function expectOldOrNew(host: Host, test: CrashCase, from: number): Promise<void> {
	const current = currentGeneration(host);
	expect([from, from + 1, ...(purges(test) ? [0] : [])], "current").toContain(current);
	for (const entry of readPlan(host, current).functions) {
		openStored(host, entry.bundle.sha256, entry.bundle.manifestSha256);
	}
	const good = goodGeneration(host);
	expect([0, from, current], "good").toContain(good);
	if (good !== 0) expect(readHealth(host, good)?.state).toBe("good");
	const running = await runningVersions(host, test);
	expect([test.before, test.after], "a complete program, old or new").toContainEqual(running);
	const journal = readJournal(host);
	if (journal === undefined) expect(running, "without a journal").toEqual(plannedVersions(host));
	else expect(journal).toMatchObject({ from, to: from + 1 });
}

/** The same command again: it succeeds, or finds its work done. */
async function repeat(host: Host, test: CrashCase): Promise<void> {
	try {
		await withLock(host, test.command.verb, (lock) => runCommand(lock, test.command));
	} catch (error) {
		expect(codeOf(error)).toBe("HOST_NOT_INSTALLED");
		expect(test.command.verb).toBe("remove");
	}
	await expectDone(host, test);
}

async function expectDone(host: Host, test: CrashCase): Promise<void> {
	expect(await runningVersions(host, test), "after").toEqual(test.after);
	const { health, drift } = await status(host);
	expect({ health, drift }).toEqual({ health: "good", drift: [] });
	expectTidy(host, test);
}

/** Nothing lies about that no generation needs. */
function expectTidy(host: Host, test: CrashCase): void {
	const layout = layoutOf(host.layout.root);
	if (purges(test)) {
		// A repeated `remove --purge` that finds nothing to do still takes the lock, and leaves only its file.
		const left = existsSync(layout.state) ? readdirSync(layout.state) : [];
		expect(left.filter((name) => name !== "lock")).toEqual([]);
		return;
	}
	expect(goodGeneration(host), "good").toBe(currentGeneration(host));
	const known = ["current", "generations", "good", "lock", "log.jsonl", "store", "tmp"];
	expect(readdirSync(layout.state).filter((name) => !known.includes(name))).toEqual([]);
	expect(readdirSync(layout.tmp)).toEqual([]);
	const needed = new Set<string>();
	for (const n of generationNumbers(host)) {
		expect(readdirSync(layout.generation(n)).sort()).toEqual(["applied.json", "health.json", "plan.json"]);
		for (const entry of readPlan(host, n).functions) needed.add(entry.bundle.sha256);
	}
	expect(storedDigests(host)).toEqual([...needed].sort());
}

function plannedVersions(host: Host): string[] {
	return readPlan(host, currentGeneration(host))
		.functions.map((entry) => `${entry.scope} ${entry.bundle.version}`)
		.sort();
}

function purges({ command }: CrashCase): boolean {
	return command.verb === "remove" && command.purge === true;
}
