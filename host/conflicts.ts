// What keeps functions of a plan from running side by side, found before anything changes: the loader would refuse the same, but
// only when the change is under way. Refuses nothing that it could not look at; the loader decides then.
import { HostError, LoaderError } from "./errors.ts";
import type { Host } from "./host.ts";
import type { ForeignProgram } from "./loader-answers.ts";
import { keyOf, type PlanFunction } from "./plan.ts";
import { namespaceFile, ROOT_NAMESPACE } from "./scope.ts";
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

/** The namespace of a scope that must run and has none: HOST_NETNS_GONE. */
export function demandNamespace(host: Host, { scope }: PlanFunction): void {
	if (scope === "netns:root" || host.namespaces.identity(namespaceFile(scope)) !== undefined) return;
	throw new HostError("HOST_NETNS_GONE", `there is no network namespace at ${namespaceFile(scope)}`, {
		hint: "make the namespace, or take the function out of the state",
		details: { scope },
	});
}

/**
 * HOST_HOOK_TAKEN where two functions take one hook of a namespace, under whatever names; HOST_SCOPE_CONFLICT where a flow
 * dissector is in the root namespace and another elsewhere (net/core/flow_dissector.c). The error is about `wanted`.
 */
export function demandFreeHook(host: Host, wanted: Hooked, others: readonly Hooked[]): void {
	const own = identityOf(host, wanted.entry);
	for (const other of others) {
		if (keyOf(other.entry) === keyOf(wanted.entry)) continue;
		const shared = wanted.hooks.find((hook) => other.hooks.includes(hook));
		const theirs = identityOf(host, other.entry);
		if (shared === undefined || own === undefined || theirs === undefined) continue;
		if (own === theirs) throw taken(shared, wanted.entry, other.entry);
		const root = host.namespaces.identity(ROOT_NAMESPACE);
		if (shared === "flow_dissector" && (own === root || theirs === root))
			throw excluded(wanted.entry, other.entry);
	}
}

/** Programs that are not kfn's in the namespaces of these functions; a reason where nobody could look. */
export async function foreignPrograms(
	host: Host,
	entries: readonly PlanFunction[],
): Promise<{ readonly found: readonly ForeignProgram[]; readonly unseen: string | undefined }> {
	const files = [...new Set(entries.map(({ scope }) => namespaceFile(scope)))];
	if (files.length === 0) return { found: [], unseen: undefined };
	try {
		return { found: (await host.loader.inspect(files)).foreign, unseen: undefined };
	} catch (error) {
		if (!(error instanceof LoaderError) && !(error instanceof HostError)) throw error;
		return { found: [], unseen: `whether others hold a hook could not be looked at: ${error.message}` };
	}
}

/** HOST_FOREIGN_PROGRAM where one of them holds a hook that the function needs. */
export function demandNoForeign({ entry, hooks }: Hooked, foreign: readonly ForeignProgram[]): void {
	const scope = `netns:${namespaceFile(entry.scope)}`;
	const found = foreign.find((program) => program.scope === scope && hooks.includes(program.hook));
	if (found === undefined) return;
	const named = found.name === undefined ? "" : ` (${found.name})`;
	throw new HostError(
		"HOST_FOREIGN_PROGRAM",
		`the ${found.hook} hook: program ${found.programId}${named}, which is not kfn's, holds it`,
		{
			hint: "kfn never replaces what it did not attach: detach it with the tool that did (bpftool net shows it)",
			details: { scope: entry.scope, hook: found.hook, programId: found.programId },
		},
	);
}

function identityOf(host: Host, { scope }: PlanFunction): string | undefined {
	return host.namespaces.identity(namespaceFile(scope));
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
