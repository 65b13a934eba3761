// How security upgrades are told to a human, and their document. Refuses to leave an exposure out: what is still open stands there with
// why, whatever else was done.

import type { Config } from "#bundle/config.ts";
import { formatConfigWords } from "#bundle/config-text.ts";
import type { Skipped } from "#host/advisories/step.ts";
import type { BundlePair } from "#host/diff.ts";
import { gravest } from "#host/errors.ts";
import type { ChangeReport } from "#host/report.ts";
import type { Output } from "../command.ts";
import { oneLine } from "../printable.ts";
import { changeOutput } from "./change.ts";
import { failureText, type UpgradeFailure } from "./upgrades.ts";

/** What is done, or with --dry-run would be done, for one function in one scope. */
export interface TakenStep {
	readonly bundle: string;
	readonly scope: string;
	readonly from: string;
	/** Equal to `from` where parameters are all that it takes. */
	readonly to: string;
	readonly set: Config;
	/** Ids of the advisories that are not open any more afterwards. */
	readonly closes: readonly string[];
	/** What lies between, and is not taken. */
	readonly skipped: readonly Skipped[];
	/** With --dry-run: what differs between the two, source and instructions. */
	readonly difference: BundlePair | null;
}

/** An advisory that is open now, and why it stays so. */
export interface StillOpen {
	readonly id: string;
	readonly aliases: readonly string[];
	readonly summary: string;
	readonly function: string;
	/** Null: the kernel's own code. */
	readonly bundle: string | null;
	readonly version: string | null;
	readonly scope: string | null;
	readonly why:
		| Skipped["why"]
		| "kernel-only"
		| "not-in-place"
		| "failed"
		| "parameters"
		| "no-fix"
		| "not-asked"
		| "dry-run";
	readonly message: string;
	/** What to type; null where nothing helps that this host could do. */
	readonly command: string | null;
}

export interface SecurityUpgrades {
	readonly dryRun: boolean;
	readonly steps: readonly TakenStep[];
	readonly changes: readonly ChangeReport[];
	readonly failures: readonly UpgradeFailure[];
	readonly left: readonly StillOpen[];
	/** What is wrong with the lists of advisories that the registry shows. */
	readonly notices: readonly { readonly code: string; readonly id: string; readonly message: string }[];
}

/** Exit code 3 where the lists are not to be believed, 1 where something is exposed still, or what failed would have. */
export function securityOutput(
	upgrades: SecurityUpgrades,
	differences: (pair: BundlePair) => string[],
): Output {
	const { steps, changes, failures, left, notices } = upgrades;
	const lines = [
		...steps.flatMap((step) => stepLines(step, differences)),
		...changes.map((report) => changeOutput(report).text),
		...stillOpenLines(upgrades),
	];
	return {
		json: upgrades,
		text: lines.length === 0 ? "nothing that runs here has an open advisory" : lines.join("\n"),
		exit: gravest([...failures.map(({ exit }) => exit), left.length > 0 ? 1 : 0, notices.length > 0 ? 3 : 0]),
	};
}

/** What was not done, and what stays open. */
export function stillOpenLines({ failures, left, notices }: SecurityUpgrades): string[] {
	return [
		...failures.map(failureText),
		...left.map(leftText),
		...notices.map(({ code, message }) => `not to be believed: ${oneLine(message)} [${code}]`),
	];
}

/** The steps that were taken, a line each. */
export function takenLines({ steps, failures }: SecurityUpgrades): string[] {
	const isTaken = ({ bundle, scope }: TakenStep) =>
		!failures.some((failure) => failure.bundle === bundle && failure.scope === scope);
	return steps.filter(isTaken).map(stepLine);
}

function stepLine({ bundle, scope, from, to, set, closes }: TakenStep): string {
	const words = formatConfigWords(set).map((word) => `set ${word}`);
	const how = [...(from === to ? [] : [`${from} → ${to}`]), ...words].join(", ");
	return `${bundle} ${how} in ${scope} closes ${closes.join(", ")}`;
}

function stepLines(step: TakenStep, differences: (pair: BundlePair) => string[]): string[] {
	const { skipped, difference } = step;
	return [
		stepLine(step),
		...skipped.map(({ message }) => `  not taken: ${oneLine(message)}`),
		...(difference === null ? [] : differences(difference)),
	];
}

function leftText({
	id,
	aliases,
	summary,
	function: name,
	bundle,
	version,
	scope,
	message,
	command,
}: StillOpen): string {
	const also = aliases.length === 0 ? "" : ` (${aliases.join(", ")})`;
	const what = bundle === null ? `the kernel's own ${name}` : `${bundle} ${version}`;
	const where = scope === null ? "" : ` in ${scope}`;
	const lines = [`open: ${id}${also} in ${what}${where}: ${summary}`, `  ${message}`];
	return [...lines, ...(command === null ? [] : [`  hint: ${command}`])].map(oneLine).join("\n");
}
