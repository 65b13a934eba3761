// The instruction streams of a bundle: exactly the bytes that the kernel receives of a program with its parameters at their
// defaults. Leaves out programs of which the host decides some bytes: places of maps, and what CO-RE changes.
import type { BundleContents } from "./bundle.ts";
import { type Digest, sha256 } from "./digest.ts";
import { readElf } from "./elf.ts";
import type { Manifest } from "./manifest-shape.ts";

/** The instruction digest of every program without maps, null where CO-RE changes the instructions at load time. */
export function programDigests(manifest: Manifest): (Digest | null)[] {
	const variants = manifest.variants.filter(({ maps }) => maps === undefined);
	return variants.flatMap(({ programs }) => programs.map(({ insnsDigest }) => insnsDigest));
}

/** The instruction bytes by digest, of the programs whose bytes are the bundle's alone. */
export function instructionsOf({ manifest, files }: BundleContents): Map<Digest, Uint8Array> {
	const streams = manifest.variants
		.flatMap(({ object }) => readElf(files.get(object)!).programs)
		.filter(({ maps, core }) => maps.length + core === 0)
		.map(({ insns }) => [sha256(insns), insns] as const);
	return new Map(streams);
}
