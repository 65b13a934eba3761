// A draft of root or targets metadata as a person reads it before signing: all of it, and what differs from before.

import type { CeremonyResult } from "#registry/main.ts";
import type { Difference } from "#signing/tuf/draft-difference.ts";
import type { DraftReport } from "#signing/tuf/draft-report.ts";
import type { Demand } from "#signing/tuf/draft-signatures.ts";
import type { MetadataReport, RoleReport } from "#signing/tuf/metadata-report.ts";
import { oneLine } from "../printable.ts";
import { columns } from "./columns.ts";

/** The whole report, without a final newline. */
export function draftText(report: DraftReport): string {
	return [
		columns(headRows(report)),
		rolesText(report.roles),
		...report.demands.map(demandText),
		differencesText(report),
	].join("\n");
}

/** What a command did to a registry's drafts, and what to do next. */
export function ceremonyText(data: string, { changed, live, waiting, voided }: CeremonyResult): string {
	if (!changed) return "nothing to change: it is so already";
	return [
		...live.map(({ role, version, expires, sha256 }) => {
			const name = role === "root" ? "fingerprint" : "sha256";
			return `${role} ${version} is live until ${expires}, ${name} ${sha256}`;
		}),
		...waiting.map(({ file, report }) => `${file}:\n${draftText(report)}\n`),
		...(voided === 0 ? [] : [`the draft was changed: ${voided} signatures that it had are void`]),
		...nextText(data, waiting),
	].join("\n");
}

function nextText(data: string, waiting: CeremonyResult["waiting"]): string[] {
	if (waiting.length === 0) return [];
	return [
		"each of its signers, on any machine, with a copy or in place:",
		...waiting.map(({ file }) => `  kfn root sign ${file} --key SECRET`),
		"then, naming the copies that are not in place:",
		`  kfn registry accept --data ${data} [FILE…]`,
	];
}

/** A root or targets file that is no draft. */
export function metadataText({ role, version, expires, sha256, roles, signatures }: MetadataReport): string {
	const head = [
		[role, String(version)],
		["expires", expires],
		["sha256", sha256],
	];
	const verified =
		role === "root" ? "signed by" : "carries signatures (not verified: a root says whose count)";
	return [columns(head), rolesText(roles), `${verified}:`, ...signatures.map((key) => `  ${key}`)].join("\n");
}

/** Who signs what, one line per key. */
function rolesText(roles: readonly RoleReport[]): string {
	const rows = roles.flatMap(({ role, threshold, keys }) =>
		keys.map(({ tufId }, at) =>
			at === 0 ? [role, `${threshold} of ${keys.length}`, tufId] : ["", "", tufId],
		),
	);
	return columns([["ROLE", "SIGNED BY", "KEY (tuf id)"], ...rows]);
}

/** What one threshold still asks for. */
function demandText({ by, threshold, signed, missing, lacking }: Demand): string {
	const whose = `${threshold} of ${signed.length + missing.length} ${by.role} keys of root ${by.root}`;
	if (lacking === 0) return `signed enough for ${whose}`;
	const any = lacking === missing.length ? "all" : `any ${lacking}`;
	return [
		`to be signed by ${whose}: ${signed.length} signed, ${any} of these must still:`,
		...missing.map((key) => `  ${key}`),
	].join("\n");
}

function headRows(report: DraftReport): string[][] {
	const { title, content, expires, previous, root } = report;
	return [
		["draft of", title],
		["expires", expires],
		["content", `sha256 ${content}`],
		[
			"follows",
			previous === null
				? "nothing: it is the first"
				: `version ${previous.version}, sha256 ${previous.sha256}`,
		],
		...(root === null
			? []
			: [
					["signers by", `root ${root.version}${root.live ? "" : ", itself a draft that is not signed yet"}`],
				]),
	];
}

function differencesText({ previous, differences }: DraftReport): string {
	// A key's id is a digest of the key, and the first version's roles stand in the table.
	const shown = differences.filter(
		({ what }) => !(previous === null ? /^(keys|roles)\./ : /^keys\./).test(what),
	);
	const from = previous === null ? "it says further" : `changes from version ${previous.version}`;
	return [`${from}:`, ...shown.map(differenceLine)].join("\n");
}

function differenceLine({ what, before, after }: Difference): string {
	if (before === null) return oneLine(`  + ${what}: ${after}`);
	if (after === null) return oneLine(`  - ${what}: ${before}`);
	return oneLine(`  ~ ${what}: ${before} -> ${after}`);
}
