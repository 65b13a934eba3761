// The compiler flags that a build record may hold. Refuses every flag that could run code, name a file or switch the source.
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

/**
 * A rebuild runs these flags of a stranger's bundle on the verifier's machine, so this is a list of what is allowed:
 * -D, -std and other levels of -O would let one tag mean two behaviours, -I and -include would read files that the tag
 * does not cover, -fplugin=, -Xclang, -B and @file would run or read anything, prefix maps write what they like into the BTF.
 */
const ALLOWED = new Set([
	...["-target", "bpf", "bpfel", "-mcpu=v1", "-mcpu=v2", "-mcpu=v3", "-mcpu=v4"],
	...["-O2", "-g", "-nostdinc", "-fno-ident", "-fdebug-compilation-dir=.", "-Wall", "-Wextra", "-Werror"],
]);

function refuse(flag: string, why: string): never {
	throw new BundleError("BUNDLE_BUILD_FLAG", `the compiler flag "${plain(flag)}" ${why}`, {
		hint: "docs/formats/bundle.md lists the flags that a bundle may be built with.",
		details: { flag: plain(flag) },
	});
}

/** Demands allowed flags only, a BPF target, and -nostdinc; BUNDLE_BUILD_FLAG otherwise. */
export function checkBuildFlags(flags: readonly string[]): void {
	for (const flag of flags) {
		if (!ALLOWED.has(flag)) refuse(flag, "is not allowed");
	}
	if (!flags.includes("-nostdinc")) refuse("-nostdinc", "is missing");
	if (!flags.includes("-target")) refuse("-target bpf", "is missing");
	// A bare word elsewhere would be taken for an input file.
	flags.forEach((flag, i) => {
		const isTarget = flag === "bpf" || flag === "bpfel";
		if (isTarget !== (flags[i - 1] === "-target")) refuse(flag, "stands in the wrong place");
	});
	if (flags.at(-1) === "-target") refuse("-target", "lacks its value");
}
