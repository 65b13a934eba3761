// What a device's offload asks of revocations (design §7: "not revoked"). Reads once; refuses to answer from a damaged memory.
import type { Host } from "../host.ts";
import { readRevoked } from "./revoked.ts";

export interface RevokedStanding {
	/**
	 * The revocation in force that names the tag; undefined where none does. With `name` only what that bundle's publisher
	 * revoked, as for what the kernel runs; without, what anybody who is trusted here revoked: a device need not be asked twice.
	 */
	revoked(tag: string, name?: string): { readonly id: string; readonly reason: string } | undefined;
}

/** As this host knows it now. HOST_REVOKED_MALFORMED. */
export function openRevokedStanding(host: Host): RevokedStanding {
	const inForce = readRevoked(host).filter(({ state }) => state === "revoked");
	return {
		revoked(tag, name) {
			const found = inForce.find(
				(record) => record.tags.includes(tag) && (name === undefined || record.name === name),
			);
			return found === undefined ? undefined : { id: found.id, reason: found.reason };
		},
	};
}
