// For tests only: sources on a disk that holds a file which no tag covers, and what clang makes of them when nobody
// checks. Product code never imports it.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Sources } from "../tagged-set.ts";

/** What the file outside holds; its first line is C, assembler and a C string's inside at once. */
export const SECRET = "kfn_outside_bytes";
export const UNIT = { source: "src/x.bpf.c", object: "obj/x.bpf.o" };

export interface Disk extends Disposable {
	/** The absolute path of the file outside; `${outside}.h` and `${outside}.s` bring it in as C and as assembly. */
	readonly outside: string;
	/** The same, from the package's src/. */
	readonly climbing: string;
	lay(sources: Sources): void;
	/** The object that clang makes of a unit, with no check and no jail. */
	compileUnchecked(flags: readonly string[], source?: string): Buffer;
	/** What clang prints with these arguments. */
	ask(args: readonly string[]): string;
}

/** A throw-away folder with the file outside and an empty package beside it. */
export function openDisk(): Disk {
	const folder = mkdtempSync(join(tmpdir(), "kfn-outside-"));
	const outside = join(folder, "secret");
	writeFileSync(outside, SECRET);
	writeFileSync(`${outside}.h`, `const char outside[] __attribute__((used)) = "${SECRET}";\n`);
	writeFileSync(`${outside}.s`, `.section .rodata\n.ascii "${SECRET}"\n.previous\n`);
	const cwd = join(folder, "package");
	mkdirSync(join(cwd, "src"), { recursive: true });
	return {
		outside,
		climbing: "../../secret",
		lay(sources) {
			for (const [path, bytes] of sources) {
				mkdirSync(dirname(join(cwd, path)), { recursive: true });
				writeFileSync(join(cwd, path), bytes);
			}
		},
		compileUnchecked(flags, source = UNIT.source) {
			const object = join(folder, "object");
			execFileSync("clang-19", [...flags, "-c", source, "-o", object], { cwd, stdio: "pipe" });
			return readFileSync(object);
		},
		ask: (args) => execFileSync("clang-19", [...args], { cwd, stdio: "pipe", encoding: "utf8" }),
		[Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** One unit's text, and further files by path. */
export function sourcesOf(text: string, more: Readonly<Record<string, string>> = {}): Sources {
	const texts = { [UNIT.source]: text, ...more };
	return new Map(Object.entries(texts).map(([path, content]) => [path, Buffer.from(content)]));
}
