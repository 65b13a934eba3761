// Throw-away network namespaces `kfn-<purpose>-<pid>-<n>` with veth pairs between them. Refuses to touch any other namespace: no device, address or sysctl is ever set outside one it made.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { processExists, registerUndo, type Undo } from "./cleanup.ts";
import { type CommandResult, endChild, type RunOptions, run } from "./command.ts";
import { refuseWithoutRoot } from "./feature.ts";

const FOLDER = "/run/netns";
const NAME = /^kfn-[a-z0-9]+(?:-[a-z0-9]+)*-(\d+)-\d+$/;
const PURPOSE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

let counter = 0;
let swept = false;

/**
 * A network namespace that lives until it is disposed of or this process ends.
 *
 * Commands in it run through `ip netns exec`, which also gives them a mount namespace of their own with a fresh
 * /sys: what such a command mounts is gone when it ends, and mounts below a test's own folder stay visible.
 */
export interface NetworkNamespace extends AsyncDisposable {
	readonly name: string;
	/** Path of the nsfs file, as a kfn scope names it: `netns:${path}`. */
	readonly path: string;
	/** Inode of the namespace, as the kernel reports it in link info. */
	readonly inode: number;
	/** Runs a command inside, to its end; fails as `run` of command.ts does. */
	run(command: string, args?: readonly string[], options?: RunOptions): Promise<CommandResult>;
	/** Starts a command inside; it is ended, at the latest, with the namespace. */
	spawn(command: string, args?: readonly string[], options?: SpawnOptions): ChildProcess;
	/** Writes a sysctl of this namespace only; `key` with dots or slashes and below `net`. */
	sysctl(key: string, value: string): Promise<void>;
}

/** Makes a namespace with `lo` up; needs root. Leftovers of test processes that no longer exist are removed first. */
export async function openNamespace(purpose: string): Promise<NetworkNamespace> {
	refuseWithoutRoot("a network namespace");
	if (!PURPOSE.test(purpose)) throw new Error(`purpose must match ${PURPOSE}: ${purpose}`);
	sweepNamespaces();
	const name = `kfn-${purpose}-${process.pid}-${++counter}`;
	const children = new Set<ChildProcess>();
	// Registered before it exists: an interrupt between the two would leave it behind.
	const undo = registerUndo(`namespace ${name}`, () => removeNamespace(name));
	await run("ip", ["netns", "add", name]);
	await run("ip", ["-n", name, "link", "set", "lo", "up"]);
	return namespaceHandle(name, children, undo);
}

/** Removes namespaces of this naming scheme whose process is gone; once per process, before the first is made. */
export function sweepNamespaces(force = false): string[] {
	if (swept && !force) return [];
	swept = true;
	const removed: string[] = [];
	for (const name of listNamespaces()) {
		const pid = NAME.exec(name)?.[1];
		if (pid === undefined || processExists(Number(pid))) continue;
		removeNamespace(name);
		removed.push(name);
	}
	return removed;
}

/** Names of all named namespaces on this machine. */
export function listNamespaces(): string[] {
	try {
		return readdirSync(FOLDER);
	} catch {
		return [];
	}
}

function namespaceHandle(name: string, children: Set<ChildProcess>, undo: Undo): NetworkNamespace {
	const path = `${FOLDER}/${name}`;
	const inside = (command: string, args: readonly string[]) => ["netns", "exec", name, command, ...args];
	return {
		name,
		path,
		inode: statSync(path).ino,
		run: (command, args = [], options) => run("ip", inside(command, args), options),
		spawn(command, args = [], options = {}) {
			const child = spawn("ip", inside(command, args), options);
			children.add(child);
			child.once("exit", () => children.delete(child));
			child.once("error", () => children.delete(child));
			return child;
		},
		async sysctl(key, value) {
			const file = key.replaceAll(".", "/");
			if (!/^net\/[a-z0-9_/]+$/.test(file)) throw new Error(`not a sysctl of a network namespace: ${key}`);
			await run("ip", inside("tee", [`/proc/sys/${file}`]), { input: value });
		},
		async [Symbol.asyncDispose]() {
			await Promise.all([...children].map((child) => endChild(child)));
			undo.run();
		},
	};
}

/** Removes one of our namespaces with the processes still in it; a missing one is fine, any other failure throws. */
function removeNamespace(name: string): void {
	if (!NAME.test(name)) throw new Error(`not a namespace of the harness: ${name}`);
	if (!listNamespaces().includes(name)) return;
	for (const pid of pidsInside(name)) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// Gone between listing and kill.
		}
	}
	try {
		execFileSync("ip", ["netns", "del", name], { stdio: ["ignore", "ignore", "pipe"] });
	} catch (error) {
		// Two test processes may sweep the same leftover at once; the later one finds it gone.
		if (listNamespaces().includes(name)) throw error;
	}
}

function pidsInside(name: string): number[] {
	try {
		const text = execFileSync("ip", ["netns", "pids", name], {
			stdio: ["ignore", "pipe", "ignore"],
		}).toString();
		return text.split("\n").filter(Boolean).map(Number);
	} catch {
		// A namespace whose creation was cut short is a plain file: nothing runs in it.
		return [];
	}
}
