// From a package folder to the parts of a bundle: stage, compile, read the objects, write the manifest. Refuses
// sources that do not compile without warnings or that could let in what the tag would not cover.

import { type AssembledBundle, assembleBundle } from "#bundle/bundle.ts";
import type { Context } from "../context.ts";
import { type Compiler, compileUnits, FLAGS } from "./compile.ts";
import { stagePackage } from "./stage.ts";

export interface BuiltPackage extends AssembledBundle {
	/** Why the compiler was not locked in; undefined where it was. */
	readonly unjailed: string | undefined;
}

/** Compiles the package in `dir` and assembles its (unsigned) bundle. */
export async function buildPackage(context: Context, compiler: Compiler, dir: string): Promise<BuiltPackage> {
	context.onStep({ step: "staging", detail: dir });
	const { manifest, sources, vectors, docs } = await stagePackage(dir);
	context.onStep({ step: "compiling", detail: manifest.units.map(({ source }) => source).join(", ") });
	// One's own source on one's own machine: where there can be no jail the rules on sources have to do.
	const { objects, unjailed } = await compileUnits(compiler, FLAGS, manifest.units, sources, "rules");
	context.onStep({ step: "assembling" });
	const assembled = assembleBundle({
		package: manifest,
		files: new Map([...sources, ...vectors, ...docs, ...objects]),
		compiler: { name: compiler.name, version: compiler.version, flags: FLAGS },
	});
	return { ...assembled, unjailed };
}
