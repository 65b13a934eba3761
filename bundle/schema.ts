// Checks JSON documents against the schemas that are checked in beside this file. Knows nothing of what they mean.
import type { ErrorObject, SchemaObject, ValidateFunction } from "ajv/dist/2020.js";
import { plain } from "./plain.ts";
import { compileSchema } from "./schema-compiler.ts";

export type SchemaAnswer<T> = { ok: true; value: T } | { ok: false; path: string; what: string };

/** Compiled on first use: a CLI command that reads no manifest must not pay for it. */
const compiled = new Map<SchemaObject, ValidateFunction>();

function validatorOf(schema: SchemaObject): ValidateFunction {
	const known = compiled.get(schema);
	if (known !== undefined) return known;
	const fresh = compileSchema(schema);
	compiled.set(schema, fresh);
	return fresh;
}

function tell(error: ErrorObject): string {
	const params = error.params as Record<string, unknown>;
	const extra = params["additionalProperty"] ?? params["propertyName"];
	if (typeof extra === "string") return `"${plain(extra)}" is not a known field`;
	if (error.keyword === "enum") return `must be one of ${(params["allowedValues"] as unknown[]).join(", ")}`;
	if (error.keyword === "const") return `must be ${JSON.stringify(params["allowedValue"])}`;
	return plain(error.message ?? error.keyword);
}

/** Says whether a parsed JSON value fits a schema; the first misfit as a JSON pointer and a short text. */
export function fits<T>(schema: SchemaObject, value: unknown): SchemaAnswer<T> {
	const validate = validatorOf(schema);
	if (validate(value)) return { ok: true, value: value as T };
	const error = validate.errors?.[0];
	if (error === undefined) return { ok: false, path: "/", what: "does not fit the schema" };
	return { ok: false, path: plain(error.instancePath) || "/", what: tell(error) };
}

/** Decodes strict UTF-8 (no byte order mark) and parses JSON; a text that says what is wrong instead of a throw. */
export function jsonOf(bytes: Uint8Array): { ok: true; value: unknown } | { ok: false; what: string } {
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		return { ok: false, what: "is not UTF-8" };
	}
	try {
		return { ok: true, value: JSON.parse(text) };
	} catch (cause) {
		return {
			ok: false,
			what: `is not JSON: ${plain(cause instanceof Error ? cause.message : "unreadable")}`,
		};
	}
}
