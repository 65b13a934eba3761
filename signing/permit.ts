// Rollback permits: a publisher's signed leave to go from some versions of a bundle down to one older version, for a while
// (docs/formats/permit.md). Refuses leave without an end: in versions (the range is bounded), in bytes (one manifest), in time.
import { type DsseEnvelope, envelopeOfValue, type PayloadForm, parseDsseEnvelope } from "./envelope.ts";
import { plain, SigningError } from "./errors.ts";
import { type Publisher, type Publishers, publisherFor } from "./publishers.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";
import { isTufTime, tufTime } from "./tuf/time.ts";
import { verifyEnvelope } from "./verify.ts";
import {
	isBelowRange,
	isVersion,
	parseVersionRange,
	rangeHolds,
	type VersionRange,
} from "./version-range.ts";

export const PERMIT_PAYLOAD_TYPE = "application/vnd.kfn.rollback-permit.v1+json";
export const PERMIT_SCHEMA = "kfn.rollback-permit/1";
export const PERMIT_LIMITS = {
	payloadBytes: 4096,
	envelopeBytes: 32 * 1024,
	/** Characters. */
	reason: 500,
	/** From issue to expiry. */
	days: 90,
	/** How far `issued` may lie ahead of the judge's clock. */
	skewSeconds: 300,
} as const;

export interface Permit {
	/** 32 lowercase hex digits, chosen at random. */
	readonly id: string;
	readonly name: string;
	/** The versions that may be left. */
	readonly from: VersionRange;
	/** The one version, and the one content of it, that may be taken up: the sha256 of its kfn.json. */
	readonly to: { readonly version: string; readonly manifestSha256: string };
	readonly reason: string;
	/** `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly issued: string;
	/** The first second at which it counts no more; at most 90 days after `issued`. */
	readonly expires: string;
}

declare const opened: unique symbol;

/** A permit whose signatures have been checked; made only by {@link openPermit}. Time and scope are not judged yet. */
export type OpenedPermit = Permit & { readonly [opened]: true };

/** One step down that a host wants to take. */
export interface RollbackStep {
	readonly name: string;
	/** Every version that forbids the step: those that are active, and the highest that the host ever had. */
	readonly leaving: readonly string[];
	readonly to: { readonly version: string; readonly manifestSha256: string };
}

const FORM: PayloadForm = {
	payloadType: PERMIT_PAYLOAD_TYPE,
	payloadBytes: PERMIT_LIMITS.payloadBytes,
	envelopeBytes: PERMIT_LIMITS.envelopeBytes,
	malformed,
};
const FIELDS = ["schema", "id", "name", "from", "to", "reason", "issued", "expires"] as const;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const DAY = 86_400_000;

/** Parses a permit's file: PERMIT_MALFORMED for all but an envelope in its one spelling. The payload stays closed. */
export function parsePermitFile(bytes: Uint8Array): DsseEnvelope {
	return parseDsseEnvelope(bytes, FORM);
}

/** Reads a permit that another document embeds (a list of statements); errors as {@link parsePermitFile}. */
export function permitOfValue(value: unknown): DsseEnvelope {
	return envelopeOfValue(value, FORM);
}

/** The unsigned envelope around a new permit. PERMIT_MALFORMED where one of its fields breaks the format. */
export function newPermit(permit: Permit): DsseEnvelope {
	const payload = serializePermit(permit);
	parsePermit(payload);
	return { payloadType: PERMIT_PAYLOAD_TYPE, payload, signatures: [] };
}

/** What a permit claims, for whoever shows it, signs it or looks for its publisher; PERMIT_MALFORMED, and nothing is verified. */
export function unverifiedPermit(envelope: DsseEnvelope): Permit {
	return parsePermit(envelope.payload);
}

/**
 * Verifies the signatures with the publisher that `publishers` give for `name`, then parses what they are over.
 * PUBLISHERS_NO_MATCH, the SIGNATURE_ codes, PERMIT_MALFORMED; PERMIT_SCOPE when it is a permit for another name.
 */
export async function openPermit(
	envelope: DsseEnvelope,
	name: string,
	publishers: Publishers,
): Promise<OpenedPermit> {
	const publisher: Publisher = publisherFor(publishers, name);
	const permit = parsePermit(await verifyEnvelope(envelope, PERMIT_PAYLOAD_TYPE, publisher, "permit"));
	if (permit.name !== name) {
		throw outOfScope(permit, `it is for ${permit.name}, not for ${plain(name)}`);
	}
	return permit as OpenedPermit;
}

/**
 * Returns when the permit is in force at `now` and covers exactly this step. PERMIT_NOT_YET, PERMIT_EXPIRED; PERMIT_SCOPE:
 * another name, another target version or manifest, or a version to be left that its range does not hold.
 */
export function demandPermitted(permit: OpenedPermit, step: RollbackStep, now: Date): void {
	demandInForce(permit, now);
	const { from, to } = permit;
	if (permit.name !== step.name)
		throw outOfScope(permit, `it is for ${permit.name}, not for ${plain(step.name)}`);
	if (to.version !== step.to.version) {
		throw outOfScope(permit, `it allows ${to.version}, not ${plain(step.to.version)}`);
	}
	if (to.manifestSha256 !== step.to.manifestSha256) {
		throw outOfScope(permit, `it allows another manifest of ${to.version} than this one`);
	}
	const outside = step.leaving.find((version) => !rangeHolds(from, version));
	if (outside === undefined && step.leaving.length > 0) return;
	throw outOfScope(permit, `it allows leaving ${from}, not ${plain(outside ?? "nothing")}`);
}

/** Where `now` lies between issue, with its skew, and expiry. */
export function permitState(permit: Permit, now: Date): "not-yet" | "in-force" | "expired" {
	if (!(Date.parse(permit.issued) <= now.getTime() + PERMIT_LIMITS.skewSeconds * 1000)) return "not-yet";
	return now.getTime() < Date.parse(permit.expires) ? "in-force" : "expired";
}

/** PERMIT_NOT_YET or PERMIT_EXPIRED unless the permit is in force. The caller's clock must not go back: a host takes the latest time it has seen. */
export function demandInForce(permit: OpenedPermit, now: Date): void {
	const { id, issued, expires } = permit;
	const state = permitState(permit, now);
	if (state === "not-yet") {
		throw new SigningError(
			"PERMIT_NOT_YET",
			`permit ${id} counts from ${issued} on, and it is ${tufTime(now)}`,
			{
				hint: "check this machine's clock; if it is right, the permit's issuer has a wrong one",
				details: { id, issued },
			},
		);
	}
	if (state === "expired") {
		throw new SigningError("PERMIT_EXPIRED", `permit ${id} expired at ${expires}`, {
			hint: "ask the publisher for a new one (kfn permit create)",
			details: { id, expires },
		});
	}
}

/** The canonical payload: fields in fixed order, two spaces of indentation, a final newline. */
function serializePermit({ id, name, from, to, reason, issued, expires }: Permit): Uint8Array {
	const { version, manifestSha256 } = to;
	const file = {
		schema: PERMIT_SCHEMA,
		id,
		name,
		from,
		to: { version, manifestSha256 },
		reason,
		issued,
		expires,
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

function parsePermit(payload: Uint8Array): Permit {
	const text = decodeUtf8(payload, PERMIT_LIMITS.payloadBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, FIELDS)) throw malformed("its payload is not JSON with its eight fields");
	if (file.schema !== PERMIT_SCHEMA) throw malformed(`its schema is not ${PERMIT_SCHEMA}`);
	const permit = {
		id: matching(file.id, /^[0-9a-f]{32}$/, "id is not 32 lowercase hex digits"),
		name: matching(file.name, NAME, "name is not a bundle name"),
		from: parseFrom(file.from),
		to: parseTo(file.to),
		reason: parseReason(file.reason),
		issued: parseTime(file.issued, "issued"),
		expires: parseTime(file.expires, "expires"),
	};
	refuseBoundless(permit);
	if (Buffer.from(payload).equals(serializePermit(permit))) return permit;
	throw malformed(
		"its payload is not in its canonical spelling (order of fields, indentation, final newline)",
	);
}

function refuseBoundless({ from, to, issued, expires }: Permit): void {
	if (!isBelowRange(to.version, from)) throw malformed(`${to.version} is not lower than all of ${from}`);
	const lasts = Date.parse(expires) - Date.parse(issued);
	if (!(lasts > 0 && lasts <= PERMIT_LIMITS.days * DAY))
		throw malformed(`it does not expire 1 second to ${PERMIT_LIMITS.days} days after its issue`);
}

function parseFrom(value: unknown): VersionRange {
	const range = typeof value === "string" ? parseVersionRange(value) : undefined;
	if (range !== undefined) return range;
	throw malformed("its from is not a range of versions with both ends, like >=1.0.1 <1.0.3");
}

function parseTo(value: unknown): Permit["to"] {
	if (!hasExactly(value, ["version", "manifestSha256"]))
		throw malformed("its to does not have exactly version and manifestSha256");
	const { version } = value;
	if (typeof version !== "string" || !isVersion(version)) throw malformed("its to.version is not a version");
	const manifestSha256 = matching(
		value.manifestSha256,
		/^[0-9a-f]{64}$/,
		"to.manifestSha256 is not 64 lowercase hex digits",
	);
	return { version, manifestSha256 };
}

function parseReason(value: unknown): string {
	if (typeof value !== "string" || value.length === 0 || value.length > PERMIT_LIMITS.reason)
		throw malformed(`its reason is not a text of 1 to ${PERMIT_LIMITS.reason} characters`);
	if (UNPRINTABLE.test(value) || value.trim() !== value)
		throw malformed("its reason holds control or format characters, or blanks at an end");
	return value;
}

function parseTime(value: unknown, field: string): string {
	if (typeof value === "string" && isTufTime(value)) return value;
	throw malformed(`its ${field} is not a time, YYYY-MM-DDTHH:MM:SSZ`);
}

function matching(value: unknown, pattern: RegExp, why: string): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw malformed(`its ${why}`);
}

function outOfScope(permit: Permit, why: string): SigningError {
	const { id, name, from, to } = permit;
	return new SigningError("PERMIT_SCOPE", `permit ${id} does not cover this step: ${why}`, {
		hint: "kfn permit show tells what a permit covers; ask the publisher for one that covers this step",
		details: { id, name, from, to },
	});
}

function malformed(why: string): SigningError {
	return new SigningError("PERMIT_MALFORMED", `the rollback permit is malformed: ${why}`, {
		hint: "do not use it; get it again from its publisher",
		details: { why },
	});
}
