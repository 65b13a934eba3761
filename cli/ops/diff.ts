// kfn diff: what differs between two generations, or two bundle files; texts of source and instructions where they are asked for.

import { openBundle } from "#bundle/bundle.ts";
import { type BundleDiff, diffBundles } from "#host/bundle-diff.ts";
import { type BundlePair, type DiffReport, diffGenerations } from "#host/diff.ts";
import { isFileRequest } from "../client/fetch-bundle.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { functionChangeLine } from "../output/function-change.ts";
import { oneLine, printable } from "../printable.ts";

interface Texts {
	readonly source: boolean;
	readonly instructions: boolean;
}

export async function diff(
	context: Context,
	input: Texts & { from: string | undefined; to: string | undefined },
): Promise<Output> {
	const { from, to } = input;
	if (from !== undefined && isFileRequest(from)) return diffFiles(from, to, input);
	const report = diffGenerations(openContextHost(context), { from: numberOf(from), to: numberOf(to) });
	const bundles = report.bundles.map((pair) => ({ ...pair, diff: withTexts(pair.diff, input) }));
	return { json: { ...report, bundles }, text: reportText(report, input) };
}

/** Two archives as they are: like `kfn inspect`, it says what is in them, not whose they are. */
async function diffFiles(from: string, to: string | undefined, texts: Texts): Promise<Output> {
	if (to === undefined || !isFileRequest(to)) throw usage("a bundle file is compared with another one");
	const [before, after] = [await openBundle(await readInput(from)), await openBundle(await readInput(to))];
	const filesOf = ({ manifest, files }: typeof before) => ({
		manifest,
		read: (path: string) => files.get(path)!,
	});
	const found = diffBundles(filesOf(before), filesOf(after));
	const pair: BundlePair = {
		bundle: after.manifest.name,
		from: before.manifest.version,
		to: after.manifest.version,
		fromTag: before.manifest.tag.value,
		toTag: after.manifest.tag.value,
		diff: found,
		unknown: null,
	};
	return {
		json: { from: null, to: null, functions: [], bundles: [{ ...pair, diff: withTexts(found, texts) }] },
		text: pairLines(pair, texts).join("\n"),
	};
}

function numberOf(word: string | undefined): number | undefined {
	if (word === undefined) return undefined;
	if (/^(0|[1-9]\d{0,8})$/.test(word)) return Number(word);
	throw usage(`not a generation's number: ${word}`);
}

function usage(message: string): CliError {
	return new CliError("CLI_USAGE", message, {
		hint: "kfn diff [GENERATION [GENERATION]], or kfn diff A.kfn B.kfn; kfn history shows the generations",
	});
}

/** Patches are null unless they were asked for: they can be as long as the source. */
function withTexts(diff: BundleDiff | null, { source, instructions }: Texts) {
	if (diff === null) return null;
	const keep = <T extends { readonly patch: string }>(entries: readonly T[], wanted: boolean) =>
		entries.map((entry) => ({ ...entry, patch: wanted ? entry.patch : null }));
	return { ...diff, source: keep(diff.source, source), programs: keep(diff.programs, instructions) };
}

function reportText({ from, to, functions, bundles }: DiffReport, texts: Texts): string {
	const head = `generation ${from} → ${to}`;
	if (functions.length === 0) return `${head}: the same functions`;
	return [
		head,
		...functions.map(functionChangeLine),
		...bundles.flatMap((pair) => pairLines(pair, texts)),
	].join("\n");
}

export function pairLines(pair: BundlePair, texts: Texts): string[] {
	const { bundle, from, to, fromTag, toTag, diff, unknown } = pair;
	const head = printable(`${bundle} ${from} → ${to}`);
	if (diff === null) return [`${head}: cannot be compared: ${unknown?.message} [${unknown?.code}]`];
	const lists = [
		...(fromTag === toTag ? [] : [`  tag ${printable(fromTag)} → ${printable(toTag)}`]),
		...(diff.fixed.length === 0 ? [] : [`  fixes ${oneLine(diff.fixed.join(", "))}`]),
		...(diff.unfixed.length === 0 ? [] : [`  does not fix ${oneLine(diff.unfixed.join(", "))}`]),
	];
	const sources = diff.source.flatMap((file) => [
		`  ${statLine(file.path, file)}`,
		...(texts.source ? [printable(file.patch.trimEnd())] : []),
	]);
	const programs = diff.programs.flatMap((program) => [
		`  ${statLine(`${program.program} (${program.variant}), instructions`, program)}`,
		...(texts.instructions ? [printable(program.patch.trimEnd())] : []),
	]);
	const found = [...lists, ...sources, ...programs];
	return found.length === 0 ? [`${head}: the same source and instructions`] : [`${head}:`, ...found];
}

function statLine(
	what: string,
	entry: BundleDiff["source"][number] | BundleDiff["programs"][number],
): string {
	const how = entry.change === "changed" ? "" : `${entry.change}, `;
	return printable(`${what}: ${how}+${entry.added} -${entry.removed}`);
}
