// The plan of a generation, `kfn.plan/1`: what is active, where, from which bytes. Refuses unknown fields, any other
// order than (function, scope), and a function twice in one scope.
import { type Config, configDigest } from "#bundle/config.ts";
import { decodeUtf8, parseStrictJson } from "#signing/strict-json.ts";
import { HostError } from "./errors.ts";
import { parseScope, type Scope } from "./scope.ts";
import { count, exact, listOf, mapOf, matching, oneOf, type Shape, ShapeError, text } from "./shape.ts";

/** One function of a plan (docs/formats/plan.md). */
export interface PlanFunction {
	readonly function: string;
	readonly abi: number;
	readonly scope: Scope;
	readonly bundle: {
		readonly name: string;
		readonly version: string;
		/** Digest of the archive, which names the store entry. */
		readonly sha256: string;
		readonly manifestSha256: string;
	};
	readonly tag: string;
	readonly config: Config;
	readonly configDigest: string;
	/** Somebody said that they want the bundle although it is experimental; absent for those that are not. */
	readonly experimental?: true;
}

export interface Plan {
	readonly schema: "kfn.plan/1";
	readonly generation: number;
	readonly created: string;
	readonly reason: string;
	readonly functions: readonly PlanFunction[];
}

/** Those of the loader (docs/formats/plan.md): a plan that it would refuse at boot is none. */
const SIZE_LIMIT = 4 * 1024 * 1024;
const FUNCTION_LIMIT = 4096;
const hex = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const name = matching(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/, "a name");
export const planScope: Shape<Scope> = (value, where) => {
	try {
		return parseScope(text(value, where));
	} catch {
		throw new ShapeError(where, "a scope");
	}
};
export const time = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "a time in UTC with milliseconds");

const positive: Shape<number> = (value, where) => {
	if (value === 0) throw new ShapeError(where, "1 or more");
	return count(value, where);
};

/** A parameter's value: what docs/formats/bundle.md allows; the manifest decided when the plan was made. */
export const configValue: Shape<Config[string]> = (value, where) => {
	if (typeof value === "string" || typeof value === "number") return value;
	if (Array.isArray(value) && typeof value[0] === "string") return listOf(text)(value, where);
	return listOf(count)(value, where);
};

const planFunction: Shape<PlanFunction> = exact(
	{
		function: name,
		abi: positive,
		scope: planScope,
		bundle: exact({
			name,
			version: matching(/^[0-9A-Za-z.+-]{1,64}$/, "a version"),
			sha256: hex,
			manifestSha256: hex,
		}),
		tag: matching(/^kfn1:[0-9a-f]{64}$/, "a tag"),
		config: mapOf(configValue),
		configDigest: hex,
	},
	{ experimental: oneOf(true) },
);

const planShape: Shape<Plan> = exact({
	schema: oneOf("kfn.plan/1"),
	generation: count,
	created: time,
	reason: text,
	functions: listOf(planFunction, FUNCTION_LIMIT),
});

/** Parses a plan; `source` names it in the HOST_PLAN_MALFORMED that anything undocumented gets. */
export function parsePlan(bytes: Uint8Array | string, source = "plan"): Plan {
	try {
		const decoded = decodeUtf8(typeof bytes === "string" ? Buffer.from(bytes) : bytes, SIZE_LIMIT);
		if (decoded === undefined) throw new ShapeError("", `UTF-8 of at most ${SIZE_LIMIT} bytes`);
		// Strict: of two fields with one name, the loader and this reader could each take another.
		const document = parseStrictJson(decoded);
		if (document === undefined) throw new ShapeError("", "JSON with each field once");
		const plan = planShape(document, "");
		checkOrder(plan.functions);
		for (const entry of plan.functions) checkConfig(entry);
		return plan;
	} catch (error) {
		throw new HostError("HOST_PLAN_MALFORMED", `${source}: ${(error as Error).message}`, {
			hint: "kfn rollback N takes up another generation (kfn history shows them)",
			details: { source },
			cause: error,
		});
	}
}

/** The canonical text of a plan: documented order of keys, two spaces, a final newline. */
export function serializePlan(plan: Plan): string {
	const ordered = {
		schema: plan.schema,
		generation: plan.generation,
		created: plan.created,
		reason: plan.reason,
		functions: plan.functions.map(orderFunction),
	};
	return `${JSON.stringify(ordered, null, 2)}\n`;
}

/** Generation 0: nothing of kfn's is active. It has no folder and is never written. */
export function emptyPlan(): Plan {
	return {
		schema: "kfn.plan/1",
		generation: 0,
		created: "1970-01-01T00:00:00.000Z",
		reason: "",
		functions: [],
	};
}

/** What identifies a function of a plan: at most one provider per function and scope (design §2). */
export function keyOf(entry: { readonly function: string; readonly scope: string }): string {
	return `${entry.function} ${entry.scope}`;
}

/** The functions in the plan's order, with `changes` laid over `base` (`null` takes one out). */
export function mergeFunctions(
	base: readonly PlanFunction[],
	changes: ReadonlyMap<string, PlanFunction | null>,
): PlanFunction[] {
	const merged = new Map<string, PlanFunction | null>([
		...base.map((f) => [keyOf(f), f] as const),
		...changes,
	]);
	return [...merged.values()].filter((f) => f !== null).sort(byKey);
}

/** Says whether two plans' functions ask for the same. */
export function sameFunctions(a: readonly PlanFunction[], b: readonly PlanFunction[]): boolean {
	return JSON.stringify(a.map(orderFunction)) === JSON.stringify(b.map(orderFunction));
}

function orderFunction(entry: PlanFunction): PlanFunction {
	const { name: bundleName, version, sha256, manifestSha256 } = entry.bundle;
	return {
		function: entry.function,
		abi: entry.abi,
		scope: entry.scope,
		bundle: { name: bundleName, version, sha256, manifestSha256 },
		tag: entry.tag,
		config: entry.config,
		configDigest: entry.configDigest,
		...(entry.experimental === undefined ? {} : { experimental: true }),
	};
}

function checkOrder(functions: readonly PlanFunction[]): void {
	functions.forEach((entry, i) => {
		const previous = functions[i - 1];
		if (previous === undefined) return;
		const order = byKey(previous, entry);
		if (order === 0) throw new ShapeError(`.functions[${i}]`, "a function only once in a scope");
		if (order > 0) throw new ShapeError(`.functions[${i}]`, "functions sorted by (function, scope)");
	});
}

function checkConfig(entry: PlanFunction): void {
	if (configDigest(entry.config) !== entry.configDigest) {
		throw new ShapeError(`.functions ${keyOf(entry)}`, "the digest of its config");
	}
}

function byKey(a: PlanFunction, b: PlanFunction): number {
	return compareBytes(a.function, b.function) || compareBytes(a.scope, b.scope);
}

function compareBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
