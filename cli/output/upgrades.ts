// How the upgrade of everything is told to a human, and its document.

import { gravest } from "#host/errors.ts";
import type { ChangeReport } from "#host/report.ts";
import type { Output } from "../command.ts";
import type { ErrorDocument } from "../errors.ts";
import { changeOutput } from "./change.ts";
import { type HoldStatus, holdText, type LeftOpen, openLine } from "./hold.ts";

/** A bundle that could not be taken to the version that it should have; what ran, runs. */
export interface UpgradeFailure {
	readonly bundle: string;
	readonly version: string;
	readonly scope: string;
	readonly error: ErrorDocument["error"];
	/** The advisories that are open while it stays as it is, as this host knows them. */
	readonly open: readonly LeftOpen[];
	/** The exit code that this failure alone would have. */
	readonly exit: number;
}

/** A release that this host takes later: its turn of the phases (docs/formats/auto.md) has not come. */
export interface UpgradeWait {
	readonly bundle: string;
	readonly version: string;
	readonly offered: string;
	readonly scope: string;
	readonly until: string;
}

export interface Upgrades {
	readonly changes: readonly ChangeReport[];
	readonly failures: readonly UpgradeFailure[];
	readonly holds: readonly HoldStatus[];
	readonly waits: readonly UpgradeWait[];
}

export function upgradesOutput(upgrades: Upgrades): Output {
	const { changes, failures } = upgrades;
	const lines = [...changes.map((report) => changeOutput(report).text), ...leftLines(upgrades)];
	return {
		json: upgrades,
		text: lines.length === 0 ? "everything is at its newest version" : lines.join("\n"),
		exit: gravest(failures.map(({ exit }) => exit)),
	};
}

/** What was not done, and why. */
export function leftLines({ failures, holds, waits }: Upgrades): string[] {
	return [...failures.map(failureText), ...holds.map(holdText), ...waits.map(waitText)];
}

export function failureText({ bundle, version, scope, error, open }: UpgradeFailure): string {
	return [
		`not upgraded: ${bundle} ${version} in ${scope}: ${error.message} [${error.code}]`,
		...(error.hint === undefined ? [] : [`hint: ${error.hint}`]),
		...open.map(openLine),
	].join("\n  ");
}

function waitText({ bundle, offered, scope, until }: UpgradeWait): string {
	return `not yet: ${bundle} ${offered} in ${scope}: this host's turn is at ${until}`;
}
