// Which recall list this host has seen last, and how long it may be believed: var/lib/kfn/recall/list.json (docs/formats/recall.md).
// Refuses to call a list fresh again that was found expired, whatever the clock says later: only a newer list does that.

import type { PublicKey } from "#signing/public-key.ts";
import type { RecallList } from "#signing/recall-list.ts";
import { parseRegistryDocument } from "#signing/registry-document.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { time } from "../plan.ts";
import { count, exact, listOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readJson, unlessDamaged } from "../state-file.ts";
import { effectiveTime, readMark } from "../trust-state/mark.ts";
import { readCurrentSet } from "../trust-state/state.ts";
import type { RecallLock } from "./lock.ts";

const digest = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const shape = exact({
	schema: oneOf("kfn.recall-state/1"),
	sequence: count,
	issued: text,
	expires: text,
	/** Of the file that was verified. */
	sha256: digest,
	/** What the registry calls the file; null: the next look reads it whole. */
	etag: orNull(text),
	/** Documents whose revocations are all in revoked.json. */
	names: listOf(exact({ name: text, sha256: digest }), 4096),
	/** When it was verified, or the registry last said that it is still the same, while it had not expired. */
	checked: time,
	/** When it was first found expired; null while it was not. */
	stale: orNull(time),
});

export type RecallListState = Readonly<ReturnType<typeof shape>>;

/** Undefined before the first list, and where the file is damaged: then the list is read as for the first time. */
export function readListState(host: Host): RecallListState | undefined {
	return unlessDamaged(() => readJson(host.layout.recallList, shape));
}

export function writeListState({ host }: RecallLock, state: RecallListState): void {
	host.durable.makeFolder(host.layout.recall);
	host.durable.writeFile(host.layout.recallList, `${JSON.stringify(state, null, 2)}\n`);
}

/** The later of the clock, the last good look and the latest verified metadata: a clock that was set back brings nothing back. */
export function recallTime(host: Host, state: RecallListState | undefined): Date {
	const now = effectiveTime(host, readMark(host));
	const checked = state === undefined ? 0 : Date.parse(state.checked);
	return now.getTime() >= checked ? now : new Date(checked);
}

/** The key that the registry's verified document names; undefined where it names none, or nothing was verified yet. */
export function recallKeyInForce(host: Host): PublicKey | undefined {
	const bytes = readCurrentSet(host)?.files.get("registry.json");
	return bytes === undefined ? undefined : parseRegistryDocument(bytes).recall?.key;
}

export function isExpired(state: Pick<RecallList, "expires">, now: Date): boolean {
	return Date.parse(state.expires) <= now.getTime();
}

/** `kfn status --json`, field `recall`. */
export interface RecallStatus {
	/**
	 * `none`: the registry has no recall list, or none is pinned. `unread`: it has one, and this host has not read it. `fresh`: what is
	 * not on it is not revoked. `expired`: a recall may be withheld. `stopped`: so long that policy takes the registry's functions off.
	 */
	readonly state: "none" | "unread" | "fresh" | "expired" | "stopped";
	readonly sequence: number | null;
	/** When the registry last vouched for the list. */
	readonly checked: string | null;
	readonly expires: string | null;
	/** When policy stops the registry's functions, unless a newer list comes; null: never. */
	readonly stopsAt: string | null;
}

/** Looks at files only. Errors of `readCurrentSet` are "none": what is wrong with the trust is told there. */
export function recallStatus(host: Host): RecallStatus {
	const nothing = { sequence: null, checked: null, expires: null, stopsAt: null };
	if (keyOrNone(host) === undefined) return { state: "none", ...nothing };
	const state = readListState(host);
	if (state === undefined) return { state: "unread", ...nothing };
	const now = recallTime(host, state);
	const { stopAfterHours } = host.recall();
	const stops =
		stopAfterHours === undefined ? Infinity : Date.parse(state.expires) + stopAfterHours * 3_600_000;
	const stale = state.stale !== null || isExpired(state, now);
	return {
		state: !stale ? "fresh" : now.getTime() >= stops ? "stopped" : "expired",
		sequence: state.sequence,
		checked: state.checked,
		expires: state.expires,
		stopsAt: stops === Infinity ? null : new Date(stops).toISOString(),
	};
}

/** HOST_RECALL_STALE once policy has stopped: what would be activated may have been revoked, and the word of it withheld. */
export function demandNotStopped(host: Host): void {
	if (host.recall().stopAfterHours === undefined) return;
	const { state, expires } = recallStatus(host);
	if (state !== "stopped") return;
	throw new HostError("HOST_RECALL_STALE", `the recall list expired at ${expires}, and no newer one came`, {
		hint: "kfn recall check reads it; recall.stopAfterHours in config.json says how long this host goes on without",
		details: { expires, stopAfterHours: host.recall().stopAfterHours },
	});
}

function keyOrNone(host: Host): PublicKey | undefined {
	try {
		return recallKeyInForce(host);
	} catch (error) {
		if (error instanceof HostError) return undefined;
		throw error;
	}
}
