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
