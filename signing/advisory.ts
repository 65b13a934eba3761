// Advisories: an OSV document in a DSSE envelope, signed by whoever may sign the bundle names that it speaks for
// (docs/formats/advisory.md). Refuses to speak for a name that did not sign, and a second reading of what is affected.
import { type DsseEnvelope, envelopeOfValue, type PayloadForm, parseDsseEnvelope } from "./envelope.ts";
import { plain, SigningError } from "./errors.ts";
import { OSV_LIMITS, type OsvAffected, type OsvDocument, OsvError, parseOsv } from "./osv/document.ts";
import type { Span } from "./osv/span.ts";
import { type Publishers, publisherFor } from "./publishers.ts";
import { hasExactly } from "./strict-json.ts";
import { tufTime } from "./tuf/time.ts";
import { verifyEnvelopeOfAll } from "./verify.ts";
import { isVersion } from "./version-range.ts";

export const ADVISORY_PAYLOAD_TYPE = "application/vnd.kfn.advisory.v1+json";
export const ADVISORY_SCHEMA = "kfn.advisory/1";
export const ADVISORY_LIMITS = {
	payloadBytes: OSV_LIMITS.document,
	envelopeBytes: 64 * 1024,
	names: 16,
	tags: 128,
	fixes: 16,
	/** How far `modified` may lie ahead of the judge's clock: a thief's document of the year 9999 would stand for ever. */
	skewSeconds: 300,
} as const;

/**
 * `bundle`: versions or sources of bundles are vulnerable. `kernel-code`: the kernel's own C code of a function is, in these
 * kernels, and a bundle that takes its place may not be. `kernel-only`: the hook or the kernel is; no bundle can patch it.
 */
export const ADVISORY_KINDS = ["bundle", "kernel-code", "kernel-only"] as const;
export type AdvisoryKind = (typeof ADVISORY_KINDS)[number];

export interface AffectedBundle {
	/** The bundle's name. */
	readonly bundle: string;
	readonly function: string;
	readonly abi: number;
	readonly spans: readonly Span[];
	readonly versions: readonly string[];
	/** Of sources: they hold for whatever carries this source, under any name, in any device. */
	readonly tags: readonly string[];
}

export interface AffectedKernel {
	readonly function: string;
	readonly spans: readonly Span[];
	readonly versions: readonly string[];
}

/** A parameter's value as manifests have them (docs/formats/bundle.md). */
export type ParameterValue = string | number | readonly string[] | readonly number[];

/** What takes the place of vulnerable kernel code: this bundle, from this version on, run with at least these parameters. */
export interface BundleFix {
	readonly bundle: string;
	readonly from: string;
	/** A list asks for each of its elements, anything else for the same value. */
	readonly config: Readonly<Record<string, ParameterValue>>;
}

export interface Advisory {
	/** `x_DATABASE-ENTRY`. */
	readonly id: string;
	/** `YYYY-MM-DDTHH:MM:SSZ`, all three; of two documents with one id, the later `modified` counts. */
	readonly modified: string;
	readonly published: string;
	readonly withdrawn: string | null;
	/** What others call it: CVE ids, a distribution's. */
	readonly aliases: readonly string[];
	readonly summary: string;
	readonly details: string;
	readonly severity: OsvDocument["severity"];
	readonly references: OsvDocument["references"];
	readonly kind: AdvisoryKind;
	/** The bundle names that it speaks for, and whose publishers all sign it; sorted. */
	readonly names: readonly string[];
	/** Of the kind `bundle` only. */
	readonly bundles: readonly AffectedBundle[];
	/** Of the other kinds only. */
	readonly kernels: readonly AffectedKernel[];
	/** Of the kind `kernel-code` only, and a claim: whoever judges looks whether the fix is itself affected by anything. */
	readonly fixedBy: readonly BundleFix[];
}

declare const opened: unique symbol;

/** An advisory whose signatures have been checked; made only by {@link openAdvisory}. */
export type OpenedAdvisory = Advisory & { readonly [opened]: true };

const FORM: PayloadForm = {
	payloadType: ADVISORY_PAYLOAD_TYPE,
	payloadBytes: ADVISORY_LIMITS.payloadBytes,
	envelopeBytes: ADVISORY_LIMITS.envelopeBytes,
	malformed,
};
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const PARAMETER = /^[a-z][a-z0-9_]{0,62}$/;
const TAG = /^kfn1:[0-9a-f]{64}$/;

/** Parses an advisory's file: ADVISORY_MALFORMED for all but an envelope in its one spelling. The payload stays closed. */
export function parseAdvisoryFile(bytes: Uint8Array): DsseEnvelope {
	return parseDsseEnvelope(bytes, FORM);
}

/** Reads an advisory that another document embeds; errors as {@link parseAdvisoryFile}. */
export function advisoryOfValue(value: unknown): DsseEnvelope {
	return envelopeOfValue(value, FORM);
}

/** The unsigned envelope around an OSV document, as a value. ADVISORY_MALFORMED where it breaks the format. */
export function newAdvisory(document: unknown): DsseEnvelope {
	const payload = new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`);
	parseAdvisory(payload);
	return { payloadType: ADVISORY_PAYLOAD_TYPE, payload, signatures: [] };
}

/** What an advisory claims, for whoever shows or signs it; ADVISORY_MALFORMED, and nothing is verified. */
export function unverifiedAdvisory(envelope: DsseEnvelope): Advisory {
	return parseAdvisory(envelope.payload);
}

/**
 * Verifies the signatures with the publishers that `publishers` give for every name that it speaks for, each with its threshold,
 * and demands that `name` is one of them. PUBLISHERS_NO_MATCH, the SIGNATURE_ codes, ADVISORY_MALFORMED; ADVISORY_SCOPE where it
 * speaks for other names; ADVISORY_NOT_YET where `modified` is ahead of `now`. A withdrawal is a document like any other.
 */
export async function openAdvisory(
	envelope: DsseEnvelope,
	name: string,
	publishers: Publishers,
	now: Date,
): Promise<OpenedAdvisory> {
	// Whose signatures to ask for stands in the payload; it is believed only once theirs, over these bytes, are there.
	const payload = new Uint8Array(envelope.payload);
	const advisory = parseAdvisory(payload);
	const demanded = advisory.names.map((each) => publisherFor(publishers, each));
	await verifyEnvelopeOfAll({ ...envelope, payload }, ADVISORY_PAYLOAD_TYPE, demanded, "advisory");
	if (!advisory.names.includes(name)) throw outOfScope(advisory, name);
	if (!(Date.parse(advisory.modified) <= now.getTime() + ADVISORY_LIMITS.skewSeconds * 1000))
		throw notYet(advisory, now);
	return advisory as OpenedAdvisory;
}

function parseAdvisory(payload: Uint8Array): Advisory {
	const document = osvOf(payload);
	const { kfn } = document;
	if (!hasExactly(kfn, ["schema", "kind", "names", "fixedBy"]))
		throw malformed("its database_specific.kfn does not have exactly schema, kind, names and fixedBy");
	if (kfn.schema !== ADVISORY_SCHEMA) throw malformed(`its schema is not ${ADVISORY_SCHEMA}`);
	const kind = ADVISORY_KINDS.find((known) => known === kfn.kind);
	if (kind === undefined) throw malformed(`its kind is none of ${ADVISORY_KINDS.join(", ")}`);
	const names = listOf(kfn.names, 1, ADVISORY_LIMITS.names, "names").map((name) =>
		matching(name, NAME, "names"),
	);
	demandSorted(names, "names");
	const isBundle = kind === "bundle";
	if (document.affected.length === 0) throw malformed("it says of nothing that it is affected");
	const advisory: Advisory = {
		...osvFields(document),
		kind,
		names,
		bundles: isBundle ? document.affected.map(affectedBundle) : [],
		kernels: isBundle ? [] : document.affected.map(affectedKernel),
		fixedBy: listOf(kfn.fixedBy, 0, ADVISORY_LIMITS.fixes, "fixedBy").map(bundleFix),
	};
	demandConsistent(advisory);
	return advisory;
}

function osvFields(document: OsvDocument): Omit<OsvDocument, "affected" | "kfn"> {
	const { affected: _affected, kfn: _kfn, ...fields } = document;
	return fields;
}

function osvOf(payload: Uint8Array): OsvDocument {
	try {
		return parseOsv(payload);
	} catch (error) {
		if (!(error instanceof OsvError)) throw error;
		throw malformed(error.message);
	}
}

/** What an advisory says is said under its own names alone: nobody's bundle is called vulnerable, or a fix, by a stranger. */
function demandConsistent({ kind, names, bundles, fixedBy }: Advisory): void {
	if (kind !== "kernel-code" && fixedBy.length > 0)
		throw malformed(
			kind === "bundle"
				? "its fixedBy is not empty: what fixes a bundle stands in its ranges"
				: "its fixedBy is not empty, although no bundle can patch its kind",
		);
	const spoken = [...bundles, ...fixedBy].map(({ bundle }) => bundle);
	const stranger = spoken.find((bundle) => !names.includes(bundle));
	if (stranger !== undefined) throw malformed(`it speaks of ${stranger}, which is not among its names`);
	const silent = names.find((name) => !spoken.includes(name));
	if (kind === "bundle" && silent !== undefined)
		throw malformed(`its names hold ${silent}, of which it says nothing`);
}

function affectedBundle(entry: OsvAffected): AffectedBundle {
	const { kfn, spans, versions } = entry;
	if (entry.package !== null) throw malformed("its kind is bundle, and it lists a package");
	if (!hasExactly(kfn, ["bundle", "function", "abi", "tags"]))
		throw malformed("the kfn of an affected bundle does not have exactly bundle, function, abi and tags");
	const tags = listOf(kfn.tags, 0, ADVISORY_LIMITS.tags, "tags").map((tag) => matching(tag, TAG, "tags"));
	if (spans.length + versions.length + tags.length === 0)
		throw malformed("an affected bundle has neither ranges nor versions nor tags");
	const { abi } = kfn;
	if (!Number.isInteger(abi) || (abi as number) < 1 || (abi as number) > 65_535)
		throw malformed("an abi is not a whole number from 1");
	return {
		bundle: matching(kfn.bundle, NAME, "bundle"),
		function: matching(kfn.function, NAME, "function"),
		abi: abi as number,
		spans,
		versions,
		tags,
	};
}

function affectedKernel({ package: of, kfn, spans, versions }: OsvAffected): AffectedKernel {
	if (of !== "kernel") throw malformed("its kind is of the kernel, and it lists something else");
	if (!hasExactly(kfn, ["function"]))
		throw malformed("the kfn of an affected kernel does not have exactly function");
	if (spans.length + versions.length === 0)
		throw malformed("an affected kernel has neither ranges nor versions");
	return { function: matching(kfn.function, NAME, "function"), spans, versions };
}

function bundleFix(value: unknown): BundleFix {
	if (!hasExactly(value, ["bundle", "from", "config"]))
		throw malformed("an entry of fixedBy does not have exactly bundle, from and config");
	const { from, config } = value;
	if (typeof from !== "string" || !isVersion(from)) throw malformed("a from of fixedBy is not a version");
	if (
		typeof config !== "object" ||
		config === null ||
		Array.isArray(config) ||
		Object.keys(config).length > 16
	)
		throw malformed("a config of fixedBy is not an object of at most 16 parameters");
	for (const [name, wanted] of Object.entries(config)) {
		if (!PARAMETER.test(name) || !isParameterValue(wanted))
			throw malformed("a config of fixedBy holds what is no parameter");
	}
	return { bundle: matching(value.bundle, NAME, "bundle"), from, config: config as BundleFix["config"] };
}

function isParameterValue(value: unknown): value is ParameterValue {
	const isText = (item: unknown) => typeof item === "string" && /^[\x21-\x7e]{1,64}$/.test(item);
	if (isText(value) || Number.isSafeInteger(value)) return true;
	if (!Array.isArray(value) || value.length === 0 || value.length > 64) return false;
	return value.every(isText) || value.every(Number.isSafeInteger);
}

function demandSorted(values: readonly string[], what: string): void {
	if (values.some((value, at) => at > 0 && !(values[at - 1]! < value)))
		throw malformed(`its ${what} are not sorted, each once`);
}

function listOf(value: unknown, min: number, max: number, what: string): readonly unknown[] {
	if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
	throw malformed(`its ${what} is not a list of ${min} to ${max}`);
}

function matching(value: unknown, pattern: RegExp, what: string): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw malformed(`its ${what} holds what is none`);
}

function outOfScope({ id, names }: Advisory, name: string): SigningError {
	return new SigningError(
		"ADVISORY_SCOPE",
		`advisory ${id} speaks for ${names.join(", ")}, not for ${plain(name)}`,
		{ hint: "the registry or mirror that lists it here is broken or lying", details: { id, names } },
	);
}

function notYet({ id, modified }: Advisory, now: Date): SigningError {
	return new SigningError(
		"ADVISORY_NOT_YET",
		`advisory ${id} is dated ${modified}, and it is ${tufTime(now)}`,
		{
			hint: "check this machine's clock; if it is right, the advisory's issuer has a wrong one",
			details: { id, modified },
		},
	);
}

function malformed(why: string): SigningError {
	return new SigningError("ADVISORY_MALFORMED", `the advisory is malformed: ${why}`, {
		hint: "do not use it; get it again from its publisher",
		details: { why },
	});
}
