// Paths inside a bundle: which exist at all, and which places they may name. Touches no file system.
import { BundleError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { plain } from "./plain.ts";

export const MANIFEST_PATH = "kfn.json";
export const SIGNATURE_PATH = "kfn.sig.json";
/** May be missing; signing/kernel/signature-file.ts says what is in it. */
export const KERNEL_SIGNATURE_PATH = "kfn.kernel-sig.json";

const ALPHABET = /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/;
const PLACES = [
	/^(README\.md|CHANGELOG\.md|LICENSE)$/,
	/^src\/.+$/,
	/^obj\/[^/]+\.bpf\.o$/,
	/^vectors\/[^/]+\.jsonl$/,
];

function refuse(code: "BUNDLE_PATH_ESCAPE" | "BUNDLE_PATH_INVALID", path: string, why: string): never {
	throw new BundleError(code, `the path "${plain(path)}" ${why}`, { details: { path: plain(path) } });
}

/**
 * Demands a relative path of `[A-Za-z0-9_][A-Za-z0-9._/-]*`, at most 100 bytes, without empty, `.` and `..` parts.
 * BUNDLE_PATH_ESCAPE if it would leave the folder it is unpacked into, BUNDLE_PATH_INVALID for the rest.
 */
export function checkPath(path: string): void {
	const parts = path.split(/[/\\]/);
	if (path.startsWith("/") || path.startsWith("\\") || /^[A-Za-z]:/.test(path)) {
		refuse("BUNDLE_PATH_ESCAPE", path, "is absolute");
	}
	if (parts.includes("..")) refuse("BUNDLE_PATH_ESCAPE", path, "climbs out of the bundle");
	if (!ALPHABET.test(path)) refuse("BUNDLE_PATH_INVALID", path, "uses characters that bundles do not allow");
	if (path.length > LIMITS.pathBytes)
		refuse("BUNDLE_PATH_INVALID", path, `is longer than ${LIMITS.pathBytes} bytes`);
	if (parts.includes("") || parts.includes(".")) {
		refuse("BUNDLE_PATH_INVALID", path, "has an empty part or a part that is a single dot");
	}
}

/** Demands that a file stands where bundles keep files: README.md CHANGELOG.md LICENSE src/** obj/*.bpf.o vectors/*.jsonl. */
export function checkPlace(path: string): void {
	checkPath(path);
	if (!PLACES.some((place) => place.test(path))) {
		refuse("BUNDLE_PATH_INVALID", path, "is not a place where bundles keep files");
	}
}

/** Demands that no path of a sorted list is also the folder of another: such a list cannot be unpacked. */
export function checkFolders(paths: readonly string[]): void {
	const files = new Set(paths);
	for (const path of paths) {
		for (let cut = path.indexOf("/"); cut !== -1; cut = path.indexOf("/", cut + 1)) {
			if (files.has(path.slice(0, cut))) {
				refuse("BUNDLE_PATH_INVALID", path.slice(0, cut), "is both a file and a folder");
			}
		}
	}
}
