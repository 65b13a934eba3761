// The documents of --json by docs/formats/cli.schema.json. Refuses a command that the schema does not have.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";

export const FORMATS = join(import.meta.dirname, "../../docs/formats");

interface Schema {
	readonly $defs: Readonly<Record<string, unknown>>;
}

export const schema = JSON.parse(readFileSync(join(FORMATS, "cli.schema.json"), "utf8")) as Schema;
const ajv = new Ajv2020({ allowUnionTypes: true });
ajv.addSchema(schema, "cli");

function shapeOf(id: string): ValidateFunction {
	const found = ajv.getSchema(`cli#/$defs/${id}`);
	if (found === undefined) throw new Error(`the schema has no ${id}`);
	return found as ValidateFunction;
}

export function expectShape(id: string, document: unknown): void {
	const shape = shapeOf(id);
	shape(document);
	expect(shape.errors ?? [], `${id}: ${JSON.stringify(document)}`).toEqual([]);
}
