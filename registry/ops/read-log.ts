// Reads of the transparency log: checkpoints, tiles, entry bundles; and what witnesses send back. Refuses tiles that the log does
// not have at this moment.
import { HASH_BYTES } from "#signing/log/merkle.ts";
import { parseTilePath, type TileName, tileWidth } from "#signing/log/tile.ts";
import { RegistryError } from "../api/errors.ts";
import type { CosignedDocument } from "../api/wire.ts";
import { attachCosignatures, openCosigned } from "../log/cosign.ts";
import { readLogTrust } from "../log/record.ts";
import { servedCheckpoint } from "../log/served-checkpoint.ts";
import { storedTiles } from "../log/stored-tiles.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { RegistryContext } from "./registry-context.ts";

/** The checkpoint for hosts: with the quorum of witnesses, where the registry's signed document asks for one. */
export function readCheckpoint(registry: RegistryContext): Promise<Uint8Array> {
	return registry.metadata.read(async (reads) => {
		const trust = await readLogTrust(reads);
		const checkpoint = trust && (await servedCheckpoint(reads, trust));
		if (checkpoint === undefined) throw noLog();
		return checkpoint.bytes;
	});
}

/** The newest checkpoint, for witnesses: before they have cosigned it, no host is served it. */
export function readLatestCheckpoint(registry: RegistryContext): Promise<Uint8Array> {
	return registry.metadata.read(async (reads) => {
		const checkpoint = await reads.newestCheckpoint();
		if (checkpoint === undefined) throw noLog();
		return checkpoint.bytes;
	});
}

/** `path` as in tlog-tiles, `tile/…`. REGISTRY_REQUEST_INVALID: no tile is called so. REGISTRY_NOT_FOUND: the log has no such tile. */
export async function readLogTile(registry: RegistryContext, path: string): Promise<Uint8Array> {
	const name = parseTilePath(path);
	if (name === undefined) {
		throw new RegistryError("REGISTRY_REQUEST_INVALID", "this is not the path of a tile", {
			hint: "tile/LEVEL/INDEX[.p/WIDTH] or tile/entries/INDEX[.p/WIDTH], INDEX in groups of three digits as x001/x234/067",
		});
	}
	return registry.metadata.read((reads) => tileOf(reads, name));
}

/** Takes cosignatures over: see openCosigned and attachCosignatures. REGISTRY_NOT_FOUND: this registry keeps no log. */
export async function cosign(registry: RegistryContext, checkpoint: Uint8Array): Promise<CosignedDocument> {
	const { metadata } = registry;
	const trust = await metadata.read(readLogTrust);
	if (trust === undefined) throw noLog();
	const cosigned = await openCosigned(checkpoint, trust);
	const { size, cosigners } = await metadata.transaction((tx) => attachCosignatures(tx, trust, cosigned));
	return { schema: "kfn.cosigned/1", size, cosigners, quorum: trust.quorum };
}

async function tileOf(reads: MetadataReads, name: TileName): Promise<Uint8Array> {
	const { level, index, width } = name;
	const size = (await reads.newestCheckpoint())?.size ?? 0;
	if (tileWidth(level === "entries" ? 0 : level, index, size) < width) throw noTile();
	const tiles = storedTiles(reads);
	if (level === "entries") return tiles.entries(index, width);
	const bytes = await tiles.tile(level, index, width);
	if (bytes.byteLength === width * HASH_BYTES) return bytes;
	throw new RegistryError("REGISTRY_LOG_DAMAGED", "the stored log is damaged: a tile is missing", {
		hint: "restore the data folder's newest backup",
		details: { level, index },
	});
}

function noTile(): RegistryError {
	return new RegistryError("REGISTRY_NOT_FOUND", "the log has no such tile", {
		hint: "the checkpoint says how large the log is, and so which tiles it has",
	});
}

function noLog(): RegistryError {
	return new RegistryError("REGISTRY_NOT_FOUND", "this registry keeps no log, or nothing is in it", {
		hint: "kfn/registry.json names a registry's log",
	});
}
