// Whose bundles this host runs: etc/kfn/trust/publishers.json, read and changed. Refuses to leave a name with fewer keys than its threshold.
import { type PublicKey, parsePublicKey } from "#signing/public-key.ts";
import {
	type Publisher,
	type Publishers,
	parsePublishers,
	publisherFor,
	serializePublishers,
} from "#signing/publishers.ts";
import { codeOf, HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
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

/** The host's publishers; none where the file does not exist. PUBLISHERS_MALFORMED where it is anything else. */
export function readPublishers(host: Host): Publishers {
	const bytes = readIfThere(host.layout.publishers);
	return bytes === undefined ? { publishers: [] } : parsePublishers(bytes);
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
	const { publishers } = readPublishers(lock.host);
	const own = publishers.find((entry) => entry.names.includes(name));
	const rest = own === undefined ? publishers : withoutName(publishers, own, name);
	const entry: Publisher = {
		names: [name],
		threshold: threshold ?? own?.threshold ?? 1,
		keys: mergeKeys(own?.keys ?? [], keys),
	};
	const at = rest.findIndex((candidate) => candidate.names.some((pattern) => covers(pattern, name)));
	const place = at === -1 ? rest.length : at;
	return write(lock, [...rest.slice(0, place), entry, ...rest.slice(place)]);
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
	const { name, keyid } = request;
	let { publishers } = readPublishers(lock.host);
	const concerned = publishers.filter(
		(entry) =>
			(name === undefined || entry.names.includes(name)) &&
			(keyid === undefined || entry.keys.some((key) => key.keyid === keyid)),
	);
	if (concerned.length === 0 || (name === undefined && keyid === undefined)) throw unknown(name, keyid);
	for (const entry of concerned) {
		const rest =
			name === undefined ? publishers.filter((e) => e !== entry) : withoutName(publishers, entry, name);
		const keys = keyid === undefined ? [] : entry.keys.filter((key) => key.keyid !== keyid);
		const names = name === undefined ? entry.names : [name];
		const at = publishers.indexOf(entry);
		publishers =
			keys.length === 0 ? rest : [...rest.slice(0, at), { ...entry, names, keys }, ...rest.slice(at)];
	}
	return write(lock, publishers);
}

function write(lock: HostLock, publishers: readonly Publisher[]): TrustReport {
	const { durable, layout } = lock.host;
	for (const { names, threshold, keys } of publishers) {
		if (Number.isInteger(threshold) && threshold >= 1 && threshold <= keys.length) continue;
		throw new HostError(
			"HOST_TRUST_THRESHOLD",
			`${names.join(", ")}: threshold ${threshold} with ${keys.length} keys`,
			{
				hint: "a threshold is a whole number from 1 to the number of keys; lower it or add keys first",
				details: { names, threshold, keys: keys.length },
			},
		);
	}
	const bytes = serializePublishers({ publishers });
	// What is written must be readable by the loader, at boot, when nobody is there to repair it.
	parsePublishers(bytes);
	const before = readIfThere(layout.publishers);
	const changed = before === undefined || Buffer.compare(before, bytes) !== 0;
	if (changed) {
		durable.makeFolder(layout.trust);
		durable.writeFile(layout.publishers, bytes);
	}
	return { changed, publishers: publishers.map(summary), orphaned: orphans(lock.host, { publishers }) };
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

/** Takes a name out of its entry; the entry goes where it was the last. */
function withoutName(publishers: readonly Publisher[], own: Publisher, name: string): Publisher[] {
	return publishers.flatMap((entry) => {
		if (entry !== own) return [entry];
		const names = entry.names.filter((pattern) => pattern !== name);
		return names.length === 0 ? [] : [{ ...entry, names }];
	});
}

function mergeKeys(own: readonly PublicKey[], added: readonly PublicKey[]): PublicKey[] {
	return [...new Map([...own, ...added].map((key) => [key.keyid, key])).values()];
}

/** Says whether `pattern` decides for all that `name` (itself perhaps a pattern) stands for. */
function covers(pattern: string, name: string): boolean {
	return pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1));
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
