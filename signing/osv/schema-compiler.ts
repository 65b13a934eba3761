// Turns the official OSV schema into a function that checks a value. A module of its own, because cli/bundle.ts puts the same
// function, written out beforehand, in its place. Refuses nothing by itself.
import { Ajv2020, type AnySchemaObject, type Options, type ValidateFunction } from "ajv/dist/2020.js";

/** The schema is not ours: it may use what ajv's strict mode frowns on. Its `format`s are held by document.ts. */
export const OSV_SCHEMA_OPTIONS: Options = { strict: false, validateFormats: false, ownProperties: true };

export function compileSchema(schema: AnySchemaObject): ValidateFunction {
	return new Ajv2020(OSV_SCHEMA_OPTIONS).compile(schema);
}
