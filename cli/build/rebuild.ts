// Compiles a bundle's own sources with the recorded compiler and flags and compares what decides the behaviour:
// instructions and data sections (design §3.4). Debug information is not compared; it holds no behaviour.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Bundle } from "#bundle/bundle.ts";
import { readElf } from "#bundle/elf.ts";
import { CliError } from "../errors.ts";
import { compile, findCompiler } from "./compile.ts";

/** Throws CLI_REBUILD_DIFFERS, naming the object and section, unless the shipped objects are what the sources give. */
export async function rebuild(bundle: Bundle): Promise<{ compiler: string; objects: number }> {
	const { build } = bundle.manifest;
	const compiler = await findCompiler(build.version);
	const folder = await mkdtemp(join(tmpdir(), "kfn-rebuild-"));
	try {
		for (const [path, bytes] of bundle.files) {
			if (!path.startsWith("src/")) continue;
			await mkdir(dirname(join(folder, path)), { recursive: true });
			await writeFile(join(folder, path), bytes);
		}
		for (const unit of build.units) {
			await mkdir(dirname(join(folder, unit.object)), { recursive: true });
			await compile(compiler, build.flags, unit, folder);
			compareObjects(unit.object, bundle.files.get(unit.object)!, await readFile(join(folder, unit.object)));
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	return { compiler: `${compiler.name} ${compiler.version}`, objects: build.units.length };
}

function compareObjects(object: string, shipped: Uint8Array, rebuilt: Uint8Array): void {
	const ours = behaviour(rebuilt);
	const theirs = behaviour(shipped);
	for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
		const [a, b] = [ours.get(name), theirs.get(name)];
		if (a !== undefined && b !== undefined && Buffer.from(a).equals(b)) continue;
		throw new CliError(
			"CLI_REBUILD_DIFFERS",
			`${object}: section ${name} is not what its source compiles to`,
			{
				hint: "do not use this bundle: its source is not the source of its object",
				details: {
					object,
					section: name,
					shippedBytes: b?.byteLength ?? null,
					rebuiltBytes: a?.byteLength ?? null,
				},
			},
		);
	}
}

/** Sections that the kernel gets: code, data, licence, note, and the relocations that change code. */
function behaviour(bytes: Uint8Array): Map<string, Uint8Array> {
	const sections = readElf(bytes).sections.filter(
		({ name }) => !/^(\.rel)?\.(debug_|BTF|llvm_addrsig|strtab|symtab|shstrtab)/.test(name) && name !== "",
	);
	return new Map(sections.map(({ name, bytes: content }) => [name, content]));
}
