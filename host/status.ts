// What runs here and whether it is what should run (design §10). Takes no lock; refuses to call a host good that it could not look at.

import type { Config } from "#bundle/config.ts";
import { programDigests } from "#bundle/instructions.ts";
import { SigningError } from "#signing/errors.ts";
import { parseKernelSignatures } from "#signing/kernel/signature-file.ts";
import { publisherFor } from "#signing/publishers.ts";
import { verifyManifest } from "#signing/verify.ts";
import { type Drift, driftOf, isRunning, type Views } from "./drift.ts";
import { codeOf, HostError, LoaderError } from "./errors.ts";
import { type Applied, readApplied, readCurrentPlan } from "./generations.ts";
import { goodGeneration, type Health, readHealth } from "./health.ts";
import type { Host } from "./host.ts";
import { readJournal } from "./journal.ts";
import type { ForeignProgram, InspectAnswer, Pin } from "./loader-answers.ts";
import { deviceWord } from "./offload/device.ts";
import { placeAt } from "./offload/judge.ts";
import { isIn, isSame, type OffloadEntry, readEntries } from "./offload/state.ts";
import { setParameters } from "./parameters.ts";
import { isWide, type PlacedFunction, placesOf, plannedKey } from "./places.ts";
import { keyOf, type Plan, type PlanFunction } from "./plan.ts";
import { publishersInForce } from "./publishers.ts";
import { type RecallStatus, recallStatus } from "./recall/list-state.ts";
import { namespaceFile, ROOT_NAMESPACE, scopeParts } from "./scope.ts";
import { unlessDamaged } from "./state-file.ts";
import { hasKernelSignatures, openStored } from "./store.ts";
import { type TrustStatus, trustStatus } from "./trust-state/report.ts";
import { type VerifiedBy, verifiedBy } from "./verified-by.ts";

export interface StatusProgram {
	readonly name: string;
	/** The kernel's id; null where the program is not loaded. */
	readonly id: number | null;
	/** The kernel's own hash of the loaded instructions (16 hex digits); null where the program is not loaded. */
	readonly kernelTag: string | null;
	/** sha256 of the object's instructions; null where relocations change them. */
	readonly insnsDigest: string | null;
	/** Runs and their nanoseconds, where the kernel counts them (sysctl kernel.bpf_stats_enabled). */
	readonly runCount: number | null;
	readonly runNanoseconds: number | null;
	/** Unix seconds; null where unknown. */
	readonly loadedAt: number | null;
}

export interface StatusFunction extends VerifiedBy {
	readonly function: string;
	readonly abi: number;
	/** One place; the plan's own scope where that describes many and none is there now. */
	readonly scope: string;
	/** The plan's scope. */
	readonly planned: string;
	readonly bundle: string;
	readonly version: string;
	readonly tag: string;
	readonly sha256: string;
	/** Every parameter with its effective value. */
	readonly config: Config;
	readonly configDigest: string;
	/** The parameters that are not at their defaults; null where the stored manifest cannot say. */
	readonly set: Config | null;
	/** Whether the stored bundle carries signatures for the kernel. */
	readonly kernelSigned: boolean;
	/** Null where the kernel could not be looked at. */
	readonly running: boolean | null;
	readonly programs: readonly StatusProgram[];
	/** The devices that were given the function (docs/formats/offload.md); null where none was. */
	readonly offload: readonly StatusOffload[] | null;
}

/** A device that was given a function: `in`, it runs it, `out`, the kernel does, or `pending`, a step was begun. */
export interface StatusOffload {
	readonly device: string;
	readonly state: "in" | "out" | "pending";
	/** Why it is out. */
	readonly why: string | null;
}

/** A generation's own mark (docs/formats/host-state.md, health.json), without the counters. */
export type StatusMark = Pick<Health, "state" | "at" | "kernels" | "by" | "reason">;

/** `kfn status --json` (docs/formats/host-state.md). */
export interface StatusReport {
	/** 0: nothing of kfn's is active. */
	readonly generation: number;
	/**
	 * `good`: the four views agree. `pending`: a change is under way or was interrupted. `drift`: they differ.
	 * `unknown`: the loader could not look at the kernel.
	 */
	readonly health: "good" | "pending" | "drift" | "unknown";
	/** The generation that was good last, which a boot falls back to; 0: none was. */
	readonly good: number;
	/** What is known of this generation; null where nobody marked it yet. */
	readonly mark: StatusMark | null;
	readonly functions: readonly StatusFunction[];
	readonly drift: readonly Drift[];
	/** Programs of others on the hooks of the generation's scopes, with whom they belong to. */
	readonly foreign: readonly ForeignProgram[];
	/** Why the kernel could not be looked at; null where it was. */
	readonly unseen: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
	/** What this host may believe of its registry (docs/formats/trust-state.md). */
	readonly trust: TrustStatus;
	/** Whether a recall could be withheld from this host (docs/formats/recall.md). */
	readonly recall: RecallStatus;
}

/** Looks at generation, store, pins and kernel; throws only where the generation itself cannot be read. */
export async function status(host: Host): Promise<StatusReport> {
	const plan = readCurrentPlan(host);
	const { kernel, unseen, places } = await look(host, plan);
	const entries = knownEntries(host);
	const views: Views = {
		places,
		applied: unlessDamaged(() => readApplied(host, plan.generation)),
		...(await faultsOf(host, plan)),
		kernel,
		unfinished: unfinishedOf(host),
		given: new Set(places.filter((place) => isGiven(host, entries, place)).map(keyOf)),
		patterns: plan.functions.map(({ scope }) => scope).filter(isWide),
	};
	const drift = driftOf(views);
	return {
		generation: plan.generation,
		health: healthOf(views, drift),
		good: goodGeneration(host),
		mark: markOf(host, plan),
		functions: plan.functions.flatMap((entry) => statusFunctions(host, views, entry, entries)),
		drift,
		foreign: views.kernel?.foreign ?? [],
		unseen,
		trust: trustStatus(host),
		recall: recallStatus(host),
	};
}

function markOf(host: Host, { generation }: Plan): StatusMark | null {
	const health = readHealth(host, generation);
	if (health === undefined) return null;
	const { state, at, kernels, by, reason } = health;
	return { state, at, kernels, by, reason };
}

interface Look {
	readonly kernel: InspectAnswer | undefined;
	readonly unseen: StatusReport["unseen"];
	readonly places: readonly PlacedFunction[];
}

async function look(host: Host, { functions }: Plan): Promise<Look> {
	try {
		const places = await placesOf(host, functions);
		const present = places.filter(
			({ inode, scope }) => inode !== undefined && scopeParts(scope).kind === "netns",
		);
		const files = new Set(present.map((entry) => namespaceFile(entry.scope)));
		const kernel = await host.loader.inspect([...files]);
		return {
			kernel: { ...kernel, foreign: foreignOf(kernel) },
			unseen: null,
			places: await placesOf(host, functions, kernel.pins),
		};
	} catch (error) {
		if (!(error instanceof LoaderError) && !(error instanceof HostError)) throw error;
		// Without a bpffs there are no pins: where nothing should run, that is as it should be.
		if (error.code === "LOAD_BPFFS_NOT_MOUNTED" && functions.length === 0) {
			return { kernel: { ok: true, pins: [], foreign: [] }, unseen: null, places: [] };
		}
		return {
			kernel: undefined,
			unseen: { code: error.code, message: error.message, hint: error.hint ?? null },
			places: functions.map((entry) => ({ ...entry, planned: entry.scope, inode: undefined, ifindex: null })),
		};
	}
}

/** The loader names a namespace by the file that it was asked about: the scope's own words again, each program once. */
function foreignOf(kernel: InspectAnswer): InspectAnswer["foreign"] {
	const named = kernel.foreign.map((program) =>
		program.scope === `netns:${ROOT_NAMESPACE}` ? { ...program, scope: "netns:root" } : program,
	);
	return [...new Map(named.map((program) => [`${program.scope} ${program.programId}`, program])).values()];
}

function healthOf(views: Views, drift: readonly Drift[]): StatusReport["health"] {
	if (views.unfinished !== undefined) return "pending";
	if (drift.length > 0) return "drift";
	return views.kernel === undefined ? "unknown" : "good";
}

/** One for each place. Of a scope that describes many and matches nothing, one that says so: it is as it should be. */
function statusFunctions(
	host: Host,
	views: Views,
	entry: PlanFunction,
	entries: readonly OffloadEntry[],
): StatusFunction[] {
	const places = views.places.filter((place) => plannedKey(place) === keyOf(entry));
	if (places.length > 0) return places.map((place) => statusFunction(host, views, place, entries));
	const nowhere = { ...entry, planned: entry.scope, inode: undefined, ifindex: null };
	return [
		{ ...statusFunction(host, views, nowhere, entries), running: views.kernel === undefined ? null : true },
	];
}

function statusFunction(
	host: Host,
	views: Views,
	entry: PlacedFunction,
	entries: readonly OffloadEntry[],
): StatusFunction {
	const applied = views.applied?.functions.find((candidate) => keyOf(candidate) === keyOf(entry));
	const pin = views.kernel?.pins.find((candidate) => keyOf(candidate) === keyOf(entry));
	return {
		function: entry.function,
		abi: entry.abi,
		scope: entry.scope,
		planned: entry.planned,
		bundle: entry.bundle.name,
		version: entry.bundle.version,
		tag: entry.tag,
		sha256: entry.bundle.sha256,
		config: entry.config,
		configDigest: entry.configDigest,
		set: setParameters(host, entry) ?? null,
		...verifiedBy(applied, pin),
		kernelSigned: hasKernelSignatures(host, entry.bundle.sha256),
		running: isRunning(views, entry),
		programs: programsOf(applied, pin),
		offload: offloadOf(host, entry, entries),
	};
}

/** Status is for a damaged host, too: one that does not say which devices it gave something. */
function knownEntries(host: Host): readonly OffloadEntry[] {
	try {
		return readEntries(host);
	} catch (error) {
		if (codeOf(error) !== "OFFLOAD_STATE_MALFORMED") throw error;
		return [];
	}
}

const isGiven = (host: Host, entries: readonly OffloadEntry[], place: PlacedFunction) =>
	entries.some(
		(one) =>
			one.device === place.scope &&
			one.function === place.function &&
			isIn(host, one) &&
			isSame(one.letIn, place),
	);

function offloadOf(
	host: Host,
	place: PlacedFunction,
	entries: readonly OffloadEntry[],
): StatusOffload[] | null {
	const given = entries.filter((one) => placeAt(host, [place], one.device, one.function) !== undefined);
	if (given.length === 0) return null;
	return given.map((one) => {
		const isPending = one.state === "entering" || one.state === "leaving";
		const state = isPending ? "pending" : isIn(host, one) ? "in" : "out";
		const why = one.state === "in" && state === "out" ? "the machine was started again" : one.why;
		return { device: deviceWord(one.device), state, why };
	});
}

/** Programs as they are in the kernel, in the order that the loader gave when it loaded them. */
function programsOf(
	applied: Applied["functions"][number] | undefined,
	pin: Pin | undefined,
): StatusProgram[] {
	const known = applied?.programs ?? [];
	const extra = (pin?.programs ?? []).filter(
		(program) => !known.some((entry) => kernelName(entry.name) === kernelName(program.name)),
	);
	return [...known, ...extra].map(({ name }) => {
		const seen = pin?.programs.find((program) => kernelName(program.name) === kernelName(name));
		return {
			name,
			id: seen?.id ?? null,
			kernelTag: seen?.kernelTag ?? null,
			insnsDigest: known.find((program) => program.name === name)?.insnsDigest ?? null,
			runCount: seen?.runCount ?? null,
			runNanoseconds: seen?.runNanoseconds ?? null,
			loadedAt: seen?.loadedAt ?? null,
		};
	});
}

/** The kernel keeps 15 characters of a program's name (BPF_OBJ_NAME_LEN, linux/bpf.h). */
function kernelName(name: string): string {
	return name.slice(0, 15);
}

/** What would keep the bundles of a plan from being loaded again, as far as files can tell. */
async function faultsOf(host: Host, plan: Plan): Promise<Pick<Views, "storeFaults" | "trustFaults">> {
	const storeFaults = new Map<string, string>();
	const trustFaults = new Map<string, string>();
	for (const entry of plan.functions) {
		const { name, sha256, manifestSha256 } = entry.bundle;
		let into = storeFaults;
		try {
			const stored = openStored(host, sha256, manifestSha256);
			const { manifest, manifestBytes, signatureBytes } = stored;
			into = trustFaults;
			await verifyManifest(manifestBytes, signatureBytes, publisherFor(publishersInForce(host), name));
			parseKernelSignatures(stored.kernelSignatureBytes, programDigests(manifest));
		} catch (error) {
			if (!(error instanceof HostError) && !(error instanceof SigningError)) throw error;
			into.set(keyOf(entry), error.message);
		}
	}
	return { storeFaults, trustFaults };
}

function unfinishedOf(host: Host): string | undefined {
	try {
		const journal = readJournal(host);
		return journal === undefined
			? undefined
			: `${journal.command} (generation ${journal.from} → ${journal.to})`;
	} catch (error) {
		if (codeOf(error) !== "HOST_STATE_MALFORMED") throw error;
		return "its journal is damaged";
	}
}
