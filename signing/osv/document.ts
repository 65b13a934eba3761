// OSV documents as kfn uses them: the official schema (schema.json, 1.7.5) and a closed subset of it, read strictly. Refuses what
// another reader could understand otherwise: a package of an ecosystem that is not ours, a range with more than one span.
import { compare } from "semver";
import { decodeUtf8, hasExactly, parseStrictJson } from "../strict-json.ts";
import { isTufTime } from "../tuf/time.ts";
import { isVersion } from "../version-range.ts";
import schema from "./schema.json" with { type: "json" };
import { compileSchema } from "./schema-compiler.ts";
import { compareKernels, isKernelVersion, type Span } from "./span.ts";

export const OSV_SCHEMA_VERSION = "1.7.5";
export const OSV_LIMITS = {
	/** Bytes of a document. */
	document: 32 * 1024,
	/** Characters. */
	id: 64,
	summary: 200,
	details: 8192,
	reference: 2048,
	/** Entries of a list. */
	aliases: 16,
	affected: 64,
	ranges: 32,
	versions: 128,
	references: 32,
} as const;

/** One entry of `affected`; what `kfn` holds is read by advisory.ts. */
export interface OsvAffected {
	/** The kernel (`Linux`/`Kernel`), or no registered package: kfn's bundles have no ecosystem in OSV. */
	readonly package: "kernel" | null;
	readonly spans: readonly Span[];
	readonly versions: readonly string[];
	readonly kfn: unknown;
}

export interface OsvDocument {
	readonly id: string;
	readonly modified: string;
	readonly published: string;
	readonly withdrawn: string | null;
	readonly aliases: readonly string[];
	readonly summary: string;
	readonly details: string;
	/** CVSS vectors in the schema's spelling. */
	readonly severity: readonly { readonly type: string; readonly score: string }[];
	readonly affected: readonly OsvAffected[];
	readonly references: readonly { readonly type: string; readonly url: string }[];
	readonly kfn: unknown;
}

/** The document is not of the documented form; the caller names its own error. */
export class OsvError extends Error {
	override readonly name = "OsvError";
}

/** `x_` marks a database that osv.dev does not collect (OSV schema 1.7.5, id field); what other databases call it stands in `aliases`. */
const ID = /^x_[A-Z][A-Z0-9]{0,15}(?:-[A-Za-z0-9]{1,32})+$/;
const ALIAS = /^[A-Za-z][A-Za-z0-9._-]{1,63}$/;
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const REQUIRED = [
	"schema_version",
	"id",
	"modified",
	"published",
	"summary",
	"affected",
	"database_specific",
] as const;
const OPTIONAL = ["withdrawn", "aliases", "details", "severity", "references"] as const;

let compiled: ReturnType<typeof compileSchema> | undefined;

/** Reads a document's bytes: strict JSON as `JSON.stringify` spells it with two spaces and a final newline. OsvError for all else. */
export function parseOsv(bytes: Uint8Array): OsvDocument {
	const text = decodeUtf8(bytes, OSV_LIMITS.document);
	const value = text === undefined ? undefined : parseStrictJson(text);
	if (value === undefined) throw new OsvError(`it is not JSON of at most ${OSV_LIMITS.document} bytes`);
	if (`${JSON.stringify(value, null, 2)}\n` !== text)
		throw new OsvError("it is not in its canonical spelling (indentation, final newline)");
	return readOsv(value);
}

export function isOsvId(text: string): boolean {
	return text.length <= OSV_LIMITS.id && ID.test(text);
}

/** As {@link parseOsv}, of a value that was parsed already. */
export function readOsv(value: unknown): OsvDocument {
	demandSchema(value);
	const file = value as Record<string, unknown>;
	demandFields(file, "document", REQUIRED, OPTIONAL);
	if (file["schema_version"] !== OSV_SCHEMA_VERSION)
		throw new OsvError(`its schema_version is not ${OSV_SCHEMA_VERSION}`);
	const id = string(file["id"], "id");
	if (!isOsvId(id)) throw new OsvError("its id is not x_DATABASE-ENTRY, like x_KFN-2026-0001");
	const modified = time(file["modified"], "modified");
	const published = timeUntil(file["published"], "published", modified);
	const withdrawn = "withdrawn" in file ? timeUntil(file["withdrawn"], "withdrawn", modified) : null;
	return {
		id,
		modified,
		published,
		withdrawn,
		aliases: list(file["aliases"], "aliases", OSV_LIMITS.aliases).map(alias),
		summary: line(file["summary"], "summary", OSV_LIMITS.summary),
		details: details(file["details"]),
		severity: list(file["severity"], "severity", 4).map(severity),
		affected: list(file["affected"], "affected", OSV_LIMITS.affected).map(affected),
		references: list(file["references"], "references", OSV_LIMITS.references).map(reference),
		kfn: kfnOf(file["database_specific"], "document"),
	};
}

function demandSchema(value: unknown): void {
	compiled ??= compileSchema(schema);
	if (compiled(value)) return;
	const error = compiled.errors?.[0];
	const where = (error?.instancePath ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 80);
	throw new OsvError(`it breaks the OSV schema at ${where || "/"}: ${error?.keyword ?? "unknown"}`);
}

function affected(value: unknown, at: number): OsvAffected {
	const where = `affected[${at}]`;
	const entry = value as Record<string, unknown>;
	demandFields(entry, where, ["database_specific"], ["package", "ranges", "versions"]);
	const isKernel = "package" in entry;
	if (isKernel && !isKernelPackage(entry["package"]))
		throw new OsvError(`${where} has another package than Kernel of the ecosystem Linux`);
	const type = isKernel ? "ECOSYSTEM" : "SEMVER";
	const spans = list(entry["ranges"], `${where}.ranges`, OSV_LIMITS.ranges).map((range) =>
		span(range, where, type),
	);
	const versions = list(entry["versions"], `${where}.versions`, OSV_LIMITS.versions).map((version) => {
		if (typeof version === "string" && (isKernel ? isKernelVersion(version) : isVersion(version)))
			return version;
		throw new OsvError(`${where} lists a version that is none`);
	});
	return {
		package: isKernel ? "kernel" : null,
		spans,
		versions,
		kfn: kfnOf(entry["database_specific"], where),
	};
}

function isKernelPackage(value: unknown): boolean {
	return hasExactly(value, ["ecosystem", "name"]) && value.ecosystem === "Linux" && value.name === "Kernel";
}

/** One span a range: two readers of a longer list of events have disagreed before on what lies between. */
function span(value: unknown, where: string, type: "ECOSYSTEM" | "SEMVER"): Span {
	const what = `${where} has a range that is not one introduced and at most one fixed or last_affected`;
	if (!hasExactly(value, ["type", "events"]) || value.type !== type || !Array.isArray(value.events))
		throw new OsvError(`${where} has a range that is not of the type ${type} with events`);
	const [first, second, ...more] = value.events as unknown[];
	if (!hasExactly(first, ["introduced"]) || more.length > 0) throw new OsvError(what);
	const introduced = string(first.introduced, `${where}.introduced`);
	const fixed = hasExactly(second, ["fixed"]) ? string(second.fixed, `${where}.fixed`) : null;
	const lastAffected = hasExactly(second, ["last_affected"])
		? string(second.last_affected, `${where}.last_affected`)
		: null;
	if (second !== undefined && fixed === null && lastAffected === null) throw new OsvError(what);
	demandOrder({ introduced, fixed, lastAffected }, where, type === "ECOSYSTEM");
	return { introduced, fixed, lastAffected };
}

function demandOrder({ introduced, fixed, lastAffected }: Span, where: string, isKernel: boolean): void {
	const known = isKernel ? isKernelVersion : isVersion;
	const order = isKernel ? compareKernels : compare;
	const end = fixed ?? lastAffected;
	if ((introduced !== "0" && !known(introduced)) || (end !== null && !known(end)))
		throw new OsvError(`${where} has a range between things that are no versions`);
	if (end === null || introduced === "0") return;
	const way = order(introduced, end);
	if (way > 0 || (way === 0 && fixed !== null))
		throw new OsvError(`${where} has a range that holds no version`);
}

function kfnOf(value: unknown, where: string): unknown {
	if (hasExactly(value, ["kfn"])) return value.kfn;
	throw new OsvError(`the database_specific of its ${where} does not have exactly kfn`);
}

function alias(value: unknown): string {
	if (typeof value === "string" && ALIAS.test(value)) return value;
	throw new OsvError("one of its aliases is not an id");
}

function severity(value: unknown): { type: string; score: string } {
	const isCvss = hasExactly(value, ["type", "score"]) && /^CVSS_V[234]$/.test(String(value.type));
	if (isCvss) return { type: String(value.type), score: String(value.score) };
	throw new OsvError("its severity is not of CVSS vectors");
}

function reference(value: unknown): { type: string; url: string } {
	if (!hasExactly(value, ["type", "url"]))
		throw new OsvError("a reference has other fields than type and url");
	const url = line(value.url, "reference", OSV_LIMITS.reference);
	if (!/^https?:\/\//.test(url) || !URL.canParse(url))
		throw new OsvError("a reference is not an http or https address");
	return { type: String(value.type), url };
}

function details(value: unknown): string {
	if (value === undefined) return "";
	const text = string(value, "details");
	if (text.length <= OSV_LIMITS.details && !CONTROL.test(text.replaceAll("\n", ""))) return text;
	throw new OsvError(`its details hold control characters, or more than ${OSV_LIMITS.details} characters`);
}

function line(value: unknown, what: string, limit: number): string {
	const text = string(value, what);
	if (text.length > 0 && text.length <= limit && !CONTROL.test(text) && text.trim() === text) return text;
	throw new OsvError(`its ${what} is not a line of 1 to ${limit} characters without blanks at its ends`);
}

function timeUntil(value: unknown, field: string, latest: string): string {
	const found = time(value, field);
	if (found <= latest) return found;
	throw new OsvError(`its ${field} is later than its modified`);
}

function time(value: unknown, field: string): string {
	if (typeof value === "string" && isTufTime(value)) return value;
	throw new OsvError(`its ${field} is not a time, YYYY-MM-DDTHH:MM:SSZ`);
}

function string(value: unknown, what: string): string {
	if (typeof value === "string") return value;
	throw new OsvError(`its ${what} is not text`);
}

function list(value: unknown, what: string, limit: number): readonly unknown[] {
	if (value === undefined) return [];
	if (Array.isArray(value) && value.length > 0 && value.length <= limit) return value;
	throw new OsvError(
		`its ${what} is not a list of 1 to ${limit}; where there is nothing, the field is left out`,
	);
}

function demandFields(
	value: Record<string, unknown>,
	where: string,
	required: readonly string[],
	optional: readonly string[],
): void {
	const missing = required.find((field) => !Object.hasOwn(value, field));
	if (missing !== undefined) throw new OsvError(`its ${where} has no ${missing}`);
	const unknown = Object.keys(value).find((field) => !required.includes(field) && !optional.includes(field));
	if (unknown === undefined) return;
	throw new OsvError(
		`its ${where} has a field that kfn does not read: ${unknown.replace(/[^\x20-\x7e]/g, "?")}`,
	);
}
