// An advisory for people and programs. Refuses to call anything in it verified: whoever shows it knows.

import type { Notice } from "#host/advisories/known.ts";
import {
	type Advisory,
	type AffectedBundle,
	type AffectedKernel,
	unverifiedAdvisory,
} from "#signing/advisory.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import type { Span } from "#signing/osv/span.ts";
import { oneLine } from "../printable.ts";

export interface AdvisoryDocument extends Advisory {
	/** Key ids, as the envelope lists them. */
	readonly signatures: readonly string[];
}

export function advisoryDocument(envelope: DsseEnvelope): AdvisoryDocument {
	const signatures = envelope.signatures.map(({ keyid }) => keyid).sort();
	return { ...unverifiedAdvisory(envelope), signatures };
}

const WHAT = {
	bundle: "a bundle is vulnerable",
	"kernel-code": "the kernel's own code is vulnerable, and a bundle can take its place",
	"kernel-only": "only a kernel can fix it; no bundle patches it",
} as const;

export function advisoryText(advisory: AdvisoryDocument): string {
	const { id, aliases, kind, summary, modified, withdrawn, names, severity, signatures, fixedBy } = advisory;
	return [
		`advisory  ${[id, ...aliases].join(", ")}`,
		`says      ${oneLine(summary)}`,
		`kind      ${kind}: ${WHAT[kind]}`,
		...severity.map(({ score }) => `severity  ${score}`),
		...advisory.bundles.map((entry) => `affected  ${bundleLine(entry)}`),
		...advisory.kernels.map((entry) => `affected  ${kernelLine(entry)}`),
		...fixedBy.map(
			({ bundle, from, config }) => `fixed by  ${bundle} ${from} and later${parameters(config)}`,
		),
		`modified  ${modified}${withdrawn === null ? "" : `, withdrawn ${withdrawn}`}`,
		`speaks    for ${names.join(", ")}`,
		signatures.length === 0
			? "signed    no (kfn advisory sign adds a signature)"
			: `signed    ${signatures.join(", ")}`,
	].join("\n");
}

export function knownListText(
	name: string,
	notices: readonly Notice[],
	advisories: readonly AdvisoryDocument[],
): string {
	const parts = advisories.map(advisoryText);
	if (parts.length === 0) parts.push(`nothing is known against ${name}`);
	return [...noticeLines(notices), parts.join("\n\n")].join("\n");
}

export function noticeLines(notices: readonly Notice[]): string[] {
	return notices.map(({ code, message }) => `warning: ${oneLine(message)} [${code}]`);
}

function bundleLine({ bundle, spans, versions, tags }: AffectedBundle): string {
	const where = [...spans.map(spanText), ...versions, ...tags];
	return `${bundle} ${where.join(", ")}`;
}

function kernelLine({ function: of, spans, versions }: AffectedKernel): string {
	return `${of} of Linux ${[...spans.map(spanText), ...versions].join(", ")}`;
}

function spanText({ introduced, fixed, lastAffected }: Span): string {
	const from = introduced === "0" ? "" : `from ${introduced} `;
	if (fixed !== null) return `${from}before ${fixed}`;
	return lastAffected === null ? `${from}on`.replace(/^on$/, "all") : `${from}up to ${lastAffected}`;
}

function parameters(config: Readonly<Record<string, unknown>>): string {
	const set = Object.entries(config).map(
		([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : value}`,
	);
	return set.length === 0 ? "" : ` with ${set.join(" ")}`;
}
