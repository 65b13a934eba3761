// Lines up the four views of a host (generation, store, pins, kernel) and names every place where they differ. Pure: refuses to repair.
import type { Applied } from "./generations.ts";
import type { ForeignProgram, InspectAnswer, Pin } from "./loader-answers.ts";
import { type PlacedFunction, plannedKey } from "./places.ts";
import { keyOf } from "./plan.ts";
import { mayCover, type Scope } from "./scope.ts";

/** Every way in which the views can differ (docs/formats/host-state.md has the same table, and a test compares). */
export const DRIFT_KINDS = {
	"unfinished-change": "a change was interrupted, or is under way",
	store: "the store lacks the bundle, or a file of it is not what the manifest names",
	untrusted: "its signatures are not those that this host trusts today: it runs on, but would not load again",
	"not-pinned": "nothing is pinned for a function of the generation: after a reboot, say",
	detached: "the pin is there, but its link is not attached any more",
	"namespace-gone": "the scope's namespace does not exist",
	"device-gone": "the scope's device does not exist",
	"namespace-replaced": "the scope's file names another namespace than the link is attached to",
	"other-program": "the attached program is not the one that the loader verified",
	unplanned: "something is pinned below kfn's folder that the generation does not have",
	"foreign-program": "a program that is not kfn's holds the hook in a scope of the generation",
} as const;

export type DriftKind = keyof typeof DRIFT_KINDS;

export interface Drift {
	readonly kind: DriftKind;
	readonly function: string | null;
	readonly scope: string | null;
	readonly message: string;
	readonly hint: string;
}

/** What was seen of the host; `kernel` is undefined where the loader could not look. */
export interface Views {
	/** The generation's functions, each in each of its places. */
	readonly places: readonly PlacedFunction[];
	readonly applied: Applied | undefined;
	/** Why the store cannot serve a function, by the plan's key. */
	readonly storeFaults: ReadonlyMap<string, string>;
	/** Why a stored bundle's signatures would not be taken today, by the plan's key. */
	readonly trustFaults: ReadonlyMap<string, string>;
	readonly kernel: InspectAnswer | undefined;
	readonly unfinished: string | undefined;
	/** Keys of places whose function a device runs instead of the kernel (offload/). */
	readonly given: ReadonlySet<string>;
	/** Scopes of the generation that describe many places. */
	readonly patterns: readonly Scope[];
}

const REPAIR = "kfn install of the same bundle attaches it again; kfn remove takes it out of the generation";

/** Every difference between the views, in the order of the plan, then of the pins. */
export function driftOf(views: Views): Drift[] {
	const { places, kernel } = views;
	const planned = new Set(places.map(keyOf));
	const isExtra = (pin: Pin) => !planned.has(keyOf(pin)) && !hasEnded(views, pin);
	return [
		...unfinishedDrift(views),
		...places.flatMap((entry) => [...storeDrift(views, entry), ...kernelDrift(views, entry)]),
		...(kernel?.pins ?? []).filter(isExtra).map(unplannedDrift),
		...(kernel?.foreign ?? []).map(foreignDrift),
	];
}

/** A namespace of a pattern, or a device of a driver or bus, ended: what is left of it is nobody's fault, and goes with the next change. */
function hasEnded({ patterns }: Views, pin: Pin): boolean {
	return pin.link?.alive !== true && patterns.some((pattern) => mayCover(pattern, pin.scope as Scope));
}

/** Says whether the kernel runs what the generation says for this function; null where nobody could look. */
export function isRunning(views: Views, entry: PlacedFunction): boolean | null {
	if (entry.scope === "none") return false;
	return views.kernel === undefined ? null : kernelDrift(views, entry).length === 0;
}

function unfinishedDrift({ unfinished }: Views): Drift[] {
	if (unfinished === undefined) return [];
	return [
		{
			kind: "unfinished-change",
			function: null,
			scope: null,
			message: `a change is unfinished: ${unfinished}`,
			hint: "if no kfn is at work, the next changing command recovers",
		},
	];
}

function storeDrift({ storeFaults, trustFaults }: Views, entry: PlacedFunction): Drift[] {
	const key = plannedKey(entry);
	const fault = storeFaults.get(key);
	if (fault !== undefined)
		return [at("store", entry, fault, "kfn install of the same bundle repairs the store")];
	const distrust = trustFaults.get(key);
	if (distrust === undefined) return [];
	const { name } = entry.bundle;
	const hint = `kfn trust add ${name} --key FILE trusts its publisher again; kfn remove ${name} takes it out`;
	return [at("untrusted", entry, `${name} would not load again: ${distrust}`, hint)];
}

function kernelDrift(views: Views, entry: PlacedFunction): Drift[] {
	if (views.kernel === undefined || entry.scope === "none" || views.given.has(keyOf(entry))) return [];
	const pin = views.kernel.pins.find((candidate) => keyOf(candidate) === keyOf(entry));
	const { inode } = entry;
	// Pid 1's namespace is always there, but not everyone may look at it.
	if (inode === undefined && entry.scope !== "netns:root") {
		const hint = "kfn remove takes it out of the generation";
		return entry.scope.startsWith("dev:")
			? [at("device-gone", entry, `the device of ${entry.scope} is gone`, hint)]
			: [at("namespace-gone", entry, `the namespace of ${entry.scope} is gone`, hint)];
	}
	if (pin === undefined)
		return [at("not-pinned", entry, `${entry.function} is not loaded in ${entry.scope}`, REPAIR)];
	if (pin.link?.alive !== true)
		return [at("detached", entry, `${entry.function} is detached from ${entry.scope}`, REPAIR)];
	if (inode !== undefined && pin.link.netnsInode !== inode) {
		return [at("namespace-replaced", entry, `${entry.scope} is another namespace than before`, REPAIR)];
	}
	return sameProgram(views.applied, entry, pin)
		? []
		: [at("other-program", entry, `another program runs as ${entry.function} in ${entry.scope}`, REPAIR)];
}

/** The link's program must be the pinned one, and have the kernel tags that the loader saw when it verified. */
function sameProgram(applied: Applied | undefined, entry: PlacedFunction, pin: Pin): boolean {
	const wanted = applied?.functions.find((candidate) => keyOf(candidate) === keyOf(entry));
	const seen = pin.programs.map((program) => program.kernelTag).join();
	const isPinned = pin.programs.some((program) => program.id === pin.pinnedProgramId);
	return (
		isPinned && (wanted === undefined || wanted.programs.map((program) => program.kernelTag).join() === seen)
	);
}

function unplannedDrift(pin: Pin): Drift {
	const message = `${pin.function} is pinned for ${pin.scope}, and the generation does not have it`;
	return at("unplanned", pin, message, "the next changing command detaches it");
}

function foreignDrift({ scope, hook, programId, name, owner }: ForeignProgram): Drift {
	return {
		kind: "foreign-program",
		function: null,
		scope,
		message: `program ${programId}${name === undefined ? "" : ` (${name})`} that is not kfn's ${hook.startsWith("tc-") ? "runs before kfn's at" : "holds"} the hook ${hook} in ${scope}: ${ownerText(owner)}`,
		hint: "kfn never replaces it: whoever attached it must detach it",
	};
}

/** Whom a program belongs to, in words; what the kernel does not tell is said to be unknown, never guessed. */
function ownerText(owner: ForeignProgram["owner"]): string {
	if (owner === undefined) return "whom it belongs to is unknown";
	const { createdByUid, linkId, pins, holders, complete } = owner;
	const held = holders.map(({ pid, name }) => `pid ${pid}${name === "" ? "" : ` (${name})`}`);
	const known = [
		`loaded by uid ${createdByUid}`,
		...(held.length === 0 ? [] : [`held by ${held.join(", ")}`]),
		...(pins.length === 0 ? [] : [`pinned at ${pins.join(", ")}`]),
		linkId === null ? "attached without a link" : `attached by link ${linkId}`,
	].join(", ");
	if (held.length > 0 || pins.length > 0) return known;
	return `${known}; ${complete ? "no process and no pin holds it, so the kernel does not tell whose it is" : "there was too much to look at to find whose it is"}`;
}

function at(
	kind: DriftKind,
	where: { readonly function: string; readonly scope: string },
	message: string,
	hint: string,
): Drift {
	return { kind, function: where.function, scope: where.scope, message, hint };
}
