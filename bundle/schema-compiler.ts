// Turns a JSON Schema into a function that checks a value. A module of its own, because cli/bundle.ts puts the same functions,
// written out beforehand, in its place: compiling them takes longer than everything else in a short command.
import { Ajv2020, type AnySchemaObject, type Options, type ValidateFunction } from "ajv/dist/2020.js";

/** The options of every schema check, here and where the functions are written out beforehand. */
export const SCHEMA_OPTIONS: Options = {
	strict: true,
	strictRequired: false,
	useDefaults: true,
	ownProperties: true,
};

/** Compiles one of the schemas that lie in this folder. */
export function compileSchema(schema: AnySchemaObject): ValidateFunction {
	return new Ajv2020(SCHEMA_OPTIONS).compile(schema);
}
