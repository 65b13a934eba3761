// Makes dist/kfn.cjs, the command line with everything it imports; what only some commands need lies in chunks beside it,
// so that `kfn status` does not read a web server. Run by setup.sh.
// CommonJS, because it links in half the time of the same code as ES modules, and is what Node's single executable takes.

import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Ajv2020, type AnySchemaObject, type Options } from "ajv/dist/2020.js";
import standaloneCode from "ajv/dist/standalone/index.js";
import { type Plugin, rolldown } from "rolldown";
import { SCHEMA_OPTIONS } from "#bundle/schema-compiler.ts";
import { OSV_SCHEMA_OPTIONS } from "#signing/osv/schema-compiler.ts";

interface Compiler {
	/** The module that compiles, whose place is taken. */
	readonly module: string;
	readonly options: Options;
	readonly schemas: readonly string[];
}

const COMPILERS: readonly Compiler[] = [
	{
		module: "bundle/schema-compiler.ts",
		options: SCHEMA_OPTIONS,
		schemas: ["manifest", "package-manifest", "vector"].map((name) => `bundle/${name}.schema.json`),
	},
	{
		module: "signing/osv/schema-compiler.ts",
		options: OSV_SCHEMA_OPTIONS,
		schemas: ["signing/osv/schema.json"],
	},
];

/** The schema compilers, with their schemas compiled now instead of at each start. */
const compiledSchemas: Plugin = {
	name: "compiled-schemas",
	load(id) {
		const compiler = COMPILERS.find(({ module }) => id.endsWith(`/${module}`));
		return compiler === undefined ? null : { code: compiledModule(compiler), moduleType: "js" };
	},
};

function compiledModule({ options, schemas: paths }: Compiler): string {
	const schemas = paths.map(
		(path) => JSON.parse(readFileSync(path, "utf8")) as AnySchemaObject & { $id: string },
	);
	const ajv = new Ajv2020({ ...options, schemas, code: { source: true } });
	const names = Object.fromEntries(schemas.map(({ $id }, i) => [`schema${i}`, $id]));
	const table = schemas.map(({ $id }, i) => `${JSON.stringify($id)}: exports.schema${i}`);
	return `${standaloneCode.default(ajv, names)}
const compiled = { ${table.join(", ")} };
exports.compileSchema = (schema) => compiled[schema.$id];
`;
}

await rm("dist", { recursive: true, force: true });
const bundle = await rolldown({
	input: { kfn: "cli/main.ts" },
	platform: "node",
	// oclif looks for these only when it runs TypeScript sources itself, which it never does here.
	external: ["typescript", "ts-node", "tsx"],
	plugins: [compiledSchemas],
	logLevel: "warn",
});
await bundle.write({
	dir: "dist",
	format: "cjs",
	minify: true,
	entryFileNames: "[name].cjs",
	chunkFileNames: "[name]-[hash].cjs",
});
