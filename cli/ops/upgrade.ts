// kfn upgrade: swaps to a newer version on the live host; without a name, everything that has a newer version. Refuses to
// let one bundle's failure keep the others from their fixes.

import { gt } from "semver";
import { gravest, HostError } from "#host/errors.ts";
import { type Hold, holdAgainst } from "#host/holds.ts";
import { type ListedFunction, list } from "#host/list.ts";
import { withLock } from "#host/lock.ts";
import type { ChangeReport } from "#host/report.ts";
import { type UpgradeRequest, upgrade as upgradeBundle } from "#host/upgrade.ts";
import type { IndexDocument } from "#registry/api/wire.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { type FetchedBundle, fetchBundle, fetchVersion, isFileRequest } from "../client/fetch-bundle.ts";
import { parseRequest, selectVersion } from "../client/select.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError, describeError, type ErrorDocument } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { type HoldStatus, holdText } from "../output/hold.ts";
import { holdStatuses } from "./hold.ts";
import { readPermit } from "./permit.ts";

export interface UpgradeInput {
	readonly request: string | undefined;
	readonly scope: string | undefined;
	readonly registry: string | undefined;
	/** File of a rollback permit, which lets one named version be lower than the active one. */
	readonly permit: string | undefined;
	/** Without a named version: leave one that was yanked for an older one, where the registry lists a permit for the step. */
	readonly allowPermit: boolean;
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
	if (!isFileRequest(request)) {
		const source = await openTrustedSource(context, input.registry);
		const followed = input.allowPermit ? await followPermit(context, source, request, scope) : undefined;
		if (followed !== undefined) return changeOutput(followed);
		return upgradeTo(context, await fetchVersion(context, source, request), { scope, permit });
	}
	return upgradeTo(context, await fetchBundle(context, request, input.registry), { scope, permit });
}

async function upgradeTo(
	context: Context,
	{ archive: bundle, raisesFloor, permits }: FetchedBundle,
	{ scope, permit: named }: { scope: string | undefined; permit: DsseEnvelope | undefined },
): Promise<Output> {
	const request = { bundle, scope, raisesFloor, permits: { ...permits, named } };
	return changeOutput(await upgradeOne(context, request));
}

/** Undefined where the request is not about leaving a yanked version: then it is an upgrade like any other. */
async function followPermit(
	context: Context,
	source: Source,
	request: string,
	scope: string | undefined,
): Promise<ChangeReport | undefined> {
	const { name, range } = parseRequest(request);
	const active = list(openContextHost(context)).installed.filter(
		(entry) => entry.bundle === name && (scope === undefined || entry.scope === scope),
	);
	const index = await source.index(name);
	const newest = selectVersion(index, range);
	const left = active.filter(({ version }) => gt(version, newest.version));
	if (left.length === 0 || !left.every(({ version }) => isYanked(index, version))) return undefined;
	return stepDown(context, source, { name, version: newest.version, scope });
}

/** By a permit that the index lists; errors of host/permit.ts where none serves. */
async function stepDown(
	context: Context,
	source: Source,
	{ name, version, scope }: { name: string; version: string; scope: string | undefined },
): Promise<ChangeReport> {
	const { archive, raisesFloor, permits } = await fetchVersion(context, source, `${name}@${version}`);
	return upgradeOne(context, { bundle: archive, scope, raisesFloor, permits });
}

function isYanked({ versions }: IndexDocument, version: string): boolean {
	return versions.some((listed) => listed.version === version && listed.yanked !== null);
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
	const held = new Set<string>();
	for (const active of installed) {
		try {
			const report = await upgradeToNewest(context, source, active, input.allowPermit);
			if (report === "held") held.add(active.bundle);
			else if (report !== undefined) changes.push(report);
		} catch (error) {
			// Ctrl-C ends the command, not only the download that it hit.
			if (context.signal.aborted) throw error;
			failures.push(failureOf(active, error));
		}
	}
	const holds: HoldStatus[] = [];
	for (const name of held)
		holds.push(...(await holdStatuses(context, openContextHost(context), async () => source, name)));
	return summary(changes, failures, holds);
}

/** Undefined where the registry has nothing newer; "held" where the operator keeps it from what is newest. */
async function upgradeToNewest(
	context: Context,
	source: Source,
	{ bundle: name, version, scope }: ListedFunction,
	allowPermit: boolean,
): Promise<ChangeReport | "held" | undefined> {
	const index = await source.index(name);
	const newest = selectVersion(index, "*");
	if (gt(version, newest.version) && isYanked(index, version)) {
		if (allowPermit) return stepDown(context, source, { name, version: newest.version, scope });
		throw withdrawn(name, version, newest.version);
	}
	if (!gt(newest.version, version)) return undefined;
	const hold = holdAgainst(openContextHost(context), { name, version: newest.version }, [version]);
	if (hold !== undefined) return upToHold(context, source, { name, version, scope }, hold);
	const { archive, raisesFloor } = await fetchVersion(context, source, `${name}@${newest.version}`);
	return upgradeOne(context, { bundle: archive, scope, raisesFloor });
}

/** As far up as a hold at a version lets it; "held" where that is no way up. */
async function upToHold(
	context: Context,
	source: Source,
	{ name, version, scope }: { name: string; version: string; scope: string },
	hold: Hold,
): Promise<ChangeReport | "held"> {
	if (hold.version === null || !gt(hold.version, version)) return "held";
	const { archive, raisesFloor } = await fetchVersion(context, source, `${name}@${hold.version}`);
	return upgradeOne(context, { bundle: archive, scope, raisesFloor });
}

function withdrawn(name: string, version: string, newest: string): HostError {
	return new HostError(
		"HOST_DOWNGRADE",
		`${name} ${version} was yanked, and the newest, ${newest}, is lower`,
		{
			hint: `kfn upgrade --allow-permit goes there if its publisher permits it; kfn rollback, if it ran here`,
			details: { name, version, newest },
		},
	);
}

function failureOf({ bundle, version, scope }: ListedFunction, thrown: unknown): UpgradeFailure {
	const { document, exit } = describeError(thrown);
	return { bundle, version, scope, error: document.error, exit };
}

function summary(
	changes: readonly ChangeReport[],
	failures: readonly UpgradeFailure[],
	holds: readonly HoldStatus[],
): Output {
	const lines = [
		...changes.map((report) => changeOutput(report).text),
		...failures.map(failureText),
		...holds.map(holdText),
	];
	return {
		json: { changes, failures, holds },
		text: lines.length === 0 ? "everything is at its newest version" : lines.join("\n"),
		exit: gravest(failures.map(({ exit }) => exit)),
	};
}

function failureText({ bundle, version, scope, error }: UpgradeFailure): string {
	const line = `not upgraded: ${bundle} ${version} in ${scope}: ${error.message} [${error.code}]`;
	return error.hint === undefined ? line : `${line}\n  hint: ${error.hint}`;
}
