// What scopes mean on the fake machine, whose devices are found by name only. As native/expand.c, but for two names of one namespace
// in a pattern: the first counts, whatever is pinned.
import type { Plan, PlanFunction } from "#host/plan.ts";
import { parseScope, type Scope, scopeParts } from "#host/scope.ts";
import { type FakeKernel, fakeNamespaces } from "./fake-kernel.ts";

/** `planned`: the plan's own scope, where this is one of its places. */
export type FakeFunction = PlanFunction & { readonly planned?: string };

/** Of a name at most one; of a pattern all that match. */
export function instancesOf(kernel: FakeKernel, scope: string) {
	const { kind, netns } = scopeParts(parseScope(scope));
	const { namespaces, devices = {} } = kernel.read();
	const netnsInode = namespaces[netns];
	if (kind === "dev") {
		const device = devices[scope];
		return device === undefined || netnsInode === undefined
			? []
			: [{ scope, netnsInode, ifindex: device.ifindex }];
	}
	const folder = netns.slice(0, netns.lastIndexOf("/"));
	const files =
		kind === "pattern"
			? fakeNamespaces(kernel)
					.named(folder)
					.filter((file) => file.startsWith(netns))
			: [netns];
	const found = new Map<number, string>();
	for (const file of files) {
		const inode = namespaces[file];
		if (inode === undefined || found.has(inode)) continue;
		if (kind === "pattern" && inode === namespaces["/proc/1/ns/net"]) continue;
		found.set(inode, kind === "pattern" ? `netns:${file}` : scope);
	}
	return [...found].map(([netnsInode, one]) => ({ scope: one, netnsInode, ifindex: null }));
}

export function scopeAnswer(kernel: FakeKernel, scope: string) {
	const instances = instancesOf(kernel, scope);
	const isGone = instances.length === 0 && !scope.endsWith("*");
	const problem = isGone ? { code: "LOAD_NETNS_GONE", message: `${scope} is no network namespace` } : null;
	return { scope, instances, problem };
}

/** Each entry in each of its places, names before patterns; as native/expand.c, but for two names of one namespace. */
export function expanded(kernel: FakeKernel, plan: Plan): FakeFunction[] {
	const exact = plan.functions.filter(({ scope }) => !scope.endsWith("*"));
	const taken = new Set(
		exact.flatMap(({ function: name, scope }) =>
			instancesOf(kernel, scope).map(({ netnsInode }) => `${name} ${netnsInode}`),
		),
	);
	return plan.functions.flatMap((entry) => {
		if (!entry.scope.endsWith("*")) return [entry];
		const places = instancesOf(kernel, entry.scope).filter(
			({ netnsInode }) => !taken.has(`${entry.function} ${netnsInode}`),
		);
		return places.map(({ scope }) => ({ ...entry, scope: scope as Scope, planned: entry.scope }));
	});
}
