// Whose bundles this host runs: etc/kfn/trust/publishers.json, read and changed. Refuses to leave a name with fewer keys than its threshold.
import { parsePublicKey } from "#signing/public-key.ts";
import {
	type Publisher,
	type Publishers,
	parsePublishers,
	publisherFor,
	serializePublishers,
} from "#signing/publishers.ts";
import { unreachableIn, withoutPublisher, withPublisher } from "#signing/publishers-change.ts";
import { codeOf, HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { publishersInForce, readPublishers } from "./publishers.ts";
import { readIfThere } from "./state-file.ts";

/** One trusted publisher, as `kfn trust list --json` prints it. */
export interface TrustedPublisher {
	readonly names: readonly string[];
	readonly threshold: number;
	readonly keys: readonly { keyid: string; comment: string }[];
}

export interface TrustReport {
	readonly changed: boolean;
	readonly publishers: readonly TrustedPublisher[];
	/** Active bundles that no trusted publisher may sign any more: they run on, but will not load again. */
	readonly orphaned: readonly string[];
}

export function trustList(host: Host): TrustedPublisher[] {
	return readPublishers(host).publishers.map(summary);
}

/**
 * Trusts keys for a name (or a prefix with one final `*`): keys are added to the name's own entry, or a new entry is
 * put before the first whose pattern would otherwise decide. `threshold` replaces the entry's; 1 for a new one.
 *
 * KEY_ codes for a bad line, PUBLISHERS_MALFORMED for a bad name, HOST_TRUST_THRESHOLD beyond the number of keys.
 */
export function trustAdd(
	lock: HostLock,
	request: { name: string; keys: readonly string[]; threshold?: number | undefined },
): TrustReport {
	const { name, threshold } = request;
	const keys = request.keys.map((line) => parsePublicKey(line.trim()));
	return write(lock, withPublisher(readPublishers(lock.host), { name, keys, threshold }));
}

/**
 * Stops trusting a name (with all its keys), a key (wherever it stands), or a key for one name.
 *
 * HOST_TRUST_UNKNOWN where nothing matches; HOST_TRUST_THRESHOLD where a name would keep fewer keys than it asks for.
 */
export function trustRemove(
	lock: HostLock,
	request: { name?: string | undefined; keyid?: string | undefined },
): TrustReport {
	const changed = withoutPublisher(readPublishers(lock.host), request);
	if (changed === undefined) throw unknown(request.name, request.keyid);
	return write(lock, changed);
}

function write(lock: HostLock, map: Publishers): TrustReport {
	const { durable, layout } = lock.host;
	const wrong = unreachableIn(map);
	if (wrong !== undefined) {
		const { names, threshold, keys } = wrong;
		throw new HostError(
			"HOST_TRUST_THRESHOLD",
			`${names.join(", ")}: threshold ${threshold} with ${keys.length} keys`,
			{
				hint: "a threshold is a whole number from 1 to the number of keys; lower it or add keys first",
				details: { names, threshold, keys: keys.length },
			},
		);
	}
	const bytes = serializePublishers(map);
	// What is written must be readable by the loader, at boot, when nobody is there to repair it.
	parsePublishers(bytes);
	const before = readIfThere(layout.publishers);
	const changed = before === undefined || Buffer.compare(before, bytes) !== 0;
	if (changed) {
		durable.makeFolder(layout.trust);
		durable.writeFile(layout.publishers, bytes);
	}
	return {
		changed,
		publishers: map.publishers.map(summary),
		orphaned: orphans(lock.host, publishersInForce(lock.host, map)),
	};
}

function orphans(host: Host, map: Publishers): string[] {
	const active = new Set(readCurrentPlan(host).functions.map((entry) => entry.bundle.name));
	return [...active].filter((name) => {
		try {
			publisherFor(map, name);
			return false;
		} catch (error) {
			if (codeOf(error) !== "PUBLISHERS_NO_MATCH") throw error;
			return true;
		}
	});
}

function summary({ names, threshold, keys }: Publisher): TrustedPublisher {
	return { names, threshold, keys: keys.map(({ keyid, comment }) => ({ keyid, comment })) };
}

function unknown(name: string | undefined, keyid: string | undefined): HostError {
	const what = [name, keyid].filter((part) => part !== undefined).join(" with key ");
	return new HostError("HOST_TRUST_UNKNOWN", `no trusted publisher has ${what || "what was asked for"}`, {
		hint: "kfn trust list shows whom this host trusts",
		details: { name: name ?? null, keyid: keyid ?? null },
	});
}
