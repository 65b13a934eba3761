// What scopes mean now: the places of a plan's functions, as the loader would expand it (native/expand.c, whose rules these are).
// Asks the loader only where a scope describes many places or names a device. Refuses nothing: what is gone has no inode.
import type { Host } from "./host.ts";
import type { Pin, ScopesAnswer } from "./loader-answers.ts";
import { keyOf, type PlanFunction } from "./plan.ts";
import { isOnePlace, namespaceFile, type Scope, scopeParts } from "./scope.ts";

/** A function in one place: `scope` names that place, `planned` is the plan's own word for it. */
export interface PlacedFunction extends PlanFunction {
	readonly planned: Scope;
	/** Of the namespace's file; undefined where the place is gone, or may not be seen. */
	readonly inode: number | undefined;
	/** Null where the place is the namespace itself. */
	readonly ifindex: number | null;
}

type Instance = ScopesAnswer["scopes"][number]["instances"][number];

/** What is more exact goes first. */
const RANK = { none: 0, netns: 0, dev: 0, pattern: 1, driver: 1, bus: 2 } as const;

/** Whether the scope describes places that may come later. */
export const isWide = (scope: Scope): boolean => RANK[scopeParts(scope).kind] > 0;

/** The place of a namespace by its file, as the loader would report it. */
export function inodeOf(host: Host, scope: Scope): number | undefined {
	const identity = host.namespaces.identity(namespaceFile(scope));
	return identity === undefined ? undefined : Number(identity.split(":")[1]);
}

/**
 * Every place of the functions, in their order, then by name. One that names a place stands there even where that is gone. Of two
 * names for one place, the one in `pins` counts. Throws what the loader refuses.
 */
export async function placesOf(
	host: Host,
	functions: readonly PlanFunction[],
	pins: readonly Pin[] = [],
): Promise<PlacedFunction[]> {
	const instances = await instancesOf(host, functions);
	const ranked = functions
		.map((entry, at) => ({ entry, at, rank: RANK[scopeParts(entry.scope).kind] }))
		.sort((a, b) => a.rank - b.rank || a.at - b.at);
	const found: { readonly at: number; readonly place: PlacedFunction }[] = [];
	const taken = new Set<string>();
	for (const { entry, at, rank } of ranked) {
		const own = pinnedFirst(entry, instances.get(entry.scope) ?? [], pins);
		const mine = own.filter((one) => {
			const key = `${entry.function} ${one.netnsInode} ${one.ifindex}`;
			if (rank > 0 && taken.has(key)) return false;
			taken.add(key);
			return true;
		});
		for (const one of mine) found.push({ at, place: placed(entry, one) });
		if (rank === 0 && own.length === 0)
			found.push({ at, place: { ...entry, planned: entry.scope, inode: undefined, ifindex: null } });
	}
	return found
		.sort((a, b) => a.at - b.at || Buffer.compare(Buffer.from(a.place.scope), Buffer.from(b.place.scope)))
		.map(({ place }) => place);
}

/** The keys of functions whose one place, or the namespace of whose devices, is gone. Pid 1's namespace is always there. */
export async function goneOf(host: Host, functions: readonly PlanFunction[]): Promise<ReadonlySet<string>> {
	const isDevice = ({ scope }: PlanFunction) => scopeParts(scope).kind === "dev";
	const devices = functions.filter(isDevice);
	const instances = devices.length === 0 ? new Map() : await instancesOf(host, devices);
	const isGone = (entry: PlanFunction) => {
		const { kind } = scopeParts(entry.scope);
		if (kind === "none" || kind === "pattern" || entry.scope === "netns:root") return false;
		return isDevice(entry)
			? (instances.get(entry.scope) ?? []).length === 0
			: inodeOf(host, entry.scope) === undefined;
	};
	return new Set(functions.filter(isGone).map(keyOf));
}

async function instancesOf(
	host: Host,
	functions: readonly PlanFunction[],
): Promise<ReadonlyMap<Scope, readonly Instance[]>> {
	const scopes = [...new Set(functions.map(({ scope }) => scope))];
	const asked = scopes.filter((scope) => isWide(scope) || scopeParts(scope).kind === "dev");
	const answer = asked.length === 0 ? [] : (await host.loader.scopes(asked)).scopes;
	const told = new Map(answer.map(({ scope, instances }) => [scope, instances]));
	return new Map(
		scopes.map((scope): [Scope, readonly Instance[]] => {
			if (asked.includes(scope)) return [scope, told.get(scope) ?? []];
			const inode = scopeParts(scope).kind === "none" ? undefined : inodeOf(host, scope);
			return [scope, inode === undefined ? [] : [{ scope, netnsInode: inode, ifindex: null }]];
		}),
	);
}

function pinnedFirst(
	entry: PlanFunction,
	instances: readonly Instance[],
	pins: readonly Pin[],
): readonly Instance[] {
	if (isOnePlace(entry.scope)) return instances;
	const isPinned = (one: Instance) =>
		pins.some(
			(pin) =>
				keyOf(pin) === keyOf({ function: entry.function, scope: one.scope }) &&
				pin.link?.netnsInode === one.netnsInode,
		);
	return [...instances.filter(isPinned), ...instances.filter((one) => !isPinned(one))];
}

function placed(entry: PlanFunction, one: Instance): PlacedFunction {
	return {
		...entry,
		scope: one.scope as Scope,
		planned: entry.scope,
		inode: one.netnsInode,
		ifindex: one.ifindex,
	};
}

/** The plan's key of what the loader answered of one place. */
export function plannedKey(told: {
	readonly function: string;
	readonly scope: string;
	readonly planned?: string | undefined;
}): string {
	return keyOf({ function: told.function, scope: told.planned ?? told.scope });
}
