// The instruction streams of a bundle: exactly the bytes that the kernel receives of a program without relocations and with its
// parameters at their defaults. Leaves out programs that only get their instructions when they are loaded.
import type { BundleContents } from "./bundle.ts";
import { type Digest, sha256 } from "./digest.ts";
import { readElf } from "./elf.ts";
import type { Manifest } from "./manifest-shape.ts";

/** The instruction digest of every program, null where relocations change the instructions at load time. */
export function programDigests(manifest: Manifest): (Digest | null)[] {
	return manifest.variants.flatMap(({ programs }) => programs.map(({ insnsDigest }) => insnsDigest));
}

/** The instruction bytes by digest, of the programs that have one. */
export function instructionsOf({ manifest, files }: BundleContents): Map<Digest, Uint8Array> {
	const wanted = new Set(programDigests(manifest));
	const streams = manifest.variants
		.flatMap(({ object }) => readElf(files.get(object)!).programs)
		.map(({ insns }) => [sha256(insns), insns] as const);
	return new Map(streams.filter(([digest]) => wanted.has(digest)));
}
