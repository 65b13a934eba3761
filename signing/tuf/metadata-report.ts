// What a root or targets file says of who signs what, as data for people. Refuses a root that its own keys did not sign.
import { createHash } from "node:crypto";
import { SigningError } from "../errors.ts";
import { decodeUtf8 } from "../strict-json.ts";
import type { TufKey, TufKeyId } from "./key.ts";
import {
	type Envelope,
	METADATA_LIMIT,
	parseEnvelope,
	type RoleKeys,
	type RootSigned,
	serializeEnvelope,
	signedBytes,
	type TargetsSigned,
	TOP_LEVEL_ROLES,
} from "./metadata.ts";
import type { OfflineRole } from "./next-root.ts";
import { demandThreshold } from "./sign.ts";

/** Who signs a role. */
export interface RoleReport {
	readonly role: string;
	readonly threshold: number;
	readonly keys: readonly { readonly tufId: TufKeyId; readonly public: string }[];
}

export interface MetadataReport {
	readonly role: OfflineRole;
	readonly version: number;
	readonly expires: string;
	/** Of the exact bytes; of a root, this is its fingerprint. */
	readonly sha256: string;
	readonly roles: readonly RoleReport[];
	/** Whose signatures the file carries: of a root, enough of them were verified; of targets, none, for a root must say whose count. */
	readonly signatures: readonly TufKeyId[];
}

/** Reads a live file. TRUST_MALFORMED: not the root or targets metadata of a kfn registry. TRUST_SIGNATURES. */
export async function metadataReport(bytes: Uint8Array): Promise<MetadataReport> {
	const sha256 = createHash("sha256").update(bytes).digest("hex");
	if (typeOf(bytes) === "targets") {
		const { signed, signatures } = parseEnvelope(bytes, "targets");
		return {
			...common(signed),
			sha256,
			roles: binRoles(signed),
			signatures: signatures.map(({ keyid }) => keyid),
		};
	}
	const envelope = parseEnvelope(bytes, "root");
	const { signed, signatures } = envelope;
	await demandThreshold(envelope, signed.roles.root, signed.keys, `root ${signed.version}`);
	return {
		...common(signed),
		sha256,
		roles: rootRoles(signed),
		signatures: signatures.map(({ keyid }) => keyid),
	};
}

export function rootRoles({ roles, keys }: RootSigned): RoleReport[] {
	return TOP_LEVEL_ROLES.map((role) => roleReport(role, roles[role], keys));
}

/** The roles that targets metadata itself names: the bins, all with the same keys. */
export function binRoles({ delegations }: TargetsSigned): RoleReport[] {
	return delegations === undefined ? [] : [roleReport("bins", delegations.succinct_roles, delegations.keys)];
}

export function roleReport(
	role: string,
	{ keyids, threshold }: RoleKeys,
	keys: Readonly<Record<TufKeyId, TufKey>>,
): RoleReport {
	const shown = keyids.map((tufId) => ({ tufId, public: keys[tufId]!.keyval.public }));
	return { role, threshold, keys: shown };
}

/** sha256 of what is signed, whoever has signed. */
export function contentDigest(signed: RootSigned | TargetsSigned): string {
	return createHash("sha256").update(signedBytes(signed)).digest("hex");
}

/** sha256 of the file that the envelope is when it is live. */
export function fileDigest(envelope: Envelope<RootSigned | TargetsSigned>): string {
	return createHash("sha256").update(serializeEnvelope(envelope)).digest("hex");
}

function common({ _type: role, version, expires }: RootSigned | TargetsSigned) {
	return { role, version, expires };
}

function typeOf(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(decodeUtf8(bytes, METADATA_LIMIT) ?? "").signed._type;
	} catch (cause) {
		throw new SigningError("TRUST_MALFORMED", "this is neither a draft nor a file of TUF metadata", {
			cause,
		});
	}
}
