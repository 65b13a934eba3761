// Stands in for kfn-load and the kernel where a test has neither root nor BPF: plans, trust, digests and signatures are
// checked for real, attaching is a JSON file. Refuses to know a rule that loader-contract.ts does not prove on the real one.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type BundleContents, openContents } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { LoaderError } from "#host/errors.ts";
import type { Host } from "#host/host.ts";
import { layoutOf } from "#host/layout.ts";
import type { Loader, LoaderProcess, LoaderWatch, MayStay } from "#host/loader.ts";
import type {
	ApplyAnswer,
	CheckAnswer,
	InspectAnswer,
	Pin,
	ProveAnswer,
	WatchAnswer,
} from "#host/loader-answers.ts";
import { plannedKey } from "#host/places.ts";
import { keyOf, type Plan, type PlanFunction, parsePlan } from "#host/plan.ts";
import { type RevokedRecord, readRevoked, revocable, revokedBy } from "#host/recall/revoked.ts";
import { parseScope, scopeParts } from "#host/scope.ts";
import { parsePublishers, publisherFor } from "#signing/publishers.ts";
import { verifyManifest } from "#signing/verify.ts";
import { FakeKernel, type FakeKernelState, type FakePin } from "./fake-kernel.ts";
import { expanded, type FakeFunction, instancesOf, scopeAnswer } from "./fake-scopes.ts";

export { FakeKernel, type FakeKernelState, fakeNamespaces } from "./fake-kernel.ts";

/** The loader of a fake kernel; only `lock` is the real thing, by flock(1). */
export function fakeLoader(kernel: FakeKernel): Loader {
	return {
		lock,
		version: async () => ({ ok: true, version: "0.0.0-fake" }),
		probe: async () => ({ ok: true, kernel: "0.0.0-fake", features: {} }),
		kernelKeys: async () => ({
			ok: true,
			kernelSignatures: { have: "no", reason: "a fake kernel checks none" },
			keyrings: {},
			problem: null,
		}),
		lockdown: async () => ({
			ok: true,
			...({ possible: "no", mode: "off", configured: "off", since: null } as const),
			counts: { bySignature: 0, byExecutable: 0, byKernel: 0, refused: 0 },
			executables: [],
			refusals: [],
		}),
		check: async (plan, mayStay) => {
			const { loaded, left } = await loadAll(kernel, plan, mayStay);
			return {
				ok: true,
				functions: loaded.map(({ answer }) => answer),
				left: left.map(({ entry, error }) => leftAnswer(entry, error)),
			};
		},
		apply: (plan, _lockFd, mayStay) => apply(kernel, plan, mayStay),
		prove: (plan) => prove(kernel, plan),
		observe: async () => {
			throw refusal("LOAD_NO_WIRE", "a fake kernel has no devices to send through");
		},
		scopes: async (scopes) => ({ ok: true, scopes: scopes.map((scope) => scopeAnswer(kernel, scope)) }),
		watch: async (functions) => watch(kernel, functions),
		inspect: async (namespaces) => inspect(kernel, namespaces),
		replay: (fn, scope) => replay(kernel, fn, scope),
	};
}

async function lock(fd: number): Promise<void> {
	const child = spawn("flock", ["--nonblock", "--exclusive", "3"], {
		stdio: ["ignore", "ignore", "inherit", fd],
	});
	const [code] = (await once(child, "close")) as [number | null];
	if (code !== 0) throw refusal("LOAD_LOCK_HELD", "the lock is held");
}

interface Loaded {
	readonly entry: FakeFunction;
	readonly answer: CheckAnswer["functions"][number];
}

interface Left {
	readonly entry: PlanFunction;
	readonly error: LoaderError;
}

async function loadAll(
	kernel: FakeKernel,
	plan: Plan,
	mayStay: readonly MayStay[] = [],
): Promise<{ loaded: Loaded[]; left: Left[] }> {
	if (!kernel.read().privileged) throw refusal("LOAD_NO_PRIVILEGE", "bpf() needs privileges");
	const loaded: Loaded[] = [];
	const left: Left[] = [];
	for (const entry of plan.functions) {
		try {
			loaded.push({ entry, answer: await load(kernel.root, entry) });
		} catch (error) {
			left.push({ entry, error: excused(entry, mayStay, error) });
		}
	}
	return { loaded, left };
}

/** The failure of one function that the caller allows to stay as it is; any other is thrown. */
function excused(entry: PlanFunction, mayStay: readonly MayStay[], error: unknown): LoaderError {
	const allowed = mayStay.some((candidate) => keyOf(candidate) === plannedKey(entry));
	if (!allowed || !(error instanceof LoaderError) || error.code === "LOAD_NO_PRIVILEGE") throw error;
	return error;
}

function leftAnswer(entry: FakeFunction, error: LoaderError) {
	const { code, message } = error;
	return { function: entry.function, scope: entry.scope, ...plannedOf(entry), error: { code, message } };
}

function plannedOf({ planned }: { readonly planned?: string }): { readonly planned?: string } {
	return planned === undefined ? {} : { planned };
}

async function load(root: string, entry: FakeFunction): Promise<CheckAnswer["functions"][number]> {
	demandNotRevoked(root, entry);
	const folder = layoutOf(root).storeEntry(entry.bundle.sha256);
	const { manifest, manifestBytes, signatureBytes, vectors } = readBundle(folder);
	if (sha256(manifestBytes) !== entry.bundle.manifestSha256) {
		throw refusal("LOAD_MANIFEST_DIGEST", "the manifest is not the one of the plan", 3);
	}
	await verifySignatures(root, manifest.name, manifestBytes, signatureBytes);
	const [variant] = manifest.variants;
	if (variant === undefined) throw refusal("LOAD_UNSUPPORTED_KERNEL", "no variant fits");
	return {
		function: manifest.function.name,
		abi: manifest.function.abi,
		scope: entry.scope,
		...plannedOf(entry),
		bundle: { name: manifest.name, version: manifest.version, sha256: entry.bundle.sha256 },
		tag: manifest.tag.value,
		variant: variant.name,
		verified: "loader",
		keyring: null,
		verifiedReason: "the bundle carries no signature for the kernel",
		programs: variant.programs.map(({ name, section, insns, insnsDigest }) => ({
			...{ name, section, insns, insnsDigest, verifiedInsns: insns },
			// Linux 6.18 and later: the first 8 bytes of the sha256 of the instructions.
			kernelTag: (insnsDigest ?? createHash("sha256").update(name).digest("hex")).slice(0, 16),
		})),
		vectors: { run: vectors.length },
	};
}

function demandNotRevoked(root: string, entry: FakeFunction): void {
	let found: RevokedRecord | undefined;
	try {
		found = revokedBy(readRevoked({ layout: layoutOf(root) } as Host), revocable(entry));
	} catch (error) {
		throw refusal("LOAD_REVOKED_INVALID", (error as Error).message, 3);
	}
	if (found === undefined) return;
	const { name, version } = entry.bundle;
	throw refusal("LOAD_REVOKED", `${name} ${version} is revoked: ${found.reason}`, 3);
}

function readBundle(folder: string): BundleContents {
	try {
		const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
			entry.isFile(),
		);
		const paths = names.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
		return openContents(paths.map((path) => ({ path, bytes: readFileSync(join(folder, path)) })));
	} catch (error) {
		throw refusal("LOAD_FILE_DIGEST", (error as Error).message, 3);
	}
}

async function verifySignatures(
	root: string,
	name: string,
	manifest: Uint8Array,
	signatures: Uint8Array,
): Promise<void> {
	try {
		const { publishers: own, trustCurrent } = layoutOf(root);
		const files = [own, join(trustCurrent, "publishers.json")].filter((file) => existsSync(file));
		const publishers = files.flatMap((file) => parsePublishers(readFileSync(file)).publishers);
		await verifyManifest(manifest, signatures, publisherFor({ publishers }, name));
	} catch (error) {
		throw refusal(`LOAD_${(error as { code: string }).code}`, (error as Error).message, 3);
	}
}

async function apply(
	kernel: FakeKernel,
	asked: Plan,
	mayStay: readonly MayStay[] = [],
): Promise<ApplyAnswer> {
	const plan = { ...asked, functions: expanded(kernel, asked) };
	const { loaded, left } = await loadAll(kernel, plan, mayStay);
	const state = kernel.read();
	if (!state.bpffs && plan.functions.length > 0) {
		throw refusal("LOAD_BPFFS_NOT_MOUNTED", "no bpffs is mounted where pins go");
	}
	const planned = new Set(plan.functions.map(keyOf));
	const detached = state.pins.filter((pin) => !planned.has(keyOf(pin)));
	const functions = loaded.flatMap(({ entry, answer }) => {
		try {
			return [{ ...answer, ...attach(state, entry, answer), nanoseconds: 1 }];
		} catch (error) {
			left.push({ entry, error: excused(entry, mayStay, error) });
			return [];
		}
	});
	const revoked = new Set(
		left.filter(({ error }) => error.code === "LOAD_REVOKED").map(({ entry }) => keyOf(entry)),
	);
	state.pins = state.pins.filter((pin) => planned.has(keyOf(pin)) && !revoked.has(keyOf(pin)));
	// One write: the real loader undoes its steps where one fails, so that a caller sees all or nothing.
	kernel.write(state);
	return {
		ok: true,
		functions,
		detached: detached.map(({ function: fn, scope }) => ({ function: fn, scope })),
		left: left.map(({ entry, error }) => ({ ...leftAnswer(entry, error), running: runs(state, entry) })),
	};
}

/** Whether a link of ours is alive in the very namespace. */
function runs(state: FakeKernelState, entry: PlanFunction): boolean {
	const inode = inodeOf(state, entry.scope);
	return (
		inode !== undefined && state.pins.some((pin) => keyOf(pin) === keyOf(entry) && pin.namespace === inode)
	);
}

function attach(
	state: FakeKernelState,
	entry: PlanFunction,
	answer: Loaded["answer"],
): { step: "attach" | "replace" | "keep" } {
	const inode = inodeOf(state, entry.scope);
	if (inode === undefined) throw refusal("LOAD_NETNS_GONE", `${entry.scope} is no network namespace`);
	const before = state.pins.find((pin) => keyOf(pin) === keyOf(entry));
	const alive = before?.namespace === inode;
	if (!alive && state.foreign[String(inode)] !== undefined) {
		throw refusal("LOAD_FOREIGN_PROGRAM", `${entry.scope}: another program holds the hook`);
	}
	const [program] = answer.programs;
	if (program === undefined) throw refusal("LOAD_UNSUPPORTED_PROGRAM", "one program is needed");
	if (alive && before.program.kernelTag === program.kernelTag) return { step: "keep" };
	const pin: FakePin = {
		function: entry.function,
		scope: entry.scope,
		linkId: alive ? before.linkId : state.nextId++,
		namespace: inode,
		program: { id: state.nextId++, name: program.name, kernelTag: program.kernelTag },
		version: entry.bundle.version,
	};
	state.pins = [...state.pins.filter((other) => other !== before), pin];
	return { step: alive ? "replace" : "attach" };
}

async function prove(kernel: FakeKernel, asked: Plan): Promise<ProveAnswer> {
	const plan = { ...asked, functions: expanded(kernel, asked) };
	const { loaded, left } = await loadAll(kernel, plan, asked.functions);
	const state = kernel.read();
	const image = (kernelTag: string, id: number) => ({
		id,
		kernelTag,
		xlatedBytes: 8,
		jitedBytes: 8,
		maps: 0,
	});
	const compared = loaded.map(({ entry, answer }) => {
		const pin = state.pins.find((candidate) => keyOf(candidate) === keyOf(entry));
		if (pin === undefined || !runs(state, entry)) {
			return unproved(entry, refusal("LOAD_NOT_ACTIVE", `${entry.function} is not active in ${entry.scope}`));
		}
		const wanted = answer.programs[0]?.kernelTag ?? "";
		const same = wanted === pin.program.kernelTag;
		return {
			...{ function: entry.function, scope: entry.scope, ...plannedOf(entry), error: null },
			proof: same ? ("proved" as const) : ("differs" as const),
			reason: same ? null : "its kernel tag is another one",
			running: image(pin.program.kernelTag, pin.program.id),
			copy: image(wanted, state.nextId),
		};
	});
	return { ok: true, functions: [...compared, ...left.map(({ entry, error }) => unproved(entry, error))] };
}

function unproved(entry: PlanFunction, error: LoaderError): ProveAnswer["functions"][number] {
	return { ...leftAnswer(entry, error), proof: "unknown", reason: null, running: null, copy: null };
}

function watch(kernel: FakeKernel, asked: readonly MayStay[]): LoaderWatch {
	const functions = asked.flatMap((entry) =>
		entry.scope.endsWith("*")
			? instancesOf(kernel, entry.scope).map(({ scope }) => ({ function: entry.function, scope }))
			: [entry],
	);
	const watched = functions.map((entry) => {
		const pin = kernel.read().pins.find((candidate) => keyOf(candidate) === keyOf(entry));
		if (pin === undefined || pin.namespace === null) {
			throw refusal("LOAD_NOT_ACTIVE", `${entry.function} is not active in ${entry.scope}`);
		}
		return { ...entry, programId: pin.program.id, version: pin.version };
	});
	return {
		async end() {
			const { answers = {}, uncounted } = kernel.read();
			return {
				ok: true,
				milliseconds: 0,
				functions: watched.map(({ version, ...entry }) => {
					const verdicts = answers[version] ?? { ok: 0, drop: 0, continue: 0, other: 0 };
					const runs = verdicts.ok + verdicts.drop + verdicts.continue + verdicts.other;
					const counted = uncounted === undefined ? verdicts : null;
					return { ...entry, verdicts: counted, reason: uncounted ?? null, runs, nanoseconds: runs };
				}),
			};
		},
		kill: () => undefined,
	};
}

function inspect(kernel: FakeKernel, namespaces: readonly string[]): InspectAnswer {
	const state = kernel.read();
	if (!state.bpffs) throw refusal("LOAD_BPFFS_NOT_MOUNTED", "no bpffs is mounted where pins go");
	if (!state.privileged) throw refusal("LOAD_NO_PRIVILEGE", "bpf() needs privileges");
	const scopes = new Set([
		...state.pins.map((pin) => pin.scope),
		...namespaces.map((path) => `netns:${path}`),
	]);
	const foreign = [...scopes].flatMap((scope) => {
		const program = state.foreign[String(inodeOf(state, scope))];
		if (program === undefined) return [];
		const { id: programId, name, kernelTag } = program;
		return [{ scope, hook: "flow_dissector", programId, name, kernelTag }];
	});
	return { ok: true, pins: state.pins.map(pinAnswer), foreign };
}

function pinAnswer(pin: FakePin): Pin {
	return {
		function: pin.function,
		scope: pin.scope,
		link: { id: pin.linkId, type: "netns", netnsInode: pin.namespace ?? 0, alive: pin.namespace !== null },
		programs: [
			{ ...pin.program, loadedAt: 0, verifiedInsns: 1, jitedBytes: 1, runCount: 0, runNanoseconds: 0 },
		],
		pinnedProgramId: pin.program.id,
	};
}

function inodeOf(state: FakeKernelState, scope: string): number | undefined {
	if (scope.startsWith("dev:")) {
		const { netns } = scopeParts(parseScope(scope));
		return state.devices?.[scope] === undefined ? undefined : state.namespaces[netns];
	}
	return state.namespaces[scope === "netns:root" ? "/proc/1/ns/net" : scope.slice("netns:".length)];
}

/** Answers every packet with 56 zero bytes, but first its length: enough to tell answers apart. */
function replay(kernel: FakeKernel, fn: string, scope: string): LoaderProcess {
	const stdin = new PassThrough();
	const stdout = new PassThrough();
	const active = kernel.read().pins.some((pin) => pin.function === fn && pin.scope === scope);
	const failed = active ? undefined : refusal("LOAD_NOT_ACTIVE", `${fn} is not active in ${scope}`);
	const done = answerPackets(stdin, stdout, failed);
	return {
		stdin,
		stdout,
		async end() {
			await done;
			if (failed !== undefined) throw failed;
		},
		kill: () => void stdout.end(),
	};
}

async function answerPackets(
	stdin: PassThrough,
	stdout: PassThrough,
	failed: LoaderError | undefined,
): Promise<void> {
	let pending = Buffer.alloc(0);
	let packets = 0;
	for await (const chunk of stdin) {
		pending = Buffer.concat([pending, chunk as Buffer]);
		while (pending.length >= 8 && pending.length >= 8 + pending.readUInt32LE(0)) {
			const length = pending.readUInt32LE(0);
			const out = Buffer.alloc(56);
			out.writeUInt32LE(length, 0);
			if (failed === undefined) stdout.write(`${JSON.stringify({ retval: 0, out: out.toString("hex") })}\n`);
			pending = pending.subarray(8 + length);
			packets++;
		}
	}
	const error = failed && { code: failed.code, message: failed.message };
	stdout.end(`${JSON.stringify(error ? { ok: false, error } : { ok: true, packets })}\n`);
}

function refusal(code: string, message: string, exit: 1 | 3 = 1): LoaderError {
	return new LoaderError(code as `LOAD_${string}`, message, { exit });
}

/** The command line of kfn-load, as far as the host uses it: `--root DIR COMMAND …`. */
async function main(argv: readonly string[]): Promise<void> {
	const [, root = "/", command, ...args] = argv;
	const loader = fakeLoader(new FakeKernel(root));
	try {
		console.log(JSON.stringify(await answerOf(loader, command ?? "", args)));
	} catch (error) {
		if (!(error instanceof LoaderError)) throw error;
		const { code, message, hint, details } = error;
		console.log(JSON.stringify({ ok: false, error: { code, message, hint, details } }));
		process.exitCode = error.exit;
	}
}

async function answerOf(loader: Loader, command: string, args: readonly string[]): Promise<unknown> {
	if (command === "lock") {
		await loader.lock(3);
		return { ok: true };
	}
	if (command === "probe") return loader.probe();
	if (command === "kernel-keys") return loader.kernelKeys();
	if (command === "lockdown") return loader.lockdown("status");
	if (command === "inspect") return loader.inspect(args.filter((arg) => arg !== "--netns"));
	if (command === "scopes") return loader.scopes(args);
	if (command === "watch") return watchUntilStdinEnds(loader, args);
	const plan = parsePlan(readFileSync(0));
	// PLAN [--leave FUNCTION SCOPE]…
	const mayStay = plan.functions.filter(({ function: name, scope }) =>
		args.some((arg, i) => arg === "--leave" && args[i + 1] === name && args[i + 2] === scope),
	);
	if (command === "prove") return loader.prove(plan);
	return command === "apply" ? loader.apply(plan, 3, mayStay) : loader.check(plan, mayStay);
}

async function watchUntilStdinEnds(loader: Loader, args: readonly string[]): Promise<WatchAnswer> {
	const functions = args.flatMap((name, i) =>
		i % 2 === 0 ? [{ function: name, scope: args[i + 1] ?? "" }] : [],
	);
	const watching = await loader.watch(functions);
	console.log(JSON.stringify({ watching: functions.length }));
	for await (const _ of process.stdin);
	return watching.end();
}

// Bundled into another program, this module is not the one that was started.
if (import.meta.main && process.argv[1]?.endsWith("fake-kfn-load.ts")) await main(process.argv.slice(2));
