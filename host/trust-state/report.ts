// What `kfn status` and `kfn trust root show` say of this host's trust in its registry. Looks at files only; refuses to call
// anything fresh that it could not read whole.
import { codeOf, HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { effectiveTime } from "./mark.ts";
import { findPin, type PinnedRoot } from "./pin.ts";
import type { TrustSet } from "./set.ts";
import { readTrustState } from "./state.ts";

/** The field `trust` of `kfn status --json` (docs/formats/trust-state.md). */
export interface TrustStatus {
	/**
	 * `unpinned`: no root. `unread`: a root, and nothing verified yet. `fresh`: all verified and unexpired. `expired`: the next
	 * read of the registry must bring newer metadata. `suspended`: policy lets expired metadata count. `incomplete`: the last
	 * refresh was refused half-way. `damaged`: what is remembered cannot be used; `problem` says why.
	 */
	readonly state: "unpinned" | "unread" | "fresh" | "expired" | "suspended" | "incomplete" | "damaged";
	/** The newest verified root, or the pinned one before any was. */
	readonly root: { readonly version: number; readonly expires: string } | null;
	/** sha256 of the pinned root's bytes. */
	readonly pinned: {
		readonly fingerprint: string;
		readonly version: number;
		readonly by: "operator" | "package";
	} | null;
	/** Until when what is trusted needs no newer metadata; null where nothing was verified. */
	readonly freshUntil: string | null;
	/** The guarantee that rests on policy instead of the registry's signatures. */
	readonly suspended: {
		readonly guarantee: "freshness";
		readonly since: string;
		readonly roles: readonly string[];
	} | null;
	readonly problem: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
}

const NOTHING = { root: null, pinned: null, freshUntil: null, suspended: null, problem: null } as const;

/** Never throws for what it finds: a damaged memory is an answer. */
export function trustStatus(host: Host): TrustStatus {
	let pin: PinnedRoot | undefined;
	try {
		pin = findPin(host);
		const state = readTrustState(host);
		if (state.set === undefined) return { ...NOTHING, ...ofPin(state.pin), state: "unread" };
		return { ...NOTHING, ...ofPin(state.pin), ...ofSet(state.set, effectiveTime(host, state.mark)) };
	} catch (error) {
		if (!(error instanceof HostError)) throw error;
		if (codeOf(error) === "HOST_TRUST_NO_ROOT") return { ...NOTHING, state: "unpinned" };
		const problem = { code: error.code, message: error.message, hint: error.hint ?? null };
		return { ...NOTHING, ...(pin === undefined ? {} : ofPin(pin)), state: "damaged", problem };
	}
}

function ofPin({ root, by }: PinnedRoot): Pick<TrustStatus, "root" | "pinned"> {
	const { version, expires, fingerprint } = root;
	return { root: { version, expires }, pinned: { fingerprint, version, by } };
}

function ofSet(
	{ record }: TrustSet,
	now: Date,
): Pick<TrustStatus, "state" | "root" | "freshUntil" | "suspended"> {
	const { roles, stale, complete } = record;
	const expiries = Object.values(roles).map(({ expires }) => Date.parse(expires));
	const until = new Date(Math.min(...expiries));
	const { version, expires } = roles.root!;
	const suspended =
		stale === null ? null : { guarantee: "freshness" as const, since: stale.since, roles: stale.roles };
	const fresh = until > now ? "fresh" : "expired";
	return {
		state: !complete ? "incomplete" : suspended === null ? fresh : "suspended",
		root: { version, expires },
		freshUntil: until.toISOString(),
		suspended,
	};
}
