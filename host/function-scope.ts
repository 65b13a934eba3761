// The scope in which a bundle's function becomes active: the operator's words, or what its hook suggests. Refuses to choose a device.
import type { Manifest } from "#bundle/manifest.ts";
import { HostError } from "./errors.ts";
import { defaultScope, type Namespaces, parseScope, type Scope } from "./scope.ts";

/**
 * The wanted scope; without one, `none` for a function that has no hook, and for one of namespaces the caller's own.
 *
 * HOST_SCOPE_UNSUPPORTED where a device must be named and is not; HOST_SCOPE_MALFORMED, HOST_SCOPE_UNNAMED.
 */
export function functionScope(
	manifest: Pick<Manifest, "variants" | "function">,
	asked: string | undefined,
	namespaces: Namespaces,
): Scope {
	if (asked !== undefined) return parseScope(asked);
	const hooks = new Set(manifest.variants.flatMap(({ programs }) => programs.map(({ hook }) => hook)));
	if (hooks.has("netns")) return defaultScope(namespaces);
	if (!hooks.has("tc-egress") && !hooks.has("tc-ingress")) return parseScope("none");
	const { name } = manifest.function;
	throw new HostError("HOST_SCOPE_UNSUPPORTED", `${name} is attached to devices, and none is named`, {
		hint: "say which one: --scope dev:NAME, dev:NAME@/run/netns/NAME, dev:driver=NAME or dev:bus=NAME",
		details: { function: name },
	});
}
