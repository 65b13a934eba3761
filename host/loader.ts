// Speaks with `kfn-load`, the only program that calls bpf(): starts it, gives it plans, type-checks its answers.
// Refuses to interpret a failure: the loader's code, message, hint, details and exit code come out as they are.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { HostError, LoaderError, plain } from "./errors.ts";
import type { Faults } from "./faults.ts";
import {
	type ApplyAnswer,
	applyAnswer,
	type CheckAnswer,
	checkAnswer,
	failureAnswer,
	type InspectAnswer,
	inspectAnswer,
	type KernelKeysAnswer,
	kernelKeysAnswer,
	type LockdownAnswer,
	lockdownAnswer,
	type ObserveAnswer,
	observeAnswer,
	okAnswer,
	type ProbeAnswer,
	type ProveAnswer,
	probeAnswer,
	proveAnswer,
	type ScopesAnswer,
	scopesAnswer,
	type VersionAnswer,
	versionAnswer,
	type WatchAnswer,
	watchAnswer,
} from "./loader-answers.ts";
import { type Plan, serializePlan } from "./plan.ts";
import { type Shape, ShapeError } from "./shape.ts";

/** A function of a plan that may stay as it is where it cannot be proved again: the others go on without it. */
export interface MayStay {
	readonly function: string;
	readonly scope: string;
}

/** What the host asks of the kernel. A fake stands in for it only in tests that need no kernel. */
export interface Loader {
	/** Takes the advisory lock on an open file; it then belongs to that open file. LOAD_LOCK_HELD where another has it. */
	lock(fd: number): Promise<void>;
	/** Starts it and asks which one it is. */
	version(): Promise<VersionAnswer>;
	probe(): Promise<ProbeAnswer>;
	/** The keys by which the kernel would check signatures, and whether it does. */
	kernelKeys(): Promise<KernelKeysAnswer>;
	/** Shows which programs the kernel lets in, makes it follow lockdown.json, or takes that off. */
	lockdown(verb: "status" | "apply" | "off"): Promise<LockdownAnswer>;
	/** Verifies, loads and tries everything in the plan without attaching. */
	check(plan: Plan, mayStay?: readonly MayStay[]): Promise<CheckAnswer>;
	/** Makes the kernel run exactly the plan; undoes its own steps on failure. The child keeps `lockFd` open. */
	apply(plan: Plan, lockFd: number, mayStay?: readonly MayStay[]): Promise<ApplyAnswer>;
	/** Loads a second copy of everything in the plan, verified, and compares it with what runs. */
	prove(plan: Plan): Promise<ProveAnswer>;
	/** Sends superpackets through a device and through the program of a plan of one function, and compares what comes of them. */
	observe(plan: Plan, device: string, peer: string, seed: number): Promise<ObserveAnswer>;
	/** What scopes mean now. */
	scopes(scopes: readonly string[]): Promise<ScopesAnswer>;
	/** Hangs counters on running programs and resolves once they count. */
	watch(functions: readonly MayStay[]): Promise<LoaderWatch>;
	/** Reads pins and kernel; looks for foreign programs in `namespaces` too. */
	inspect(namespaces: readonly string[]): Promise<InspectAnswer>;
	/** Starts a replay: the child reads packets on stdin and answers in lines. */
	replay(fn: string, scope: string): LoaderProcess;
}

/** Counters that hang on running programs; they go with the loader's process, and that with its caller. */
export interface LoaderWatch {
	/** Ends the counting and tells what was counted. */
	end(): Promise<WatchAnswer>;
	kill(): void;
}

/** A running loader whose streams the caller drives. */
export interface LoaderProcess {
	readonly stdin: NodeJS.WritableStream;
	readonly stdout: NodeJS.ReadableStream;
	/** Throws what the loader reported, given its last line; resolves where it ended well. */
	end(lastLine: string): Promise<void>;
	kill(): void;
}

const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** Makes a loader that starts the binary `path` for every request, below `root`. */
export function spawnLoader(path: string, root: string): Loader {
	const ask = <T>(shape: Shape<T>, args: readonly string[], input?: string, fd?: number): Promise<T> =>
		request(path, ["--root", root, ...args], shape, input, fd);
	return {
		lock: async (fd) => void (await ask(okAnswer, ["lock"], undefined, fd)),
		version: () => ask(versionAnswer, ["version"]),
		probe: () => ask(probeAnswer, ["probe"]),
		kernelKeys: () => ask(kernelKeysAnswer, ["kernel-keys"]),
		lockdown: (verb) => ask(lockdownAnswer, ["lockdown", verb]),
		check: (plan, mayStay) => ask(checkAnswer, ["check", "-", ...leaveArgs(mayStay)], serializePlan(plan)),
		apply: (plan, lockFd, mayStay) =>
			ask(applyAnswer, ["apply", "-", ...leaveArgs(mayStay)], serializePlan(plan), lockFd),
		prove: (plan) => ask(proveAnswer, ["prove", "-"], serializePlan(plan)),
		observe: (plan, device, peer, seed) =>
			ask(observeAnswer, ["observe", "-", device, peer, String(seed)], serializePlan(plan)),
		scopes: (scopes) => ask(scopesAnswer, ["scopes", ...scopes]),
		watch: (functions) => startWatch(path, ["--root", root, "watch", ...functions.flatMap(pairOf)]),
		inspect: (namespaces) => ask(inspectAnswer, ["inspect", ...namespaces.flatMap((ns) => ["--netns", ns])]),
		replay: (fn, scope) => startReplay(path, ["--root", root, "replay", fn, scope]),
	};
}

/** The same loader with every request a point that `faults` may end or fail. */
export function withFaults(loader: Loader, faults: Faults): Loader {
	return {
		lock: (fd) => faults.aroundAsync("loader lock", () => loader.lock(fd)),
		version: () => faults.aroundAsync("loader version", () => loader.version()),
		probe: () => faults.aroundAsync("loader probe", () => loader.probe()),
		kernelKeys: () => faults.aroundAsync("loader kernel-keys", () => loader.kernelKeys()),
		lockdown: (verb) => faults.aroundAsync(`loader lockdown ${verb}`, () => loader.lockdown(verb)),
		check: (plan, mayStay) => faults.aroundAsync("loader check", () => loader.check(plan, mayStay)),
		apply: (plan, lockFd, mayStay) =>
			faults.aroundAsync("loader apply", () => loader.apply(plan, lockFd, mayStay)),
		prove: (plan) => faults.aroundAsync("loader prove", () => loader.prove(plan)),
		observe: (plan, device, peer, seed) =>
			faults.aroundAsync("loader observe", () => loader.observe(plan, device, peer, seed)),
		scopes: (scopes) => faults.aroundAsync("loader scopes", () => loader.scopes(scopes)),
		watch: (functions) => faults.aroundAsync("loader watch", () => loader.watch(functions)),
		inspect: (namespaces) => faults.aroundAsync("loader inspect", () => loader.inspect(namespaces)),
		replay: (fn, scope) => faults.around("loader replay", () => loader.replay(fn, scope)),
	};
}

function leaveArgs(mayStay: readonly MayStay[] = []): string[] {
	return mayStay.flatMap((entry) => ["--leave", ...pairOf(entry)]);
}

function pairOf({ function: name, scope }: MayStay): string[] {
	return [name, scope];
}

async function request<T>(
	path: string,
	args: readonly string[],
	shape: Shape<T>,
	input: string | undefined,
	fd: number | undefined,
): Promise<T> {
	const child = start(path, args, fd);
	const command = args[2] ?? "";
	child.stdin?.end(input ?? "");
	const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
	const [stdout, stderr, [exit, signal]] = await Promise.all([
		collect(child.stdout!),
		collect(child.stderr!),
		ended,
	]).catch((error: unknown) => {
		child.kill("SIGKILL");
		throw startFailure(error, path);
	});
	return answer(command, stdout, stderr, exit, signal, shape);
}

/** Two lines: that the counters hang, and, after the end of its stdin, what they counted. */
async function startWatch(path: string, args: readonly string[]): Promise<LoaderWatch> {
	const child = start(path, args, undefined);
	const stderr = collect(child.stderr!);
	const ended = (once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>).catch((error) => {
		throw startFailure(error, path);
	});
	// Both are awaited below; until then a rejection must not count as unhandled.
	ended.catch(() => undefined);
	stderr.catch(() => undefined);
	const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
	const told = async (line: string) => {
		const [exit, signal] = await ended;
		return answer("watch", line, await stderr, exit, signal, watchAnswer);
	};
	const first = (await lines.next()).value ?? "";
	if (!first.startsWith('{"watching":')) {
		await told(first);
		throw broken("kfn-load watch did not say that it counts", {});
	}
	return {
		async end() {
			child.stdin?.end();
			return told((await lines.next()).value ?? "");
		},
		kill: () => void child.kill("SIGKILL"),
	};
}

function startReplay(path: string, args: readonly string[]): LoaderProcess {
	const child = start(path, args, undefined);
	const stderr = collect(child.stderr!);
	const ended = (once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>).catch((error) => {
		throw startFailure(error, path);
	});
	// Both are awaited in `end`; until then a rejection must not count as unhandled.
	ended.catch(() => undefined);
	stderr.catch(() => undefined);
	return {
		stdin: child.stdin!,
		stdout: child.stdout!,
		async end(lastLine) {
			const [exit, signal] = await ended;
			answer("replay", lastLine, await stderr, exit, signal, okAnswer);
		},
		kill: () => void child.kill("SIGKILL"),
	};
}

function start(path: string, args: readonly string[], fd: number | undefined): ChildProcess {
	const child = spawn(path, args, {
		stdio: fd === undefined ? ["pipe", "pipe", "pipe"] : ["pipe", "pipe", "pipe", fd],
		// A Ctrl-C at the terminal must not cut an apply in half: the loader leaves the terminal's process group.
		detached: true,
		// Nothing of the caller's environment reaches the program that holds the privileges, but what tests inject.
		env: faultOnly(process.env),
	});
	// A loader that ends without reading its input says why on stdout.
	child.stdin?.on("error", () => undefined);
	return child;
}

function faultOnly(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	const fault = env["KFN_LOAD_FAULT"];
	return fault === undefined ? {} : { KFN_LOAD_FAULT: fault };
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of stream) {
		chunks.push(chunk as Buffer);
		size += (chunk as Buffer).length;
		if (size > OUTPUT_LIMIT) throw new HostError("HOST_LOADER_ANSWER", "the loader's answer has no end");
	}
	return Buffer.concat(chunks).toString("utf8");
}

function answer<T>(
	command: string,
	stdout: string,
	stderr: string,
	exit: number | null,
	signal: NodeJS.Signals | null,
	shape: Shape<T>,
): T {
	const told = { exit, signal, stderr: plain(stderr.slice(-4096)) };
	if (signal !== null) throw broken(`kfn-load ${command} was ended by ${signal}`, told);
	try {
		const document: unknown = JSON.parse(stdout);
		if (exit === 0) return shape(document, "");
		throw failure(failureAnswer(document, ""), exit);
	} catch (error) {
		if (error instanceof LoaderError) throw error;
		if (!(error instanceof ShapeError) && !(error instanceof SyntaxError)) throw error;
		throw broken(`kfn-load ${command} answered something undocumented: ${error.message}`, told, error);
	}
}

function failure(told: ReturnType<typeof failureAnswer>, exit: number | null): LoaderError {
	const { code, message, hint, details } = told.error;
	const known = exit === 1 || exit === 2 || exit === 3 ? exit : 70;
	return new LoaderError(code as `LOAD_${string}`, message, { hint, details: details ?? {}, exit: known });
}

function broken(message: string, details: Record<string, unknown>, cause?: unknown): HostError {
	return new HostError("HOST_LOADER_ANSWER", message, {
		hint: "this is a bug in kfn or in its installation; the next changing command recovers",
		details,
		cause,
	});
}

function startFailure(error: unknown, path: string): unknown {
	const { code, syscall } = error as NodeJS.ErrnoException;
	if (syscall === undefined || !syscall.startsWith("spawn")) return error;
	return new HostError("HOST_LOADER_MISSING", `the loader cannot be started: ${path} (${code})`, {
		hint: "build it (make -C host/native), or install the package that has kfn-load",
		details: { path, errno: code },
		cause: error,
	});
}
