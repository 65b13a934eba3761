// Where a function is active: parse, default and bpffs spelling of a scope (design §2). Refuses kinds that no function uses yet.
import { readdirSync, statfsSync, statSync } from "node:fs";
import { HostError } from "./errors.ts";

declare const brand: unique symbol;
/** A parsed scope, `netns:root` or `netns:` and the absolute, normal path of a namespace file. */
export type Scope = string & { readonly [brand]: "Scope" };

export const ROOT_NAMESPACE = "/proc/1/ns/net";
const OWN_NAMESPACE = "/proc/self/ns/net";
const NAMED = "/run/netns";
const NSFS_MAGIC = 0x6e736673; // include/uapi/linux/magic.h
const NAME_MAX = 255;

/** Looks at network namespaces; the real one reads /proc and /run/netns. */
export interface Namespaces {
	/** What tells two namespaces apart, or undefined where `path` names none or may not be read. */
	identity(path: string): string | undefined;
	/** Paths of the named namespaces. */
	named(): string[];
}

export const kernelNamespaces: Namespaces = {
	identity(path) {
		try {
			if (statfsSync(path).type !== NSFS_MAGIC) return undefined;
			const { dev, ino } = statSync(path);
			return `${dev}:${ino}`;
		} catch {
			return undefined;
		}
	},
	named() {
		try {
			return readdirSync(NAMED)
				.sort()
				.map((name) => `${NAMED}/${name}`);
		} catch {
			return [];
		}
	},
};

/** Parses a scope; HOST_SCOPE_MALFORMED, or HOST_SCOPE_UNSUPPORTED for `dev:…`. */
export function parseScope(text: string): Scope {
	if (text === "netns:root") return text as Scope;
	if (text.startsWith("dev:")) {
		throw new HostError("HOST_SCOPE_UNSUPPORTED", `no function is active per device yet: ${text}`, {
			hint: "name a network namespace: netns:root or netns:/run/netns/NAME",
		});
	}
	const path = text.startsWith("netns:") ? text.slice("netns:".length) : "";
	// One spelling per namespace file: two spellings would be two scopes that fight for one hook.
	const normal = /^(\/(?!\.{1,2}(\/|$))[^/\u0000-\u001f\u007f]+)+$/u.test(path);
	if (!normal || encodeScope(text as Scope).length > NAME_MAX) {
		throw new HostError("HOST_SCOPE_MALFORMED", `not a scope: ${text}`, {
			hint: "netns:root, or netns: and the absolute path of a namespace file, as in netns:/run/netns/blue",
		});
	}
	return text as Scope;
}

/** The file that names the scope's namespace. */
export function namespaceFile(scope: Scope): string {
	return scope === "netns:root" ? ROOT_NAMESPACE : scope.slice("netns:".length);
}

/** Spells a scope as one bpffs name: bytes outside [A-Za-z0-9:_-] become %XX (bpffs refuses dots and slashes). */
export function encodeScope(scope: Scope): string {
	return [...Buffer.from(scope, "utf8")]
		.map((byte) => {
			const char = String.fromCharCode(byte);
			return /[A-Za-z0-9:_-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
		})
		.join("");
}

/**
 * The scope of the caller's own network namespace: `netns:root` where it is that of pid 1, else by its name.
 *
 * HOST_SCOPE_UNNAMED where neither fits, or where pid 1's may not be read: a guess could change the wrong namespace.
 */
export function defaultScope(namespaces: Namespaces): Scope {
	const own = namespaces.identity(OWN_NAMESPACE);
	if (own !== undefined) {
		if (namespaces.identity(ROOT_NAMESPACE) === own) return "netns:root" as Scope;
		const name = namespaces.named().find((path) => namespaces.identity(path) === own);
		if (name !== undefined) return parseScope(`netns:${name}`);
	}
	throw new HostError(
		"HOST_SCOPE_UNNAMED",
		"this process's network namespace has no name to remember it by",
		{
			hint: "say which one with --scope netns:root or --scope netns:/run/netns/NAME",
		},
	);
}
