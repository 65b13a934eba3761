// A throw-away KFN root folder with a bpffs of its own at ROOT/sys/fs/bpf. Refuses to work without root where a bpffs is asked for, and never mounts anything outside its folder.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processExists, registerUndo } from "./cleanup.ts";
import { run } from "./command.ts";
import { refuseWithoutRoot } from "./feature.ts";

const PREFIX = "kfn-root-";
const FOLDER = /^kfn-root-(\d+)-/;
const PURPOSE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

let swept = false;

/** The folders of a KFN root, as `kfn --root` and `kfn-load --root` lay them out. */
export interface KfnRoot extends AsyncDisposable {
	readonly path: string;
	/** `etc/kfn`, made with `trust/`. */
	readonly etc: string;
	/** `var/lib/kfn`, made empty. */
	readonly state: string;
	/** `sys/fs/bpf`; a mounted bpffs unless it was asked not to be. */
	readonly bpffs: string;
	/** `sys/fs/bpf/kfn`, not made: that is the loader's job. */
	readonly pins: string;
}

export interface RootOptions {
	/** False: plain folders only, no privilege needed. Default true. */
	readonly bpffs?: boolean;
	/** True: changes are watched as on a host that nobody configured. By default they are not: tests have no time for it. */
	readonly window?: boolean;
}

/** Makes a KFN root below the temporary folder; unmounted and removed on disposal or when this process ends. */
export async function openRoot(purpose: string, options: RootOptions = {}): Promise<KfnRoot> {
	if (!PURPOSE.test(purpose)) throw new Error(`purpose must match ${PURPOSE}: ${purpose}`);
	const mount = options.bpffs !== false;
	if (mount) refuseWithoutRoot("a KFN root with its own bpffs");
	sweepRoots();
	const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${purpose}-`));
	const undo = registerUndo(`root ${path}`, () => removeRoot(path));
	const root = {
		path,
		etc: join(path, "etc/kfn"),
		state: join(path, "var/lib/kfn"),
		bpffs: join(path, "sys/fs/bpf"),
		pins: join(path, "sys/fs/bpf/kfn"),
	};
	for (const folder of [join(root.etc, "trust"), root.state, root.bpffs])
		mkdirSync(folder, { recursive: true });
	if (options.window !== true) {
		writeFileSync(join(root.etc, "config.json"), JSON.stringify({ health: { windowSeconds: 0 } }));
	}
	if (mount) await run("mount", ["-t", "bpf", "bpf", root.bpffs]);
	return {
		...root,
		async [Symbol.asyncDispose]() {
			undo.run();
		},
	};
}

/** Removes roots of test processes that no longer exist; once per process, before the first root is made. */
export function sweepRoots(force = false): string[] {
	if (swept && !force) return [];
	swept = true;
	const removed: string[] = [];
	for (const name of readdirSync(tmpdir())) {
		const pid = FOLDER.exec(name)?.[1];
		if (pid === undefined || processExists(Number(pid))) continue;
		removeRoot(join(tmpdir(), name));
		removed.push(name);
	}
	return removed;
}

/** Paths mounted at or below a folder, deepest first. */
export function mountsBelow(folder: string): string[] {
	const points = readFileSync("/proc/self/mounts", "utf8")
		.split("\n")
		.map((line) => (line.split(" ")[1] ?? "").replace(/\\040/g, " "));
	return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}

function removeRoot(path: string): void {
	// Unmount before removing: rm would otherwise walk into the bpffs and unlink pins one by one.
	for (const point of mountsBelow(path)) unmount(point);
	rmSync(path, { recursive: true, force: true });
}

function unmount(point: string): void {
	try {
		execFileSync("umount", [point], { stdio: ["ignore", "ignore", "pipe"] });
	} catch {
		if (!mountsBelow(point).includes(point)) return;
		// Busy (a process of a failed test still has it open): detach it, the kernel drops it with the last user.
		execFileSync("umount", ["--lazy", point], { stdio: ["ignore", "ignore", "pipe"] });
	}
}
