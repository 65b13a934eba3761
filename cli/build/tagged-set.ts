// The files that compiling a bundle's units can read: the units and, transitively, what they include. Decided without a
// compiler, on every #include, whether or not a condition takes it.

import { posix } from "node:path";
import { CliError } from "../errors.ts";
import { checkSource } from "./source-rules.ts";

/** A file by its path in the bundle. */
export type Sources = ReadonlyMap<string, Uint8Array>;

/**
 * Checks every source that the units reach and gives their paths. `read` gives undefined for what is not there.
 * CLI_SOURCE_FORBIDDEN, CLI_SOURCE_UNTAGGED.
 */
export async function reachedSources(
	units: readonly { readonly source: string }[],
	read: (path: string) => Promise<Uint8Array | undefined>,
): Promise<Map<string, Uint8Array>> {
	const reached = new Map<string, Uint8Array>();
	const waiting = units.map(({ source }) => ({ path: source, from: undefined as string | undefined }));
	for (const { path, from } of waiting) {
		if (reached.has(path)) continue;
		if (from === undefined) checkUnit(path);
		const bytes = path.startsWith("src/") ? await read(path) : undefined;
		if (bytes === undefined) throw untagged(path, from);
		reached.set(path, bytes);
		for (const include of checkSource(path, bytes)) {
			waiting.push({ path: posix.join(posix.dirname(path), include), from: path });
		}
	}
	return reached;
}

/** clang takes the language from the ending: of x.s it would assemble every directive, of x.ll every module asm. */
function checkUnit(path: string): void {
	if (path.endsWith(".c")) return;
	throw new CliError("CLI_SOURCE_FORBIDDEN", `${path} is not C: its name does not end in .c`, {
		hint: "only C can be checked for what it reads",
		details: { path },
	});
}

function untagged(path: string, from: string | undefined): CliError {
	const who = from === undefined ? "the manifest names" : `${from} includes`;
	return new CliError("CLI_SOURCE_UNTAGGED", `${who} ${path}, which no source or include folder holds`, {
		hint: 'move it below src/, or name its folder under "includes" in kfn.package.json',
		details: { path },
	});
}
