// Takes everything that is active as far up as it may go: what `kfn upgrade` without a name does, and an unattended run. Refuses to
// let one bundle's failure keep the others from their fixes.

import { gt } from "semver";
import { kernelVersion } from "#host/advisories/kernel-version.ts";
import { type ActiveFunction, openIn } from "#host/advisories/open.ts";
import { HostError } from "#host/errors.ts";
import { type Hold, holdAgainst } from "#host/holds.ts";
import { list } from "#host/list.ts";
import { withLock } from "#host/lock.ts";
import type { ChangeReport } from "#host/report.ts";
import { type UpgradeRequest, upgrade as upgradeBundle } from "#host/upgrade.ts";
import type { IndexDocument, IndexVersion } from "#registry/api/wire.ts";
import { knownAdvisories } from "../client/advisories.ts";
import { offeredVersion } from "../client/channel.ts";
import { fetchVersion } from "../client/fetch-bundle.ts";
import type { Source } from "../client/source.ts";
import type { Context } from "../context.ts";
import { describeError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { type HoldStatus, type LeftOpen, leftOpen } from "../output/hold.ts";
import type { UpgradeFailure, Upgrades, UpgradeWait } from "../output/upgrades.ts";
import { holdStatuses } from "./hold.ts";

export interface UpgradeAllInput {
	/** Only what is active there. */
	readonly scope: string | undefined;
	/** Leave a version that was yanked for an older one, where the registry lists a permit for the step. */
	readonly allowPermit: boolean;
	/** From when on this host takes a release; undefined: at once. */
	readonly from?: ((release: { readonly name: string } & IndexVersion) => Date | undefined) | undefined;
}

/** What is active somewhere. */
type Active = ActiveFunction;

type Outcome = ChangeReport | "held" | UpgradeWait | undefined;

/** Goes through all that is active; errors of one bundle are in `failures`, those of the registry itself are thrown. */
export async function upgradeAll(
	context: Context,
	source: Source,
	input: UpgradeAllInput,
): Promise<Upgrades> {
	const host = openContextHost(context);
	const installed = list(host).installed.filter(
		({ scope }) => input.scope === undefined || scope === input.scope,
	);
	const changes: ChangeReport[] = [];
	const failures: UpgradeFailure[] = [];
	const waits: UpgradeWait[] = [];
	const held = new Set<string>();
	for (const active of installed) {
		try {
			const outcome = await upgradeToNewest(context, source, active, input);
			if (outcome === "held") held.add(active.bundle);
			else if (outcome !== undefined && "until" in outcome) waits.push(outcome);
			else if (outcome !== undefined) changes.push(outcome);
		} catch (error) {
			// Ctrl-C ends the command, not only the download that it hit.
			if (context.signal.aborted) throw error;
			const known = await knownAdvisories(host, async () => source, [active.bundle]);
			failures.push(failureOf(active, error, openIn(known, kernelVersion(host), [active])));
		}
	}
	const holds: HoldStatus[] = [];
	for (const name of held) holds.push(...(await holdStatuses(context, host, async () => source, name)));
	return { changes, failures, holds, waits };
}

/** Undefined where the registry has nothing newer; "held" where the operator keeps it from what is newest. */
async function upgradeToNewest(
	context: Context,
	source: Source,
	{ bundle: name, version, scope }: Active,
	{ allowPermit, from }: UpgradeAllInput,
): Promise<Outcome> {
	const index = await source.index(name);
	const newest = await offeredVersion(context, source, index);
	if (gt(version, newest.version) && isYanked(index, version)) {
		if (allowPermit) return stepDown(context, source, { name, version: newest.version, scope });
		throw withdrawn(name, version, newest.version);
	}
	if (!gt(newest.version, version)) return undefined;
	const host = openContextHost(context);
	const hold = holdAgainst(host, { name, version: newest.version }, [version]);
	if (hold !== undefined) return upToHold(context, source, { name, version, scope }, hold);
	const moment = from?.({ name, ...newest });
	if (moment !== undefined && moment > host.now())
		return { bundle: name, version, offered: newest.version, scope, until: moment.toISOString() };
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

/** By a permit that the index lists; errors of host/permit.ts where none serves. */
export async function stepDown(
	context: Context,
	source: Source,
	{ name, version, scope }: { name: string; version: string; scope: string | undefined },
): Promise<ChangeReport> {
	const { archive, raisesFloor, permits } = await fetchVersion(context, source, `${name}@${version}`);
	return upgradeOne(context, { bundle: archive, scope, raisesFloor, permits });
}

export function isYanked({ versions }: IndexDocument, version: string): boolean {
	return versions.some((listed) => listed.version === version && listed.yanked !== null);
}

export function upgradeOne(context: Context, request: Omit<UpgradeRequest, "onStep">): Promise<ChangeReport> {
	return withLock(openContextHost(context), "upgrade", (lock) =>
		upgradeBundle(lock, { ...request, onStep: context.onStep }),
	);
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

export function failureOf(
	{ bundle, version, scope }: Pick<Active, "bundle" | "version" | "scope">,
	thrown: unknown,
	open: readonly LeftOpen[] = [],
): UpgradeFailure {
	const { document, exit } = describeError(thrown);
	return { bundle, version, scope, error: document.error, open: open.map(leftOpen), exit };
}
