// Bundles unpacked under var/lib/kfn/store/<sha256 of the archive>, immutable. Refuses to hand out a byte that the manifest does not name.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import type { FileRecord, Manifest } from "#bundle/manifest-shape.ts";
import { readPinnedManifest } from "#bundle/pinned-manifest.ts";
import { fileError, statOf } from "./durable.ts";
import { codeOf, HostError } from "./errors.ts";
import { listFolder } from "./generations.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { readIfThere } from "./state-file.ts";

const MANIFEST = "kfn.json";
const SIGNATURES = "kfn.sig.json";
const KERNEL_SIGNATURES = "kfn.kernel-sig.json";

/** A store entry whose every file was just compared with the manifest. Signatures are not checked here (verify.ts). */
export interface StoredBundle {
	readonly sha256: string;
	readonly manifest: Manifest;
	readonly manifestBytes: Uint8Array;
	readonly signatureBytes: Uint8Array;
	readonly kernelSignatureBytes: Uint8Array | undefined;
}

/** Digests of the entries in the store. */
export function storedDigests(host: Host): string[] {
	return listFolder(host.layout.store).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

/**
 * Puts a verified bundle's files into the store, durably and at once; returns whether anything was written.
 *
 * An entry that is already there is re-verified and, where it was damaged, replaced: installing again repairs.
 */
export function importBundle(lock: HostLock, bundle: Bundle): boolean {
	const { durable, layout } = lock.host;
	const entry = layout.storeEntry(bundle.sha256);
	if (statOf(entry) !== undefined) {
		if (isSound(lock.host, bundle)) return false;
		durable.removeTree(entry);
	}
	durable.makeFolder(layout.store);
	durable.makeFolder(layout.tmp);
	const files = new Map([
		[MANIFEST, bundle.manifestBytes],
		[SIGNATURES, bundle.signatureBytes],
		...bundle.files,
	]);
	if (bundle.kernelSignatureBytes !== undefined) files.set(KERNEL_SIGNATURES, bundle.kernelSignatureBytes);
	durable.importFolder(entry, layout.tmp, files);
	return true;
}

/**
 * Opens an entry and compares every file with the manifest, and the manifest with `manifestSha256`.
 *
 * HOST_STORE_MISSING, or HOST_STORE_DIGEST with the offending file in `details.path`.
 */
export function openStored(host: Host, entrySha256: string, manifestSha256: string): StoredBundle {
	const folder = host.layout.storeEntry(entrySha256);
	if (!statOf(folder)?.isDirectory()) {
		throw new HostError("HOST_STORE_MISSING", `the store has no bundle ${entrySha256}`, {
			hint: "install the bundle again",
			details: { path: folder, sha256: entrySha256 },
		});
	}
	const manifestBytes = readStored(folder, MANIFEST);
	const manifest = readPinnedManifest(manifestBytes, manifestSha256);
	if (manifest === undefined) throw damaged(folder, MANIFEST, "is not the one that the plan names");
	for (const file of manifest.files) readNamed(folder, file);
	const named = [MANIFEST, SIGNATURES, KERNEL_SIGNATURES, ...manifest.files.map((file) => file.path)];
	refuseExtra(folder, new Set(named));
	return {
		sha256: entrySha256,
		manifest,
		manifestBytes,
		signatureBytes: readStored(folder, SIGNATURES),
		kernelSignatureBytes: hasKernelSignatures(host, entrySha256)
			? readStored(folder, KERNEL_SIGNATURES)
			: undefined,
	};
}

/** A file of an opened entry, compared with the manifest once more: it may have changed since. HOST_STORE_DIGEST. */
export function readStoredFile(
	host: Host,
	{ sha256: entry, manifest }: StoredBundle,
	path: string,
): Uint8Array {
	const folder = host.layout.storeEntry(entry);
	const named = manifest.files.find((file) => file.path === path);
	if (named === undefined) throw damaged(folder, path, "is not in the manifest");
	return readNamed(folder, named);
}

function readNamed(folder: string, file: FileRecord): Uint8Array {
	const bytes = readStored(folder, file.path, file.size);
	if (sha256(bytes) !== file.sha256) throw damaged(folder, file.path, "does not have the manifest's sha256");
	return bytes;
}

export function hasKernelSignatures(host: Host, entrySha256: string): boolean {
	return statOf(join(host.layout.storeEntry(entrySha256), KERNEL_SIGNATURES)) !== undefined;
}

/** The manifest that the plan names, without a look at any other file; undefined where it is not there as it was. */
export function storedManifest(
	host: Host,
	entrySha256: string,
	manifestSha256: string,
): Manifest | undefined {
	try {
		const bytes = readIfThere(join(host.layout.storeEntry(entrySha256), MANIFEST));
		return bytes === undefined ? undefined : readPinnedManifest(bytes, manifestSha256);
	} catch (error) {
		if (!(error instanceof HostError)) throw error;
		return undefined;
	}
}

function isSound(host: Host, bundle: Bundle): boolean {
	try {
		const stored = openStored(host, bundle.sha256, bundle.manifestDigest);
		return (
			isSame(stored.signatureBytes, bundle.signatureBytes) &&
			isSame(stored.kernelSignatureBytes, bundle.kernelSignatureBytes)
		);
	} catch (error) {
		if (codeOf(error) === "HOST_STORE_DIGEST" || codeOf(error) === "HOST_STORE_MISSING") return false;
		throw error;
	}
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
	return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function readStored(folder: string, name: string, size?: number): Uint8Array {
	const path = join(folder, name);
	const stat = statOf(path);
	if (stat === undefined) throw damaged(folder, name, "is missing");
	// A link would be followed to bytes that can change after this look.
	if (!stat.isFile()) throw damaged(folder, name, "is not a regular file");
	if (size !== undefined && stat.size !== size)
		throw damaged(folder, name, `has ${stat.size} bytes, not ${size}`);
	try {
		return readFileSync(path);
	} catch (error) {
		throw fileError(error, path);
	}
}

function refuseExtra(folder: string, named: ReadonlySet<string>): void {
	for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
		const name = join(entry.parentPath, entry.name).slice(folder.length + 1);
		if (!entry.isDirectory() && !named.has(name)) throw damaged(folder, name, "is not in the manifest");
	}
}

function damaged(folder: string, name: string, why: string): HostError {
	const path = join(folder, name);
	return new HostError("HOST_STORE_DIGEST", `${path} ${why}`, {
		hint: "somebody or something changed it; install the same bundle again to repair it, then look for the cause",
		details: { path, file: name },
	});
}
