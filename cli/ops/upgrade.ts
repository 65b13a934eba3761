// kfn upgrade: swaps to a newer version on the live host; without a name, everything that has a newer version. Refuses to
// let one bundle's failure keep the others from their fixes.

import { gt } from "semver";
import { type ListedFunction, list } from "#host/list.ts";
import { withLock } from "#host/lock.ts";
import type { ChangeReport } from "#host/report.ts";
import { type UpgradeRequest, upgrade as upgradeBundle } from "#host/upgrade.ts";
import { fetchBundle, fetchVersion } from "../client/fetch-bundle.ts";
import { selectVersion } from "../client/select.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError, describeError, type ErrorDocument } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { readPermit } from "./permit.ts";

export interface UpgradeInput {
	readonly request: string | undefined;
	readonly scope: string | undefined;
	readonly registry: string | undefined;
	/** File of a rollback permit, which lets one named version be lower than the active one. */
	readonly permit: string | undefined;
}

/** A bundle that could not be taken to its newest version; what ran, runs. */
interface UpgradeFailure {
	readonly bundle: string;
	readonly version: string;
	readonly scope: string;
	readonly error: ErrorDocument["error"];
	/** The exit code that this failure alone would have. */
	readonly exit: number;
}

export async function upgrade(context: Context, input: UpgradeInput): Promise<Output> {
	const { request, scope } = input;
	const permit = input.permit === undefined ? undefined : await readPermit(input.permit);
	if (request === undefined && permit !== undefined) {
		throw new CliError("CLI_USAGE", "a permit is for one version of one bundle: name it", {
			hint: "kfn permit show FILE tells which; then kfn upgrade NAME@VERSION --permit FILE",
		});
	}
	if (request === undefined) return upgradeAll(context, input);
	const { archive, raisesFloor } = await fetchBundle(context, request, input.registry);
	return changeOutput(
		await upgradeOne(context, { bundle: archive, scope, permits: { named: permit }, raisesFloor }),
	);
}

function upgradeOne(context: Context, request: Omit<UpgradeRequest, "onStep">): Promise<ChangeReport> {
	return withLock(openContextHost(context), "upgrade", (lock) =>
		upgradeBundle(lock, { ...request, onStep: context.onStep }),
	);
}

async function upgradeAll(context: Context, input: UpgradeInput): Promise<Output> {
	const source = await openTrustedSource(context, input.registry);
	const installed = list(openContextHost(context)).installed.filter(
		({ scope }) => input.scope === undefined || scope === input.scope,
	);
	const changes: ChangeReport[] = [];
	const failures: UpgradeFailure[] = [];
	for (const active of installed) {
		try {
			const report = await upgradeToNewest(context, source, active);
			if (report !== undefined) changes.push(report);
		} catch (error) {
			// Ctrl-C ends the command, not only the download that it hit.
			if (context.signal.aborted) throw error;
			failures.push(failureOf(active, error));
		}
	}
	return summary(changes, failures);
}

/** Undefined where the registry has nothing newer. */
async function upgradeToNewest(
	context: Context,
	source: Source,
	{ bundle: name, version, scope }: ListedFunction,
): Promise<ChangeReport | undefined> {
	const newest = selectVersion(await source.index(name), "*");
	if (!gt(newest.version, version)) return undefined;
	const { archive, raisesFloor } = await fetchVersion(context, source, `${name}@${newest.version}`);
	return upgradeOne(context, { bundle: archive, scope, raisesFloor });
}

function failureOf({ bundle, version, scope }: ListedFunction, thrown: unknown): UpgradeFailure {
	const { document, exit } = describeError(thrown);
	return { bundle, version, scope, error: document.error, exit };
}

function summary(changes: readonly ChangeReport[], failures: readonly UpgradeFailure[]): Output {
	const lines = [...changes.map((report) => changeOutput(report).text), ...failures.map(failureText)];
	return {
		json: { changes, failures },
		text: lines.length === 0 ? "everything is at its newest version" : lines.join("\n"),
		exit: gravest(failures.map(({ exit }) => exit)),
	};
}

function failureText({ bundle, version, scope, error }: UpgradeFailure): string {
	const line = `not upgraded: ${bundle} ${version} in ${scope}: ${error.message} [${error.code}]`;
	return error.hint === undefined ? line : `${line}\n  hint: ${error.hint}`;
}

/** A security failure counts before a bug, and a bug before a refusal. */
function gravest(exits: readonly number[]): number {
	return [3, 70, 1].find((code) => exits.includes(code)) ?? exits[0] ?? 0;
}
