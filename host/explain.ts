// What is active for a function, place by place, and why: the kernel's own C code, a bundle, a device, or somebody else's program.
// Takes no lock; refuses to say "kernel" where the kernel could not be looked at.
import { KERNEL_FUNCTIONS } from "./advisories/names.ts";
import { HostError, LoaderError } from "./errors.ts";
import { generationNumbers, planOrUndefined } from "./generations.ts";
import { type HistoryEntry, history } from "./history.ts";
import type { Host } from "./host.ts";
import { namespaceFile, parseScope, type Scope, scopeParts } from "./scope.ts";
import { type StatusFunction, type StatusReport, status } from "./status.ts";

/** `kernel`: its own C code. `foreign`: a program on the hook that is not kfn's. `unknown`: the loader could not look. */
export type ActiveCode = "bundle" | "device" | "kernel" | "foreign" | "unknown";

export interface Explanation {
	/** One place; `elsewhere`: all that is not listed. */
	readonly scope: string;
	readonly active: ActiveCode;
	/** What the generation has there, whether it runs or not; null where it has nothing. */
	readonly bundle: { readonly name: string; readonly version: string; readonly tag: string } | null;
	/** In the order of what decides. */
	readonly because: readonly string[];
}

/** `kfn explain --json` (docs/formats/history.md). */
export interface ExplainReport {
	readonly function: string;
	readonly generation: number;
	readonly places: readonly Explanation[];
}

/**
 * Every place that the generation names for the function, `scope` where one is asked about, and everywhere else.
 *
 * HOST_NOT_INSTALLED for a function of which neither this host nor the kernel knows anything; HOST_SCOPE_MALFORMED.
 */
export async function explain(
	host: Host,
	{ function: name, scope }: { readonly function: string; readonly scope?: string | undefined },
): Promise<ExplainReport> {
	const asked = scope === undefined ? undefined : parseScope(scope);
	demandKnown(host, name);
	const report = await status(host);
	const { generations } = history(host);
	const here = report.functions.filter((one) => one.function === name);
	const seen = here.filter((one) => asked === undefined || one.scope === asked || one.planned === asked);
	const places = seen.map((one) => placeOf(report, one, generations));
	const rest = asked ?? "elsewhere";
	if (asked === undefined || places.length === 0) {
		const seenThere = asked === undefined ? report : await lookedAt(host, report, asked);
		places.push(restOf(seenThere, name, rest, generations));
	}
	return { function: name, generation: report.generation, places };
}

/** With the programs of others in a namespace of which the generation has nothing, and at which status does not look. */
async function lookedAt(host: Host, report: StatusReport, asked: Scope): Promise<StatusReport> {
	if (report.unseen !== null || scopeParts(asked).kind !== "netns") return report;
	try {
		const { foreign } = await host.loader.inspect([namespaceFile(asked)]);
		return { ...report, foreign: foreign.map((program) => ({ ...program, scope: asked })) };
	} catch (error) {
		if (!(error instanceof LoaderError)) throw error;
		return { ...report, unseen: { code: error.code, message: error.message, hint: error.hint ?? null } };
	}
}

/** What differs there, and what holds the hook or runs before it. */
function driftAt(
	{ drift }: StatusReport,
	{ function: name, scope, planned }: StatusFunction,
): readonly string[] {
	const isHere = (at: string | null) => at === scope || at === planned;
	return drift
		.filter((entry) => isHere(entry.scope) && (entry.function ?? name) === name)
		.map(({ message }) => message);
}

/** A mistyped name would get a confident answer otherwise. */
function demandKnown(host: Host, name: string): void {
	const planned = generationNumbers(host).flatMap((n) => planOrUndefined(host, n)?.functions ?? []);
	const known = new Set<string>([...KERNEL_FUNCTIONS, ...planned.map((entry) => entry.function)]);
	if (known.has(name)) return;
	throw new HostError("HOST_NOT_INSTALLED", `no function ${name} is known here`, {
		hint: `known are ${[...known].sort().join(", ")}`,
		details: { function: name },
	});
}

function placeOf(
	report: StatusReport,
	one: StatusFunction,
	generations: readonly HistoryEntry[],
): Explanation {
	const { scope, planned, bundle: name, version, tag } = one;
	const bundle = { name, version, tag };
	const origin = originOf(generations, one.function, planned);
	const drift = driftAt(report, one);
	const given = one.offload?.find(({ state }) => state === "in");
	if (given !== undefined) {
		const why = `${given.device} was given the function: it runs the same tag, so that the kernel need not`;
		return { scope, active: "device", bundle, because: [why, origin] };
	}
	const out = (one.offload ?? []).map(({ device, why }) => `${device} is out: ${why ?? "a step was begun"}`);
	if (scope === "none") {
		const why =
			"the kernel has no hook for it: the bundle answers test runs, and the kernel's own code goes on";
		return { scope, active: "kernel", bundle, because: [why, origin] };
	}
	if (one.running === null) return { scope, active: "unknown", bundle, because: [unseenOf(report), origin] };
	if (one.running && one.programs.every(({ id }) => id === null)) {
		return { scope, active: "kernel", bundle, because: ["nothing that it describes is here now", origin] };
	}
	if (one.running) {
		const verified = `verified by the ${one.verified}${one.verifiedReason === null ? "" : `: ${one.verifiedReason}`}`;
		return { scope, active: "bundle", bundle, because: [origin, ...out, verified, ...drift] };
	}
	const foreign = report.foreign.find((program) => program.scope === scope);
	return {
		scope,
		active: foreign === undefined ? "kernel" : "foreign",
		bundle,
		because: [...drift, ...(drift.length === 0 ? ["it is not attached"] : []), ...out, origin],
	};
}

function restOf(
	report: StatusReport,
	name: string,
	scope: string,
	generations: readonly HistoryEntry[],
): Explanation {
	if (report.unseen !== null) return { scope, active: "unknown", bundle: null, because: [unseenOf(report)] };
	const foreign = report.foreign.find((program) => program.scope === scope && isHeldBy(name, program.hook));
	const holder =
		foreign === undefined
			? []
			: [`program ${foreign.programId} of somebody else holds the hook ${foreign.hook}`];
	const before = scope === "elsewhere" ? undefined : lastChange(generations, name, scope);
	const why =
		report.generation === 0
			? "nothing of kfn's is active"
			: `generation ${report.generation} has no ${name} ${scope === "elsewhere" ? "there" : `in ${scope}`}`;
	return {
		scope,
		active: foreign === undefined ? "kernel" : "foreign",
		bundle: null,
		because: [...holder, why, ...(before === undefined ? [] : [changeText(before)])],
	};
}

/** A namespace's one hook is the dissector's; at a device's hooks programs run one after the other, and none holds it. */
const isHeldBy = (name: string, hook: string) => name === "flow-dissector" && !hook.startsWith("tc-");

const unseenOf = ({ unseen }: StatusReport) => `the kernel could not be looked at: ${unseen?.message ?? "?"}`;

/** The newest generation that changed the function in this scope. */
function lastChange(
	generations: readonly HistoryEntry[],
	name: string,
	scope: string,
): HistoryEntry | undefined {
	return generations.find(({ changes }) =>
		changes?.some((change) => change.function === name && change.scope === scope),
	);
}

function originOf(generations: readonly HistoryEntry[], name: string, scope: string): string {
	const found = lastChange(generations, name, scope);
	return found === undefined ? "the generation that brought it is gone" : changeText(found);
}

const changeText = ({ generation, created, reason }: HistoryEntry) =>
	`generation ${generation} (${created ?? "?"}): ${reason ?? "?"}`;
