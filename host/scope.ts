// Where a function is active: the grammar of scopes (design §2), what covers what, and their spelling in bpffs. The loader has the
// same grammar (native/scope.c; the tests share one table). Refuses second spellings; instances.ts says what a scope means now.
import { readdirSync, statfsSync, statSync } from "node:fs";
import { HostError } from "./errors.ts";

declare const brand: unique symbol;
/** A parsed scope: one place, or a description of many. */
export type Scope = string & { readonly [brand]: "Scope" };

export interface ScopeParts {
	/** `pattern`: namespaces by the beginning of their file's name; `driver` and `bus`: devices. `none`: attached nowhere. */
	readonly kind: "none" | "netns" | "pattern" | "dev" | "driver" | "bus";
	/** The namespace's file; of a pattern, all before its star; "" of `none`. */
	readonly netns: string;
	/** Of the device, driver or bus. */
	readonly name: string;
}

export const ROOT_NAMESPACE = "/proc/1/ns/net";
const OWN_NAMESPACE = "/proc/self/ns/net";
const NAMED = "/run/netns";
const NSFS_MAGIC = 0x6e736673; // include/uapi/linux/magic.h
const NAME_MAX = 255;
const IFNAMSIZ = 16;
const ETHTOOL_NAME = 32;

/** Looks at network namespaces; the real one reads /proc and folders such as /run/netns. */
export interface Namespaces {
	/** What tells two namespaces apart, or undefined where `path` names none or may not be read. */
	identity(path: string): string | undefined;
	/** Paths of the namespaces that have a name in a folder, sorted by bytes; /run/netns unless given. */
	named(folder?: string): string[];
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
	named(folder = NAMED) {
		try {
			return readdirSync(folder)
				.map((name) => `${folder === "/" ? "" : folder}/${name}`)
				.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
		} catch {
			return [];
		}
	},
};

const HINT =
	"netns:root, netns:/run/netns/NAME, netns:/run/netns/PREFIX*, dev:NAME, dev:driver=NAME or dev:bus=NAME; of a device, @/run/netns/NAME says where";

/** Parses a scope: HOST_SCOPE_MALFORMED. */
export function parseScope(text: string): Scope {
	if (partsOf(text) !== undefined && encodeScope(text).length <= NAME_MAX) return text as Scope;
	throw new HostError("HOST_SCOPE_MALFORMED", `not a scope: ${text}`, { hint: HINT });
}

/** What a scope says. */
export function scopeParts(scope: Scope): ScopeParts {
	return partsOf(scope)!;
}

/** Whether it names one place: what has pins of its own. */
export function isOnePlace(scope: Scope): boolean {
	const { kind } = scopeParts(scope);
	return kind === "netns" || kind === "dev";
}

/** Whether the pattern's text covers a namespace's. */
export function covers(pattern: Scope, one: Scope): boolean {
	const [wide, narrow] = [scopeParts(pattern), scopeParts(one)];
	if (wide.kind !== "pattern" || narrow.kind !== "netns" || !narrow.netns.startsWith(wide.netns))
		return false;
	return /^[^/]+$/.test(narrow.netns.slice(wide.netns.length));
}

/** The same for what is gone: which driver a device had, nobody can tell any more. */
export function mayCover(wide: Scope, one: Scope): boolean {
	const [many, single] = [scopeParts(wide), scopeParts(one)];
	const ofDevices = many.kind === "driver" || many.kind === "bus";
	return covers(wide, one) || (ofDevices && single.kind === "dev" && single.netns === many.netns);
}

/** Whether two patterns can match the same file: one's beginning begins with the other's. */
export function overlaps(a: Scope, b: Scope): boolean {
	const [one, other] = [scopeParts(a), scopeParts(b)];
	if (one.kind !== "pattern" || other.kind !== "pattern") return false;
	const [short, long] = one.netns.length <= other.netns.length ? [one, other] : [other, one];
	return long.netns.startsWith(short.netns) && !long.netns.slice(short.netns.length).includes("/");
}

/** Whether programs of this hook (bundle.md) are attached to scopes of this kind. */
export function hookTakes(hook: string, scope: Scope): boolean {
	const { kind } = scopeParts(scope);
	if (hook === "netns") return kind === "netns" || kind === "pattern";
	if (hook.startsWith("tc-")) return kind === "dev" || kind === "driver" || kind === "bus";
	return hook === "none" && kind === "none";
}

function partsOf(text: string): ScopeParts | undefined {
	if (text === "none") return { kind: "none", netns: "", name: "" };
	if (/[\u0000-\u001f\u007f]/.test(text)) return undefined;
	if (text.startsWith("netns:")) return netnsParts(text.slice("netns:".length));
	if (text.startsWith("dev:")) return deviceParts(text.slice("dev:".length));
	return undefined;
}

function netnsParts(path: string): ScopeParts | undefined {
	if (path === "root") return { kind: "netns", netns: ROOT_NAMESPACE, name: "" };
	if (!isFile(path)) return undefined;
	if (!path.includes("*")) return { kind: "netns", netns: path, name: "" };
	return path.indexOf("*") === path.length - 1
		? { kind: "pattern", netns: path.slice(0, -1), name: "" }
		: undefined;
}

/** A device's name holds no slash: the first `@/` ends it. */
function deviceParts(text: string): ScopeParts | undefined {
	const at = text.indexOf("@/");
	const netns = at === -1 ? ROOT_NAMESPACE : text.slice(at + 1);
	const word = at === -1 ? text : text.slice(0, at);
	if (!isFile(netns) || netns.includes("*")) return undefined;
	for (const kind of ["driver", "bus"] as const) {
		if (!word.startsWith(`${kind}=`)) continue;
		const name = word.slice(kind.length + 1);
		return isKindName(name) ? { kind, netns, name } : undefined;
	}
	return isDeviceName(word) ? { kind: "dev", netns, name: word } : undefined;
}

/** One spelling per namespace file: two spellings would be two scopes that fight for one hook. */
function isFile(path: string): boolean {
	return /^(\/(?!\.{1,2}(\/|$))[^/]+)+$/u.test(path);
}

/** dev_valid_name (net/core/dev.c), whose white space includes the byte 0xa0. A star would look like a pattern. */
function isDeviceName(name: string): boolean {
	const bytes = Buffer.from(name);
	if (bytes.length === 0 || bytes.length >= IFNAMSIZ || name === "." || name === "..") return false;
	return !/[/:* ]/.test(name) && !bytes.includes(0xa0);
}

/** A driver's or a bus's name, as long as ethtool can say it. */
function isKindName(name: string): boolean {
	const { length } = Buffer.from(name);
	return length > 0 && length < ETHTOOL_NAME && !/[/*]/.test(name);
}

/** The file that names the scope's namespace. Of a pattern there is none. */
export function namespaceFile(scope: Scope): string {
	return scopeParts(scope).netns;
}

/** Spells a scope as one bpffs name: bytes outside [A-Za-z0-9:_-] become %XX (bpffs refuses dots and slashes). */
export function encodeScope(scope: string): string {
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
