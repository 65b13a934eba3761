// Compiles a bundle's own sources with the recorded compiler and flags and compares the whole object (design §3.4). Only
// DWARF is not compared; it holds no behaviour. Refuses to compile a stranger's sources without a jail.

import type { Bundle } from "#bundle/bundle.ts";
import { objectDifference } from "#bundle/elf-difference.ts";
import { CliError } from "../errors.ts";
import { compileUnits, findCompiler } from "./compile.ts";

/** Throws CLI_REBUILD_DIFFERS, naming the object and section, unless the shipped objects are what the sources give. */
export async function rebuild(bundle: Bundle): Promise<{ compiler: string; objects: number }> {
	const { build, tag } = bundle.manifest;
	const compiler = await findCompiler(build.version);
	const sources = new Map(tag.files.map((path) => [path, bundle.files.get(path)!]));
	const { objects } = await compileUnits(compiler, build.flags, build.units, sources, "jail");
	for (const [object, rebuilt] of objects) compareObjects(object, bundle.files.get(object)!, rebuilt);
	return { compiler: `${compiler.name} ${compiler.version}`, objects: build.units.length };
}

function compareObjects(object: string, shipped: Uint8Array, rebuilt: Uint8Array): void {
	const difference = objectDifference(shipped, rebuilt);
	if (difference === undefined) return;
	const { part, bytes } = difference;
	throw new CliError("CLI_REBUILD_DIFFERS", `${object}: ${part} is not what its source compiles to`, {
		hint: "do not use this bundle: its source is not the source of its object",
		details: { object, part, shippedBytes: bytes[0], rebuiltBytes: bytes[1] },
	});
}
