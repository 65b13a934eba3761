// The machine whose power is cut: a Debian system on a disk, and one life of it, from power on until QEMU is killed.
// Refuses to end a machine in any other way: nothing in it is ever told that the end is near.
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
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { watch } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { rolldown } from "rolldown";
import { registerUndo } from "../../harness/cleanup.ts";
import { run } from "../../harness/command.ts";
import { makeSamples, trustKeys } from "../../harness/host-world.ts";
import { SYSTEM_TAR } from "../system-image.ts";

/**
 * Writes per second, of a slow disk: so most of a change's time is that of its writes, where it can be hurt. On the host's page
 * cache a step would be over before the host gets to kill anything.
 */
const WRITES = 50;
const TOP = join(import.meta.dirname, "../../..");

export interface Machine {
	readonly disk: string;
	readonly kernel: string;
	readonly release: string;
	readonly initrd: string;
}

/** When the power is cut: once the loop has told this, and a while after. */
export interface Cut {
	readonly after: RegExp;
	readonly thenMs: number;
}

/** One life of the machine: all that it told until it was cut. */
export interface Life {
	readonly text: string;
	/** From the first line that matched `from` to the cut. */
	readonly milliseconds: number;
}

/** Lays out the disk below `folder`: the system, node, the loop of changes, two bundles and the key that signed them. */
export async function buildMachine(folder: string): Promise<Machine> {
	const tree = join(folder, "tree");
	mkdirSync(tree);
	await run("tar", ["-xf", SYSTEM_TAR, "-C", tree]);
	const release = readdirSync(join(tree, "lib/modules"))[0]!;
	const kernel = join(folder, "vmlinuz");
	copyFileSync(join(tree, `boot/vmlinuz-${release}`), kernel);
	const initrd = await buildInitrd(folder, join(tree, "lib/modules", release, "kernel/drivers"));
	const samples = await makeSamples();
	trustKeys(tree, ["sample"], [samples.key]);
	mkdirSync(join(tree, "bundles"));
	for (const { version, archive } of [samples.v1, samples.v2])
		writeFileSync(join(tree, `bundles/sample-${version}.kfn`), archive);
	await placePrograms(tree);
	const disk = join(folder, "disk.img");
	await run("truncate", ["-s", "800M", disk]);
	await run("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk], { timeoutMs: 300_000 });
	rmSync(tree, { recursive: true });
	return { disk, kernel, release, initrd };
}

async function placePrograms(tree: string): Promise<void> {
	const loop = await rolldown({
		input: join(import.meta.dirname, "loop.ts"),
		platform: "node",
		logLevel: "silent",
	});
	await loop.write({ file: join(tree, "loop.cjs"), format: "cjs", codeSplitting: false });
	mkdirSync(join(tree, "usr/lib/kfn"), { recursive: true });
	for (const [from, to] of [
		[join(TOP, "node_modules/node/bin/node"), "node"],
		[join(TOP, "build/kfn-load"), "usr/lib/kfn/kfn-load"],
		[join(import.meta.dirname, "boot.sh"), "power-boot.sh"],
	] as const) {
		copyFileSync(from, join(tree, to));
		chmodSync(join(tree, to), 0o755);
	}
}

async function buildInitrd(folder: string, drivers: string): Promise<string> {
	const tree = join(folder, "initrd");
	for (const name of ["bin", "dev", "disk", "modules"]) mkdirSync(join(tree, name), { recursive: true });
	copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
	cpSync(join(import.meta.dirname, "init.sh"), join(tree, "init"));
	for (const path of [join(tree, "bin/busybox"), join(tree, "init")]) chmodSync(path, 0o755);
	for (const bus of ["virtio", "block"])
		for (const name of readdirSync(join(drivers, bus)).filter((file) => /^virtio.*\.ko$/.test(file)))
			copyFileSync(join(drivers, bus, name), join(tree, "modules", name));
	const initrd = join(folder, "initrd.gz");
	const pack = 'find . | cpio --quiet -o -H newc | gzip -1 >"$1"';
	await run("sh", ["-eu", "-c", pack, "pack", initrd], { cwd: tree });
	return initrd;
}

/** The same machine with a disk of its own. */
export async function anotherOf(machine: Machine, disk: string): Promise<Machine> {
	await run("cp", ["--sparse=always", machine.disk, disk], { timeoutMs: 120_000 });
	return { ...machine, disk };
}

/** Turns the machine on, waits for the moment, and cuts its power. `from` is where the life's time counts from. */
export async function live(machine: Machine, console: string, from: RegExp, cut: Cut): Promise<Life> {
	writeFileSync(console, "");
	const child = spawn(
		"qemu-system-x86_64",
		[
			...["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-no-reboot", "-net", "none"],
			...["-display", "none", "-monitor", "none", "-serial", `file:${console}`],
			...[
				"-drive",
				`file=${machine.disk},format=raw,if=virtio,cache=writethrough,throttling.iops-write=${WRITES}`,
			],
			...["-kernel", machine.kernel, "-initrd", machine.initrd],
			...["-append", "console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check"],
		],
		{ stdio: "ignore" },
	);
	const power = registerUndo(`vm ${child.pid}`, () => child.kill("SIGKILL"));
	let [began, ended] = [0, 0];
	const gone = new AbortController();
	child.once("exit", () => gone.abort());
	try {
		await lineIn(console, from, gone.signal);
		began = performance.now();
		await lineIn(console, cut.after, gone.signal);
		// The random moment itself: nothing is waited for.
		if (!gone.signal.aborted)
			await delay(cut.thenMs, undefined, { signal: gone.signal }).catch(() => undefined);
	} finally {
		ended = performance.now();
		child.kill("SIGKILL");
		if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
		power.release();
	}
	return { text: toldBy(console), milliseconds: ended - began };
}

/** Waits until the console matches, or the signal says that it never will. */
async function lineIn(console: string, pattern: RegExp, gone: AbortSignal): Promise<void> {
	const changes = watch(console, { signal: gone });
	try {
		while (!pattern.test(toldBy(console))) await changes.next();
	} catch (error) {
		if (!gone.aborted) throw error;
	} finally {
		await changes.return?.();
	}
}

/** Whole lines only: where the cut came in the middle of one, that one was not told. */
function toldBy(console: string): string {
	const text = readFileSync(console, "utf8").replaceAll("\r", "");
	return text.slice(0, text.lastIndexOf("\n") + 1);
}
