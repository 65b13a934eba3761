// How long the live metadata still counts, role by role, and what to warn of early. Refuses to tell what is published.
import type { RecallList } from "#signing/recall-list.ts";
import { ROLE_DAYS } from "#signing/tuf/time.ts";
import { RegistryError } from "../api/errors.ts";
import type { HealthDocument, RoleHealth } from "../api/wire.ts";
import type { RoleRecord } from "../ports/metadata-store.ts";
import { kindOfRole, type RoleKind } from "../trust/expiry.ts";
import { listLiveRoles } from "../trust/renewal.ts";
import { currentRecallList, RECALL_LIST_DAYS } from "../trust/repository.ts";
import type { RegistryContext } from "./registry-context.ts";

const DAY = 86_400;

/** Seconds left below which a role is warned of: people get a month, the registry's own renewals half of what they start at. */
const WARN_BELOW: Readonly<Record<RoleKind, number>> = {
	root: 30 * DAY,
	targets: 30 * DAY,
	bins: (ROLE_DAYS.bins * DAY) / 6,
	snapshot: (ROLE_DAYS.snapshot * DAY) / 4,
	timestamp: (ROLE_DAYS.timestamp * DAY) / 4,
};

export interface TrustHealth {
	/** For all bins together: the one that expires first. */
	readonly roles: Readonly<Record<RoleKind, RoleHealth>>;
	/** One sentence each; empty when all is well. */
	readonly warnings: readonly string[];
	readonly expired: readonly RoleKind[];
}

/** REGISTRY_NOT_INITIALISED. */
export async function trustHealth(registry: RegistryContext): Promise<TrustHealth> {
	const [records, list] = await registry.metadata.read(
		async (reads) => [await listLiveRoles(reads), await currentRecallList(reads)] as const,
	);
	const now = registry.now().getTime();
	const first = new Map<RoleKind, RoleRecord>();
	for (const record of records) {
		const kind = kindOfRole(record.role);
		if (record.expires < (first.get(kind)?.expires ?? "~")) first.set(kind, record);
	}
	const kinds = Object.keys(ROLE_DAYS) as RoleKind[];
	const roles = Object.fromEntries(
		kinds.map((kind) => {
			const { version, expires } = first.get(kind)!;
			const secondsLeft = Math.floor((Date.parse(expires) - now) / 1000);
			return [kind, { version, expires, secondsLeft }];
		}),
	) as Record<RoleKind, RoleHealth>;
	const low = kinds.filter((kind) => roles[kind].secondsLeft < WARN_BELOW[kind]);
	return {
		roles,
		warnings: [...low.map((kind) => warning(kind, roles[kind])), ...recallWarning(list, now)],
		expired: kinds.filter((kind) => roles[kind].secondsLeft <= 0),
	};
}

/** Hosts warn once it has expired; what they may believe of the metadata does not hang on it. */
function recallWarning(list: RecallList | undefined, now: number): string[] {
	if (list === undefined || Date.parse(list.expires) - now >= (RECALL_LIST_DAYS * DAY * 1000) / 4) return [];
	return [`the recall list expires at ${list.expires} (the registry should have renewed it: see its log)`];
}

/** REGISTRY_METADATA_EXPIRED: no client takes what this registry serves. */
export async function readHealth(registry: RegistryContext): Promise<HealthDocument> {
	const { roles, warnings, expired } = await trustHealth(registry);
	if (expired.length > 0) {
		throw new RegistryError("REGISTRY_METADATA_EXPIRED", `expired: ${expired.join(", ")}`, {
			hint: warnings.join("; "),
			details: { trust: roles },
		});
	}
	return { schema: "kfn.health/1", status: warnings.length === 0 ? "ok" : "warning", trust: roles };
}

function warning(kind: RoleKind, { expires, secondsLeft }: RoleHealth): string {
	const verb = secondsLeft <= 0 ? "expired" : "expires";
	const advice = {
		root: "its signers renew it: kfn root rotate",
		targets: "its signers renew it: kfn root rotate --role targets",
		bins: "the registry should have renewed it: see its log",
		snapshot: "the registry should have renewed it: see its log",
		timestamp: "the registry should have renewed it: see its log",
	}[kind];
	return `${kind} ${verb} at ${expires} (${advice})`;
}
