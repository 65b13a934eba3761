// What the log holds: one JSON object on one line for every publish, yank, key change and statement (docs/formats/log.md). Digests
// only: it says that something exists and what it is, not what is in it. Refuses every spelling but one.
import { SigningError } from "../errors.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "../strict-json.ts";

export const LOG_ENTRY_SCHEMA = "kfn.log-entry/1";
/** Far above what the fields can hold, far below the 65,535 of a tile. */
export const MAX_LOG_ENTRY_BYTES = 4096;

/** ISO 8601 UTC with milliseconds. */
interface At {
	readonly at: string;
}

/** A version's archive is offered from now on. */
export interface PublishEntry extends At {
	readonly type: "publish";
	readonly name: string;
	readonly version: string;
	/** Of the archive. */
	readonly sha256: string;
	/** Of kfn.json, over which the publisher signed. */
	readonly manifestSha256: string;
	readonly tag: string;
}

/** A version is hidden from ranges, or shown again. `sha256` is the archive's. */
export interface YankEntry extends At {
	readonly type: "yank" | "unyank";
	readonly name: string;
	readonly version: string;
	readonly sha256: string;
}

/** New root or targets metadata, that is a change of keys; `sha256` of the file. */
export interface RoleEntry extends At {
	readonly type: "root" | "targets";
	readonly version: number;
	readonly sha256: string;
}

/** A new map of who may publish what, or say what hardware runs; `sha256` of kfn/publishers.json or kfn/vendors.json. */
export interface MapEntry extends At {
	readonly type: "publishers" | "vendors";
	readonly sha256: string;
}

/** What somebody who may has stated about a name (docs/formats/statements.md); `sha256` of its envelope. */
export interface StatementEntry extends At {
	readonly type: "statement";
	readonly kind: string;
	readonly name: string;
	readonly id: string;
	readonly serial: number;
	readonly sha256: string;
}

export type LogEntry = PublishEntry | YankEntry | RoleEntry | MapEntry | StatementEntry;
export type LogEntryType = LogEntry["type"];

const FIELDS: Readonly<Record<LogEntryType, readonly string[]>> = {
	publish: ["name", "version", "sha256", "manifestSha256", "tag"],
	yank: ["name", "version", "sha256"],
	unyank: ["name", "version", "sha256"],
	root: ["version", "sha256"],
	targets: ["version", "sha256"],
	publishers: ["sha256"],
	vendors: ["sha256"],
	statement: ["kind", "name", "id", "serial", "sha256"],
};

const DIGEST = /^[0-9a-f]{64}$/;
/** The grammars of bundle/name.ts, which is a layer above. A later version of kfn may publish more than this one reads. */
const RULES: Readonly<Record<string, (value: unknown) => boolean>> = {
	name: (value) => typeof value === "string" && /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(value),
	sha256: (value) => typeof value === "string" && DIGEST.test(value),
	manifestSha256: (value) => typeof value === "string" && DIGEST.test(value),
	kind: (value) => typeof value === "string" && /^[a-z][a-z-]{0,31}$/.test(value),
	id: (value) => typeof value === "string" && /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/.test(value),
	serial: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
	tag: (value) => typeof value === "string" && /^kfn1:[0-9a-f]{64}$/.test(value),
};

/** The bytes that are logged: fields in their order, no white space, no final newline. */
export function serializeLogEntry(entry: LogEntry): Uint8Array {
	const values = entry as unknown as Readonly<Record<string, unknown>>;
	const fields = FIELDS[entry.type].map((field) => [field, values[field]] as const);
	const document = {
		schema: LOG_ENTRY_SCHEMA,
		at: entry.at,
		type: entry.type,
		...Object.fromEntries(fields),
	};
	return Buffer.from(JSON.stringify(document));
}

/** LOG_ENTRY_MALFORMED for all but what {@link serializeLogEntry} writes. */
export function parseLogEntry(bytes: Uint8Array): LogEntry {
	const text = decodeUtf8(bytes, MAX_LOG_ENTRY_BYTES);
	const document =
		text === undefined ? undefined : (parseStrictJson(text) as Record<string, unknown> | undefined);
	const type = document?.["type"];
	if (typeof type !== "string" || !Object.hasOwn(FIELDS, type)) throw malformedEntry("it has no known type");
	const fields = FIELDS[type as LogEntryType];
	if (!hasExactly(document, ["schema", "at", "type", ...fields]))
		throw malformedEntry("its fields are not those of its type");
	if (document["schema"] !== LOG_ENTRY_SCHEMA) throw malformedEntry(`its schema is not ${LOG_ENTRY_SCHEMA}`);
	if (!isTime(document["at"])) throw malformedEntry("its time is not ISO 8601 in UTC with milliseconds");
	const wrong = fields.find((field) => !ruleOf(type, field)(document[field]));
	if (wrong !== undefined) throw malformedEntry(`its ${wrong} is malformed`);
	const { schema: _, ...entry } = document;
	if (!Buffer.from(bytes).equals(serializeLogEntry(entry as unknown as LogEntry))) {
		throw malformedEntry("it is not in its one spelling (order of fields, no white space)");
	}
	return entry as unknown as LogEntry;
}

function ruleOf(type: string, field: string): (value: unknown) => boolean {
	if (field !== "version") return RULES[field]!;
	return type === "root" || type === "targets" ? isRoleVersion : isBundleVersion;
}

function isRoleVersion(value: unknown): boolean {
	return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isBundleVersion(value: unknown): boolean {
	return typeof value === "string" && value.length <= 64 && /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(value);
}

function isTime(value: unknown): boolean {
	if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
	const time = new Date(value);
	return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}

function malformedEntry(why: string): SigningError {
	return new SigningError("LOG_ENTRY_MALFORMED", `the log entry is malformed: ${why}`, {
		hint: "this kfn does not understand what the registry logged; a newer one may",
	});
}
