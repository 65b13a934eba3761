// From a package folder to the parts of a bundle: stage, compile, read the objects, write the manifest. Refuses
// sources that do not compile without warnings or that include what the tag would not cover.

import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type AssembledBundle, assembleBundle } from "#bundle/bundle.ts";
import type { Context } from "../context.ts";
import { type Compiler, compile, FLAGS } from "./compile.ts";
import { stagePackage } from "./stage.ts";

/** Compiles the package in `dir` and assembles its (unsigned) bundle. */
export async function buildPackage(
	context: Context,
	compiler: Compiler,
	dir: string,
): Promise<AssembledBundle> {
	context.onStep({ step: "staging", detail: dir });
	await using stage = await stagePackage(dir, compiler);
	const files = new Map<string, Uint8Array>();
	for (const path of [...stage.sources, ...stage.vectors, ...stage.docs]) {
		files.set(path, await readFile(join(stage.path, path)));
	}
	for (const unit of stage.manifest.units) {
		context.onStep({ step: "compiling", detail: unit.source });
		await mkdir(dirname(join(stage.path, unit.object)), { recursive: true });
		await compile(compiler, FLAGS, unit, stage.path);
		files.set(unit.object, await readFile(join(stage.path, unit.object)));
	}
	context.onStep({ step: "assembling" });
	return assembleBundle({
		package: stage.manifest,
		files,
		compiler: { name: compiler.name, version: compiler.version, flags: FLAGS },
	});
}
