// What keeps functions of a plan from running side by side, found before anything changes: the loader would refuse the same, but
// only when the change is under way. Refuses nothing that it could not look at; the loader decides then.
import { HostError, LoaderError } from "./errors.ts";
import type { Host } from "./host.ts";
import type { ForeignProgram } from "./loader-answers.ts";
import { goneOf, inodeOf, type PlacedFunction, placesOf, plannedKey } from "./places.ts";
import { keyOf, type PlanFunction } from "./plan.ts";
import { namespaceFile, overlaps, type Scope, scopeParts } from "./scope.ts";
import { storedManifest } from "./store.ts";

/** A function with the kind of its programs: what the kernel keeps one of in a namespace. */
export interface Hooked {
	readonly entry: PlanFunction;
	readonly hooks: readonly string[];
}

/** The hooks that a stored function's programs take; none where the store cannot say. */
export function storedHooks(host: Host, entry: PlanFunction): Hooked {
	const manifest = storedManifest(host, entry.bundle.sha256, entry.bundle.manifestSha256);
	return { entry, hooks: hooksOf(manifest) };
}

export function hooksOf(
	manifest:
		| { readonly variants: readonly { readonly programs: readonly { readonly type: string }[] }[] }
		| undefined,
): string[] {
	const types = manifest?.variants.flatMap(({ programs }) => programs.map(({ type }) => type)) ?? [];
	return [...new Set(types)];
}

/** The same with the places that its scope means now. */
export interface PlacedHooks extends Hooked {
	readonly places: readonly PlacedFunction[];
}

/** Looks up the places of all of them at once: a more exact scope takes its place from a wider one. */
export async function placedHooks(host: Host, list: readonly Hooked[]): Promise<PlacedHooks[]> {
	const places = await placesOf(
		host,
		list.map(({ entry }) => entry),
	);
	return list.map((hooked) => ({
		...hooked,
		places: places.filter((place) => plannedKey(place) === keyOf(hooked.entry)),
	}));
}

/** A place that must be there and is not: HOST_NETNS_GONE, HOST_DEVICE_GONE. */
export async function demandPlace(host: Host, entry: PlanFunction): Promise<void> {
	if (!(await goneOf(host, [entry])).has(keyOf(entry))) return;
	const { scope } = entry;
	const file = namespaceFile(scope);
	if (host.namespaces.identity(file) === undefined) {
		throw new HostError("HOST_NETNS_GONE", `there is no network namespace at ${file}`, {
			hint: "make the namespace, or take the function out of the state",
			details: { scope },
		});
	}
	throw new HostError("HOST_DEVICE_GONE", `there is no network device ${scopeParts(scope).name}`, {
		hint: "make the device, or take the function out of the state",
		details: { scope },
	});
}

/** HOST_SCOPE_OVERLAP where another entry of the function has a pattern that can match what this one's does. */
export function demandNoOverlap(wanted: PlanFunction, others: readonly PlanFunction[]): void {
	const other = others.find(
		(entry) =>
			entry.function === wanted.function &&
			entry.scope !== wanted.scope &&
			overlaps(entry.scope, wanted.scope),
	);
	if (other === undefined) return;
	const both = `${other.scope} (${other.bundle.name} ${other.bundle.version})`;
	throw new HostError("HOST_SCOPE_OVERLAP", `${both} can match the same namespaces as ${wanted.scope}`, {
		hint: "nothing would say which of the two a namespace belongs to: take one of them out, or name the namespace itself",
		details: { scope: wanted.scope, other: { function: other.function, scope: other.scope } },
	});
}

/**
 * HOST_HOOK_TAKEN where two functions take one hook of a place, under whatever names; HOST_SCOPE_CONFLICT where a flow
 * dissector is in the root namespace and another elsewhere (net/core/flow_dissector.c). The error is about `wanted`.
 */
export function demandFreeHook(host: Host, wanted: PlacedHooks, others: readonly PlacedHooks[]): void {
	const root = inodeOf(host, "netns:root" as Scope);
	for (const other of others) {
		if (keyOf(other.entry) === keyOf(wanted.entry)) continue;
		const shared = wanted.hooks.find((hook) => other.hooks.includes(hook));
		if (shared === undefined) continue;
		const pairs = wanted.places.flatMap((own) => other.places.map((theirs) => [own, theirs] as const));
		for (const [own, theirs] of pairs) {
			if (own.inode === undefined || theirs.inode === undefined) continue;
			if (own.inode === theirs.inode && own.ifindex === theirs.ifindex)
				throw taken(shared, wanted.entry, other.entry);
			if (shared === "flow_dissector" && (own.inode === root || theirs.inode === root))
				throw excluded(wanted.entry, other.entry);
		}
	}
}

/** Programs that are not kfn's in the namespaces of these places; a reason where nobody could look. */
export async function foreignPrograms(
	host: Host,
	places: readonly PlacedFunction[],
): Promise<{ readonly found: readonly ForeignProgram[]; readonly unseen: string | undefined }> {
	// At a device many programs run one after the other: those of others are no conflict.
	const hooked = places.filter(({ scope }) => scopeParts(scope).kind === "netns");
	const files = [...new Set(hooked.map(({ scope }) => namespaceFile(scope)))];
	if (files.length === 0) return { found: [], unseen: undefined };
	try {
		return { found: (await host.loader.inspect(files)).foreign, unseen: undefined };
	} catch (error) {
		if (!(error instanceof LoaderError) && !(error instanceof HostError)) throw error;
		return { found: [], unseen: `whether others hold a hook could not be looked at: ${error.message}` };
	}
}

/** HOST_FOREIGN_PROGRAM where one of them holds a hook that the function needs. */
export function demandNoForeign({ places, hooks }: PlacedHooks, foreign: readonly ForeignProgram[]): void {
	for (const { scope } of places) {
		const file = `netns:${namespaceFile(scope)}`;
		const found = foreign.find((program) => program.scope === file && hooks.includes(program.hook));
		if (found !== undefined) throw heldByOther(scope, found);
	}
}

function heldByOther(scope: Scope, found: ForeignProgram): HostError {
	const named = found.name === undefined ? "" : ` (${found.name})`;
	return new HostError(
		"HOST_FOREIGN_PROGRAM",
		`the ${found.hook} hook: program ${found.programId}${named}, which is not kfn's, holds it`,
		{
			hint: "kfn never replaces what it did not attach: detach it with the tool that did (bpftool net shows it)",
			details: { scope, hook: found.hook, programId: found.programId },
		},
	);
}

function taken(hook: string, wanted: PlanFunction, other: PlanFunction): HostError {
	const both = `${other.function} (${other.bundle.name}) in ${other.scope}`;
	return new HostError("HOST_HOOK_TAKEN", `${both} takes the ${hook} hook of the same namespace`, {
		hint: "the kernel runs one program there: take one of the two out of the state",
		details: { scope: wanted.scope, hook, other: { function: other.function, scope: other.scope } },
	});
}

function excluded(wanted: PlanFunction, other: PlanFunction): HostError {
	return new HostError(
		"HOST_SCOPE_CONFLICT",
		`${other.function} in ${other.scope}: a flow dissector in the root namespace and one elsewhere exclude each other`,
		{
			hint: "keep the one in netns:root, which sees the packets of all namespaces, or those in the others",
			details: { scope: wanted.scope, other: { function: other.function, scope: other.scope } },
		},
	);
}
