// How long each role's metadata counts, and when the registry renews what it signs itself. Refuses to look at a clock.
import { expiryAfter, ROLE_DAYS } from "#signing/tuf/time.ts";

export type RoleKind = keyof typeof ROLE_DAYS;

const DAY_MS = 86_400_000;

/** Renewed when less than this part of its life is left. Root and targets are not the registry's to renew. */
const RENEWED_AT = { bins: 1 / 3, snapshot: 1 / 2, timestamp: 1 / 2 } as const;

/** Everything but the three top-level roles with names of their own is a bin. */
export function kindOfRole(role: string): RoleKind {
	return role === "root" || role === "targets" || role === "snapshot" || role === "timestamp" ? role : "bins";
}

export function expiryOf(kind: RoleKind, now: Date): string {
	return expiryAfter(now, ROLE_DAYS[kind]);
}

/** The moment from which an online role is due. */
export function renewalTime(kind: keyof typeof RENEWED_AT, expires: string): Date {
	return new Date(Date.parse(expires) - RENEWED_AT[kind] * ROLE_DAYS[kind] * DAY_MS);
}
