// Changes an authorisation map: the host's own and the registry's are edited by the same rules. Refuses nothing itself: callers
// look at unreachableIn() and name their own errors.
import type { KeyId, PublicKey } from "./public-key.ts";
import type { Publisher, Publishers } from "./publishers.ts";

/**
 * Keys for a name (or a prefix with one final `*`): added to the name's own entry, or in a new entry that is put before the first
 * whose pattern would otherwise decide. `threshold` replaces the entry's; 1 for a new one.
 */
export function withPublisher(
	{ publishers }: Publishers,
	change: {
		readonly name: string;
		readonly keys: readonly PublicKey[];
		readonly threshold: number | undefined;
	},
): Publishers {
	const { name, threshold } = change;
	const own = publishers.find((entry) => entry.names.includes(name));
	const rest = own === undefined ? publishers : withoutName(publishers, own, name);
	const entry: Publisher = {
		...own,
		names: [name],
		threshold: threshold ?? own?.threshold ?? 1,
		keys: mergeKeys(own?.keys ?? [], change.keys),
	};
	const at = rest.findIndex((candidate) => candidate.names.some((pattern) => covers(pattern, name)));
	const place = at === -1 ? rest.length : at;
	return { publishers: [...rest.slice(0, place), entry, ...rest.slice(place)] };
}

/**
 * Without a name (and all its keys), a key (wherever it stands), or a key of one name; an entry whose last key goes, goes.
 * Undefined where nothing is concerned.
 */
export function withoutPublisher(
	map: Publishers,
	what: { readonly name?: string | undefined; readonly keyid?: string | undefined },
): Publishers | undefined {
	const { name, keyid } = what;
	let { publishers } = map;
	const concerned = publishers.filter(
		(entry) =>
			(name === undefined || entry.names.includes(name)) &&
			(keyid === undefined || entry.keys.some((key) => key.keyid === keyid)),
	);
	if (concerned.length === 0 || (name === undefined && keyid === undefined)) return undefined;
	for (const entry of concerned) {
		const rest =
			name === undefined ? publishers.filter((e) => e !== entry) : withoutName(publishers, entry, name);
		const keys = keyid === undefined ? [] : entry.keys.filter((key) => key.keyid !== keyid);
		const names = name === undefined ? entry.names : [name];
		const at = publishers.indexOf(entry);
		publishers =
			keys.length === 0 ? rest : [...rest.slice(0, at), { ...entry, names, keys }, ...rest.slice(at)];
	}
	return { publishers };
}

/**
 * With a key of a name moved to its revoked keys, where only these manifests of what it signed go on; of a name that shares its
 * entry with others, in an entry of its own. A key that is revoked already gets the new reason and manifests. Undefined where
 * the name has no such key.
 */
export function withRevoked(
	map: Publishers,
	change: {
		readonly name: string;
		readonly keyid: string;
		readonly reason: string;
		readonly manifests: readonly string[];
	},
): Publishers | undefined {
	const own = map.publishers.find((entry) => entry.names.includes(change.name));
	const known = [...(own?.keys ?? []), ...(own?.revoked ?? []).map(({ key }) => key)];
	const key = known.find(({ keyid }) => keyid === change.keyid);
	if (own === undefined || key === undefined) return undefined;
	const { reason, manifests } = change;
	const others = (own.revoked ?? []).filter((revoked) => revoked.key.keyid !== key.keyid);
	const entry: Publisher = {
		...own,
		names: [change.name],
		keys: own.keys.filter(({ keyid }) => keyid !== key.keyid),
		revoked: [...others, { key, reason, manifests }],
	};
	const at = map.publishers.indexOf(own);
	const rest = withoutName(map.publishers, own, change.name);
	return { publishers: [...rest.slice(0, at), entry, ...rest.slice(at)] };
}

/** With another threshold for the entry that has the name as a pattern. */
export function withThreshold({ publishers }: Publishers, name: string, threshold: number): Publishers {
	return {
		publishers: publishers.map((entry) => (entry.names.includes(name) ? { ...entry, threshold } : entry)),
	};
}

/** The first entry whose threshold its keys cannot reach; a map that has one is malformed. */
export function unreachableIn({ publishers }: Publishers): Publisher | undefined {
	return publishers.find(
		({ threshold, keys }) => !(Number.isInteger(threshold) && threshold >= 1 && threshold <= keys.length),
	);
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
	return [...new Map<KeyId, PublicKey>([...own, ...added].map((key) => [key.keyid, key])).values()];
}

/** Says whether `pattern` decides for all that `name` (itself perhaps a pattern) stands for. */
function covers(pattern: string, name: string): boolean {
	return pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1));
}
