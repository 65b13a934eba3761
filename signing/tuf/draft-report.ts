// All that is to be said of a draft before somebody signs it, as data: who may sign what, what is still needed, what changes.
// Refuses a draft whose signatures do not fit.
import { type Draft, draftTitle, type TargetsDraft } from "./draft.ts";
import { type Difference, differences } from "./draft-difference.ts";
import { type Demand, demandsOf, isComplete } from "./draft-signatures.ts";
import type { Envelope, RootSigned } from "./metadata.ts";
import {
	binRoles,
	contentDigest,
	fileDigest,
	type RoleReport,
	roleReport,
	rootRoles,
} from "./metadata-report.ts";
import type { OfflineRole } from "./next-root.ts";
import { signersOf } from "./sign.ts";

export interface DraftReport {
	/** `root 2`. */
	readonly title: string;
	readonly role: OfflineRole;
	readonly version: number;
	readonly expires: string;
	/** sha256 of what is signed, whoever has signed: equal for all copies of the draft. */
	readonly content: string;
	readonly roles: readonly RoleReport[];
	readonly demands: readonly Demand[];
	readonly complete: boolean;
	/** The version before; `sha256` is that of its file, for a root its fingerprint. */
	readonly previous: { readonly version: number; readonly sha256: string } | null;
	/** Of targets: the root that names the signers; `live` is false while its own signers have not signed it. */
	readonly root: { readonly version: number; readonly live: boolean } | null;
	readonly differences: readonly Difference[];
}

/** Errors of `demandsOf`. */
export async function reportOf(draft: Draft): Promise<DraftReport> {
	const demands = await demandsOf(draft);
	const { signed } = draft.metadata;
	const { previous } = draft;
	return {
		title: draftTitle(draft),
		role: draft.role,
		version: signed.version,
		expires: signed.expires,
		content: contentDigest(signed),
		roles: draft.role === "root" ? rootRoles(draft.metadata.signed) : targetsRoles(draft),
		demands,
		complete: isComplete(demands),
		previous: previous && {
			version: previous.metadata.signed.version,
			sha256: fileDigest(previous.metadata),
		},
		root: draft.role === "root" ? null : await rootState(draft.root),
		differences: differences(draft),
	};
}

function targetsRoles(draft: TargetsDraft): RoleReport[] {
	const { roles, keys } = draft.root.signed;
	return [roleReport("targets", roles.targets, keys), ...binRoles(draft.metadata.signed)];
}

async function rootState(root: Envelope<RootSigned>): Promise<{ version: number; live: boolean }> {
	const { version, roles, keys } = root.signed;
	return { version, live: (await signersOf(root, roles.root, keys)).length >= roles.root.threshold };
}
