// The versions, expiries and signers of the top-level roles of a verified walk: what a host writes down of it. Refuses to
// count a signature that does not verify, for whether what was written down is void hangs on who signed.
import { Metadata, type MetadataKind, type Root } from "@tufjs/models";
import { TOP_LEVEL_ROLES, type TopLevelRole } from "./metadata.ts";

export interface VerifiedRole {
	readonly version: number;
	readonly expires: string;
	/** Key ids of the role's keys whose signatures stand in the file. */
	readonly signers: readonly string[];
}

type AnyMetadata = Metadata<Root>;

/** By role; a role that no walk has reached yet is not there. `files` are what `TrustUpdater.verified` gave. */
export function verifiedRoles(
	files: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<TopLevelRole, VerifiedRole> {
	const root = read("root", files.get("root")!);
	const found = new Map<TopLevelRole, VerifiedRole>();
	for (const role of TOP_LEVEL_ROLES) {
		const bytes = files.get(role);
		if (bytes === undefined) continue;
		const metadata = read(role, bytes);
		const { version, expires } = metadata.signed;
		const keyids = root.signed.roles[role]?.keyIDs ?? [];
		found.set(role, { version, expires, signers: keyids.filter((keyid) => isSigner(root, keyid, metadata)) });
	}
	return found;
}

function isSigner(root: AnyMetadata, keyid: string, metadata: AnyMetadata): boolean {
	const key = root.signed.keys[keyid];
	try {
		key?.verifySignature(metadata);
		return key !== undefined;
	} catch {
		return false;
	}
}

/** `role` is the kind, too. Only what all kinds share is read of it, whence the one type. */
function read(role: TopLevelRole, bytes: Uint8Array): AnyMetadata {
	const data = JSON.parse(Buffer.from(bytes).toString("utf8"));
	return Metadata.fromJSON(role as MetadataKind.Root, data);
}
