// Power cuts: a VM is killed at random moments of a loop of installs, upgrades, rollbacks and removals, and started again on the same
// disk. Each time it must boot, run exactly one complete generation, and have a store of which every byte is right.
//
// What a kill of QEMU leaves is what a power cut leaves of a disk that tells the truth: the guest's page cache is gone, and of the
// writes that the guest waited for (cache=writethrough: none ends before the host has it) nothing is. A disk that lies about a
// flush, or that reorders what it was never asked to flush, is not shown here.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	copyFileSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { makeSamples, trustKeys } from "../harness/host-world.ts";
import { SYSTEM_TAR } from "./system-image.ts";

const TOP = join(import.meta.dirname, "../..");
const LONG = 1_800_000;
/** KFN_POWER_CUTS=200 for the long run. Without it 20, or as many as fit the time: every boot is emulated. */
const WANTED = process.env["KFN_POWER_CUTS"];
const CUTS = Number(WANTED ?? 20);
const TIME_MS = WANTED === undefined ? 90_000 : Number.POSITIVE_INFINITY;
const LEAST = 3;
/** Changes that the first life does undisturbed: how long they take says when to cut. */
const CALIBRATION = 3;
const FOUND = /^@@ found .*\n/m;
/** Steps of host/change.ts that begin with the journal on disk and the change not done. */
const IN_FLIGHT = ["apply", "check", "record", "commit"];

let folder: string;
let undo: Undo;
let disk: string;
let kernel: string;
let initrd: string;

beforeAll(async () => {
	requireTools("qemu-system-x86_64", "mke2fs", "busybox", "cpio");
	folder = mkdtempSync(join(tmpdir(), `kfn-power-${process.pid}-`));
	undo = registerUndo(`vm power ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	await buildDisk();
}, LONG);
afterAll(() => undo.run());

async function buildDisk(): Promise<void> {
	const tree = join(folder, "tree");
	mkdirSync(tree);
	await run("tar", ["-xf", SYSTEM_TAR, "-C", tree]);
	const release = readdirSync(join(tree, "lib/modules"))[0]!;
	kernel = join(folder, "vmlinuz");
	copyFileSync(join(tree, `boot/vmlinuz-${release}`), kernel);
	await buildInitrd(join(tree, "lib/modules", release, "kernel/drivers"));
	const samples = await makeSamples();
	trustKeys(tree, ["sample"], [samples.key]);
	mkdirSync(join(tree, "bundles"));
	for (const { version, archive } of [samples.v1, samples.v2])
		writeFileSync(join(tree, `bundles/sample-${version}.kfn`), archive);
	const loop = await rolldown({
		input: join(import.meta.dirname, "power/loop.ts"),
		platform: "node",
		logLevel: "silent",
	});
	await loop.write({ file: join(tree, "loop.cjs"), format: "cjs", codeSplitting: false });
	mkdirSync(join(tree, "usr/lib/kfn"), { recursive: true });
	for (const [from, to] of [
		[join(TOP, "node_modules/node/bin/node"), "node"],
		[join(TOP, "build/kfn-load"), "usr/lib/kfn/kfn-load"],
		[join(import.meta.dirname, "power/boot.sh"), "power-boot.sh"],
	] as const) {
		copyFileSync(from, join(tree, to));
		chmodSync(join(tree, to), 0o755);
	}
	disk = join(folder, "disk.img");
	await run("truncate", ["-s", "800M", disk]);
	await run("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk], { timeoutMs: 300_000 });
	rmSync(tree, { recursive: true });
}

async function buildInitrd(drivers: string): Promise<void> {
	const tree = join(folder, "initrd");
	for (const name of ["bin", "dev", "disk", "modules"]) mkdirSync(join(tree, name), { recursive: true });
	copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
	cpSync(join(import.meta.dirname, "power/init.sh"), join(tree, "init"));
	for (const path of [join(tree, "bin/busybox"), join(tree, "init")]) chmodSync(path, 0o755);
	for (const bus of ["virtio", "block"])
		for (const name of readdirSync(join(drivers, bus)).filter((file) => /^virtio.*\.ko$/.test(file)))
			copyFileSync(join(drivers, bus, name), join(tree, "modules", name));
	initrd = join(folder, "initrd.gz");
	const pack = 'find . | cpio --quiet -o -H newc | gzip -1 >"$1"';
	await run("sh", ["-eu", "-c", pack, "pack", initrd], { cwd: tree });
}

/** One life of the machine: from power on until it is cut. */
interface Life {
	readonly text: string;
	/** From the first line of the loop to the cut. */
	readonly loopMs: number;
}

/** When the power is cut: once the loop has told this, and a while after. */
interface Cut {
	readonly after: RegExp;
	readonly thenMs: number;
}

/** In turn at any moment of the loop, and within a step in which a change is in flight. */
function nextCut(cut: number, changeMs: number): Cut {
	if (cut === 0) return { after: new RegExp(`^@@ changed .*"i":${CALIBRATION - 1}`, "m"), thenMs: 0 };
	if (cut % 2 === 0) return { after: FOUND, thenMs: Math.random() * 2 * changeMs };
	const step = IN_FLIGHT[Math.floor(Math.random() * IN_FLIGHT.length)]!;
	return { after: new RegExp(`^@@ step-${step} `, "m"), thenMs: (Math.random() * changeMs) / 50 };
}

async function live(cut: number, { after, thenMs }: Cut): Promise<Life> {
	const console = join(folder, `console-${cut}`);
	writeFileSync(console, "");
	const child = spawn(
		"qemu-system-x86_64",
		[
			...["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-no-reboot", "-net", "none"],
			...["-display", "none", "-monitor", "none", "-serial", `file:${console}`],
			...[
				"-drive",
				`file=${disk},format=raw,if=virtio,cache=writethrough`,
				"-kernel",
				kernel,
				"-initrd",
				initrd,
			],
			...["-append", "console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check"],
		],
		{ stdio: "ignore" },
	);
	const power = registerUndo(`vm ${child.pid}`, () => child.kill("SIGKILL"));
	let [began, ended] = [0, 0];
	const gone = new AbortController();
	child.once("exit", () => gone.abort());
	try {
		await lineIn(console, FOUND, gone.signal);
		began = performance.now();
		await lineIn(console, after, gone.signal);
		// The random moment itself: nothing is waited for.
		if (!gone.signal.aborted) await delay(thenMs, undefined, { signal: gone.signal }).catch(() => undefined);
	} finally {
		ended = performance.now();
		child.kill("SIGKILL");
		if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
		power.release();
	}
	return { text: readFileSync(console, "utf8").replaceAll("\r", ""), loopMs: ended - began };
}

/** Waits until a line of the file matches, or the signal says that none will. */
async function lineIn(file: string, pattern: RegExp, gone: AbortSignal): Promise<void> {
	const changes = watch(file, { signal: gone });
	try {
		while (!pattern.test(readFileSync(file, "utf8").replaceAll("\r", ""))) await changes.next();
	} catch (error) {
		if (!gone.aborted) throw error;
	} finally {
		await changes.return?.();
	}
}

// biome-ignore lint/suspicious/noExplicitAny: what the VM told, whose shape is what the test checks
function told(text: string, what: string): any {
	const line = new RegExp(`^@@ ${what} (\\{.*\\})$`, "m").exec(text)?.[1];
	if (line === undefined) throw new Error(`the VM did not say \`${what}\`:\n${text.slice(-3000)}`);
	return JSON.parse(line);
}

it(
	`boots, runs one complete generation and has a sound store after each of up to ${CUTS} power cuts`,
	async () => {
		const seen = { cuts: -1, interrupted: 0, changes: 0 };
		const start = performance.now();
		let changeMs = 0;
		// The first life is from an empty state; each later one begins with a cut behind it.
		for (let cut = 0; cut <= CUTS; cut++) {
			if (cut > LEAST && performance.now() - start > TIME_MS) break;
			const { text, loopMs } = await live(cut, nextCut(cut, changeMs));
			if (cut === 0) changeMs = loopMs / CALIBRATION;
			const boot = told(text, "boot");
			const found = told(text, "found");
			expect(boot, `cut ${cut}`).toMatchObject({
				ok: true,
				why: "current",
				left: [],
				refused: [],
				counted: true,
			});
			expect(boot.generation).toBe(found.generation);
			expect(told(text, "good")).toMatchObject({ ok: true });
			// All of the current generation, and nothing else.
			expect(found.functions.every(({ running }: { running: boolean }) => running)).toBe(true);
			expect(found.pins).toBe(found.functions.length);
			expect(found).toMatchObject({ health: "good", drift: [] });
			expect(text).not.toContain("@@ ended");
			seen.interrupted += found.interrupted ? 1 : 0;
			seen.changes += (text.match(/^@@ changed /gm) ?? []).length;
			seen.cuts++;
		}
		// Cuts that never met a change would prove nothing.
		if (seen.cuts >= 8) expect(seen.interrupted).toBeGreaterThan(0);
		expect(seen.changes).toBeGreaterThanOrEqual(CALIBRATION);
		const seconds = ((performance.now() - start) / 1000).toFixed(0);
		process.stdout.write(
			`  ${seen.cuts} power cuts, ${seen.interrupted} in the middle of a change, ${seen.changes} changes done of ${(changeMs / 1000).toFixed(1)} s each, ${seconds} s\n`,
		);
	},
	LONG,
);
