// What the operator holds at its version: etc/kfn/holds.json (docs/formats/holds.md). Refuses a file that it does not understand,
// because a hold that is not seen does not hold.
import { parseBundleName, parseVersion } from "#bundle/name.ts";
import { decodeUtf8, parseStrictJson } from "#signing/strict-json.ts";
import { HostError } from "./errors.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { time } from "./plan.ts";
import { exact, listOf, oneOf, orNull, type Shape, ShapeError, text } from "./shape.ts";
import { readIfThere } from "./state-file.ts";

export interface Hold {
	/** The bundle's name. */
	readonly name: string;
	/** The one version that it may go to; null: it stays at the one that is active. */
	readonly version: string | null;
	/** The operator's own words; null where there are none. */
	readonly reason: string | null;
	readonly since: string;
}

const SIZE_LIMIT = 1024 * 1024;
const MOST_HOLDS = 4096;
const LONGEST_REASON = 256;

/** A word of the documented grammar; whatever the bundle folder refuses is not in the documented form. */
const spelled =
	(parse: (text: string) => string, what: string): Shape<string> =>
	(value, where) => {
		try {
			return parse(text(value, where));
		} catch {
			throw new ShapeError(where, what);
		}
	};

const reasonText: Shape<string> = (value, where) => {
	const found = text(value, where);
	if (found.length > 0 && found.length <= LONGEST_REASON && !/\p{Cc}/u.test(found)) return found;
	throw new ShapeError(where, `1 to ${LONGEST_REASON} characters on one line`);
};

const shape = exact({
	schema: oneOf("kfn.holds/1"),
	holds: listOf(
		exact({
			name: spelled(parseBundleName, "a bundle name"),
			version: orNull(spelled(parseVersion, "a version")),
			reason: orNull(reasonText),
			since: time,
		}),
		MOST_HOLDS,
	),
});

/** All holds, by name; none where the file does not exist. HOST_HOLDS_MALFORMED. */
export function readHolds(host: Host): Hold[] {
	const bytes = readIfThere(host.layout.holds);
	return bytes === undefined ? [] : parseHolds(bytes, host.layout.holds);
}

/** Parses holds.json; `source` names it in the HOST_HOLDS_MALFORMED that anything undocumented gets. */
export function parseHolds(bytes: Uint8Array, source = "holds.json"): Hold[] {
	try {
		const decoded = decodeUtf8(bytes, SIZE_LIMIT);
		const document = decoded === undefined ? undefined : parseStrictJson(decoded);
		if (document === undefined) throw new ShapeError("", "strict JSON in UTF-8, each field once");
		const { holds } = shape(document, "");
		if (new Set(holds.map(({ name }) => name)).size < holds.length)
			throw new ShapeError(".holds", "each name once");
		return holds.sort((a, b) => (a.name < b.name ? -1 : 1));
	} catch (cause) {
		throw new HostError("HOST_HOLDS_MALFORMED", `${source}: ${(cause as Error).message}`, {
			hint: "correct it by docs/formats/holds.md, or remove it: then nothing is held",
			details: { source },
			cause,
		});
	}
}

/** The one spelling in which kfn writes them. */
export function serializeHolds(holds: readonly Hold[]): string {
	const sorted = holds.toSorted((a, b) => (a.name < b.name ? -1 : 1));
	const ordered = sorted.map(({ name, version, reason, since }) => ({ name, version, reason, since }));
	return `${JSON.stringify({ schema: "kfn.holds/1", holds: ordered }, null, 2)}\n`;
}

/** Holds a name, or changes its hold; returns whether anything changed. BUNDLE_NAME_INVALID, BUNDLE_VERSION_INVALID, HOST_HOLDS_MALFORMED. */
export function hold(
	lock: HostLock,
	request: { name: string; version?: string | undefined; reason?: string | undefined },
): boolean {
	const name = parseBundleName(request.name);
	const version = request.version === undefined ? null : parseVersion(request.version);
	const before = readHolds(lock.host);
	const old = before.find((entry) => entry.name === name);
	const reason = request.reason ?? old?.reason ?? null;
	if (old !== undefined && old.version === version && old.reason === reason) return false;
	const since = lock.host.now().toISOString();
	write(lock, [...before.filter((entry) => entry !== old), { name, version, reason, since }]);
	return true;
}

/** Ends a hold; HOST_NOT_HELD where there is none. */
export function unhold(lock: HostLock, name: string): void {
	const before = readHolds(lock.host);
	const left = before.filter((entry) => entry.name !== name);
	if (left.length === before.length) {
		throw new HostError("HOST_NOT_HELD", `${name} is not held`, {
			hint: "kfn hold shows what is",
			details: { name, held: before.map((entry) => entry.name) },
		});
	}
	write(lock, left);
}

/**
 * The hold that keeps `version` of a bundle out; undefined where none does. `at` are the versions at which a hold without a
 * version keeps it; where there are none, such a hold has nothing to keep.
 */
export function holdAgainst(
	host: Host,
	{ name, version }: { readonly name: string; readonly version: string },
	at: readonly string[],
): Hold | undefined {
	const found = readHolds(host).find((entry) => entry.name === name);
	if (found === undefined) return undefined;
	const allowed = found.version === null ? at : [found.version];
	return (found.version === null && at.length === 0) || allowed.includes(version) ? undefined : found;
}

/** HOST_HELD where {@link holdAgainst} finds a hold. */
export function demandNotHeld(
	host: Host,
	bundle: { readonly name: string; readonly version: string },
	at: readonly string[],
): void {
	const found = holdAgainst(host, bundle, at);
	if (found === undefined) return;
	const { name, version, reason, since } = found;
	const where = version ?? [...new Set(at)].join(", ");
	const why = reason === null ? "" : ` (${reason})`;
	throw new HostError("HOST_HELD", `${name} is held at ${where} since ${since}${why}`, {
		hint: `kfn unhold ${name} lets it go to ${bundle.version}; kfn hold shows which fixes the hold keeps out`,
		details: { name, hold: { version, reason, since }, offered: bundle.version },
	});
}

function write({ host }: HostLock, holds: readonly Hold[]): void {
	const { durable, layout } = host;
	const bytes = Buffer.from(serializeHolds(holds));
	// What is written must be readable by the next command: a reason is the operator's own text.
	parseHolds(bytes, layout.holds);
	durable.makeFolder(layout.config);
	durable.writeFile(layout.holds, bytes);
}
