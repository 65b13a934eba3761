// What a change would meet, without the change: what the kernel has, and whether each function is verified, loads, answers
// every vector and finds its hook free. Refuses to attach anything; the store is as before when it is done.
import type { Bundle } from "#bundle/bundle.ts";
import type { Config } from "#bundle/config.ts";
import {
	demandFreeHook,
	demandNoForeign,
	demandNoOverlap,
	foreignPrograms,
	placedHooks,
	storedHooks,
} from "./conflicts.ts";
import { gravest, HostError, LoaderError } from "./errors.ts";
import { functionScope } from "./function-scope.ts";
import { readCurrentPlan } from "./generations.ts";
import type { Host, OnStep } from "./host.ts";
import type { CheckAnswer, ProbeAnswer } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { goneOf } from "./places.ts";
import { emptyPlan, keyOf, type PlanFunction } from "./plan.ts";
import { recover, sweep } from "./recover.ts";
import { parseScope } from "./scope.ts";
import { importBundle } from "./store.ts";
import { openVerified, planFunctionOf } from "./verified-bundle.ts";

type LoadedFunction = CheckAnswer["functions"][number];

/** Yes, no, or could not tell; with the reason. */
export type Found = NonNullable<ProbeAnswer["bpffs"]>;

export interface PreflightFunction {
	readonly function: string;
	readonly abi: number;
	readonly scope: string;
	readonly bundle: { readonly name: string; readonly version: string; readonly sha256: string };
	/** Whether it can be verified and loaded, and answers every vector. */
	readonly loads: Found;
	readonly variant: string | null;
	readonly verified: LoadedFunction["verified"] | null;
	/** Vectors that were run, all with the answer that they must get. */
	readonly vectors: number | null;
	readonly programs: readonly LoadedFunction["programs"][number][];
	/** Whether the hook in the scope is free, or is this function's already. */
	readonly hook: Found;
	/** Why it does not load, as the loader says it; details may have the failed vector, or the verifier's log. */
	readonly error: {
		readonly code: string;
		readonly message: string;
		readonly hint: string | null;
		readonly details: Readonly<Record<string, unknown>>;
	} | null;
}

/** `kfn preflight --json` (docs/formats/host-state.md). */
export interface PreflightReport {
	/** Whether everything that was looked at is `yes`. */
	readonly ready: boolean;
	readonly kernel: string;
	readonly features: Readonly<Record<string, Found>>;
	readonly bpffs: Found;
	/** Whether the kernel itself checks signatures: nothing needs it. */
	readonly kernelSignatures: Found;
	readonly functions: readonly PreflightFunction[];
	/** The gravest of the exit codes that the errors alone would have; 0 where there is none. */
	readonly exit: number;
}

export interface PreflightRequest {
	/** The archive's bytes; without it, every function of the current generation. */
	readonly bundle?: Uint8Array | undefined;
	readonly scope?: string | undefined;
	readonly config?: Config | undefined;
	readonly onStep?: OnStep | undefined;
}

/** Looks, loads and tries; what fails is in the report. Throws what {@link openVerified} refuses of a bundle. */
export async function preflight(lock: HostLock, request: PreflightRequest): Promise<PreflightReport> {
	const { host } = lock;
	await recover(lock, request.onStep);
	const bundle = request.bundle && (await openVerified(host, request.bundle, request.onStep));
	try {
		if (bundle !== undefined) importBundle(lock, bundle);
		const entries = bundle === undefined ? planned(host, request.scope) : [entryOf(host, bundle, request)];
		const probe = await host.loader.probe();
		const functions: [PreflightFunction, number][] = [];
		for (const entry of entries) {
			request.onStep?.({ step: "preflight", detail: `${entry.bundle.name} in ${entry.scope}` });
			functions.push(await tried(host, entry));
		}
		return reportOf(probe, functions);
	} finally {
		// What no generation names leaves the store again.
		sweep(lock);
	}
}

function planned(host: Host, scope: string | undefined): readonly PlanFunction[] {
	const { functions } = readCurrentPlan(host);
	return scope === undefined ? functions : functions.filter((entry) => entry.scope === parseScope(scope));
}

function entryOf(host: Host, bundle: Bundle, { scope, config }: PreflightRequest): PlanFunction {
	// Nothing is attached: what it would meet can be seen of an experimental one, too.
	return planFunctionOf(bundle, functionScope(bundle.manifest, scope, host.namespaces), config, true);
}

async function tried(host: Host, entry: PlanFunction): Promise<[PreflightFunction, number]> {
	const { function: name, abi, scope, bundle } = entry;
	const { name: bundleName, version, sha256 } = bundle;
	const hook = await hookOf(host, entry);
	const base = { function: name, abi, scope, bundle: { name: bundleName, version, sha256 }, hook };
	try {
		const { functions } = await host.loader.check({ ...emptyPlan(), functions: [entry] });
		const [loaded] = functions;
		if (loaded === undefined) throw new HostError("HOST_LOADER_ANSWER", "the loader checked nothing");
		const { variant, verified, vectors, programs } = loaded;
		const loads: Found = { have: "yes", reason: `as ${variant}, ${vectors.run} vectors` };
		return [{ ...base, loads, variant, verified, vectors: vectors.run, programs, error: null }, 0];
	} catch (error) {
		if (!(error instanceof LoaderError)) throw error;
		const { code, message, hint, details, exit } = error;
		// Without the right to ask, nobody knows what the kernel would say.
		const loads: Found = { have: code === "LOAD_NO_PRIVILEGE" ? "unknown" : "no", reason: message };
		const none = { variant: null, verified: null, vectors: null, programs: [] };
		return [{ ...base, loads, ...none, error: { code, message, hint: hint ?? null, details } }, exit];
	}
}

/** What an apply would refuse of the entry's place beside what is active, by the same rules. */
async function hookOf(host: Host, entry: PlanFunction): Promise<Found> {
	if (entry.scope === "none") return { have: "yes", reason: "it needs none: it runs only as a test" };
	if ((await goneOf(host, [entry])).has(keyOf(entry))) {
		const what = entry.scope.startsWith("dev:") ? "device" : "namespace";
		return { have: "no", reason: `the ${what} does not exist` };
	}
	const active = readCurrentPlan(host).functions;
	const here = active.find((other) => keyOf(other) === keyOf(entry));
	if (here !== undefined && here.bundle.name !== entry.bundle.name) {
		return { have: "no", reason: `${here.bundle.name} provides ${entry.function} there` };
	}
	const others = active.filter((other) => other !== here).map((other) => storedHooks(host, other));
	const [wanted, ...placed] = await placedHooks(host, [storedHooks(host, entry), ...others]);
	const { found, unseen } = await foreignPrograms(host, wanted!.places);
	try {
		demandNoOverlap(entry, active);
		demandFreeHook(host, wanted!, placed);
		demandNoForeign(wanted!, found);
	} catch (error) {
		if (!(error instanceof HostError)) throw error;
		return { have: "no", reason: error.message };
	}
	if (unseen !== undefined) return { have: "unknown", reason: unseen };
	return { have: "yes", reason: here === undefined ? "free" : "kfn's own, which would be swapped or kept" };
}

const UNTOLD: Found = { have: "unknown", reason: "the loader does not say" };

function reportOf(probe: ProbeAnswer, tries: readonly [PreflightFunction, number][]): PreflightReport {
	const { kernel, features, bpffs = UNTOLD, kernelSignatures = UNTOLD } = probe;
	const functions = tries.map(([entry]) => entry);
	const exits = tries.map(([, exit]) => exit);
	const needed = [bpffs, ...functions.flatMap(({ loads, hook }) => [loads, hook])];
	return {
		ready: needed.every(({ have }) => have === "yes"),
		...{ kernel, features, bpffs, kernelSignatures, functions },
		exit: gravest(exits),
	};
}
