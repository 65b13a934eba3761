// What an operator wants active, whole: a file of the form `kfn.state/1` (docs/formats/state.md). Refuses unknown fields, and two
// entries that ask for the same.
import { validRange } from "semver";
import type { Config } from "#bundle/config.ts";
import { parseBundleName } from "#bundle/name.ts";
import { decodeUtf8, parseStrictJson } from "#signing/strict-json.ts";
import { codeOf, HostError, withDetails } from "./errors.ts";
import { configValue, planScope } from "./plan.ts";
import type { Scope } from "./scope.ts";
import { exact, listOf, mapOf, oneOf, type Shape, ShapeError, text } from "./shape.ts";

/** One function that shall be active. */
export interface DesiredFunction {
	/** The bundle's name. */
	readonly bundle: string;
	/** A version or a range of versions; any unless given. */
	readonly version: string;
	readonly scope: Scope;
	/** Parameters that are not at the bundle's defaults. */
	readonly set: Config;
	/** Wanted although its publisher calls it experimental. */
	readonly experimental?: true;
}

export interface DesiredState {
	/** Everything: what is not named is removed. */
	readonly functions: readonly DesiredFunction[];
}

const SIZE_LIMIT = 4 * 1024 * 1024;
const MOST_FUNCTIONS = 4096;

const bundleName: Shape<string> = (value, where) => {
	try {
		return parseBundleName(text(value, where));
	} catch {
		throw new ShapeError(where, "a bundle name");
	}
};

const range: Shape<string> = (value, where) => {
	const found = text(value, where);
	if (found !== "" && found.length <= 256 && validRange(found) !== null) return found;
	throw new ShapeError(where, "a version or a range of versions, such as 1.0.1 or ^1.2");
};

const shape = exact({
	schema: oneOf("kfn.state/1"),
	functions: listOf(
		exact(
			{ bundle: bundleName, scope: planScope },
			{ version: range, set: mapOf(configValue), experimental: oneOf(true) },
		),
		MOST_FUNCTIONS,
	),
});

/** Parses a desired state; `source` names it in the HOST_DESIRED_MALFORMED that anything undocumented gets. */
export function parseDesiredState(bytes: Uint8Array, source = "state"): DesiredState {
	try {
		const decoded = decodeUtf8(bytes, SIZE_LIMIT);
		const document = decoded === undefined ? undefined : parseStrictJson(decoded);
		if (document === undefined)
			throw new ShapeError("", `strict JSON in UTF-8, each field once, at most ${SIZE_LIMIT} bytes`);
		const functions = shape(document, "").functions.map(({ version = "*", set = {}, ...entry }) => ({
			...entry,
			version,
			set,
		}));
		demandOnce(functions);
		return { functions };
	} catch (cause) {
		throw new HostError("HOST_DESIRED_MALFORMED", `${source}: ${(cause as Error).message}`, {
			hint: "docs/formats/state.md describes the form, kfn.state/1",
			details: { source },
			cause,
		});
	}
}

function demandOnce(functions: readonly DesiredFunction[]): void {
	const seen = new Set<string>();
	for (const [i, { bundle, scope }] of functions.entries()) {
		if (seen.has(`${bundle} ${scope}`))
			throw new ShapeError(`.functions[${i}]`, "a bundle only once in a scope");
		seen.add(`${bundle} ${scope}`);
	}
}

/** Runs `work` for one entry; what it throws names the entry, in its message and in `details.entry`. */
export async function forEntry<T>(
	index: number,
	{ bundle, scope }: DesiredFunction,
	work: () => Promise<T> | T,
): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (codeOf(error) === "" || !(error instanceof Error)) throw error;
		error.message = `functions[${index}], ${bundle} in ${scope}: ${error.message}`;
		throw withDetails(error, { entry: { index, bundle, scope } });
	}
}
