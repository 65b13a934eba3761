// kfn upgrade: swaps to a newer version on the live host; without a name, everything that has one (upgrade-all.ts). Refuses to go
// down without a permit.

import { gt } from "semver";
import { openBundle } from "#bundle/bundle.ts";
import { parseBundleName } from "#bundle/name.ts";
import { kernelVersion } from "#host/advisories/kernel-version.ts";
import { readKnown } from "#host/advisories/known.ts";
import { openIn } from "#host/advisories/open.ts";
import { withDetails } from "#host/errors.ts";
import { readCurrentPlan } from "#host/generations.ts";
import { list } from "#host/list.ts";
import type { ChangeReport } from "#host/report.ts";
import { activeOf } from "#host/upgrade.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { offeredVersion } from "../client/channel.ts";
import { type FetchedBundle, fetchBundle, fetchVersion, isFileRequest } from "../client/fetch-bundle.ts";
import { parseRequest, selectVersion } from "../client/select.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { type LeftOpen, leftOpen } from "../output/hold.ts";
import { securityOutput } from "../output/security.ts";
import { upgradesOutput } from "../output/upgrades.ts";
import { pairLines } from "./diff.ts";
import { readPermit } from "./permit.ts";
import { isYanked, stepDown, upgradeAll, upgradeOne } from "./upgrade-all.ts";
import { upgradeSecurity } from "./upgrade-security.ts";

export interface UpgradeInput {
	readonly request: string | undefined;
	readonly scope: string | undefined;
	readonly registry: string | undefined;
	/** File of a rollback permit, which lets one named version be lower than the active one. */
	readonly permit: string | undefined;
	/** Without a named version: leave one that was yanked for an older one, where the registry lists a permit for the step. */
	readonly allowPermit: boolean;
}

export async function upgrade(context: Context, input: UpgradeInput): Promise<Output> {
	const { request, scope } = input;
	const permit = input.permit === undefined ? undefined : await readPermit(input.permit);
	if (request === undefined && permit !== undefined) {
		throw new CliError("CLI_USAGE", "a permit is for one version of one bundle: name it", {
			hint: "kfn permit show FILE tells which; then kfn upgrade NAME@VERSION --permit FILE",
		});
	}
	if (request === undefined) {
		const source = await openTrustedSource(context, input.registry);
		const { scope, allowPermit } = input;
		return upgradesOutput(await upgradeAll(context, source, { scope, allowPermit }));
	}
	if (!isFileRequest(request)) {
		const source = await openTrustedSource(context, input.registry);
		const followed = input.allowPermit ? await followPermit(context, source, request, scope) : undefined;
		if (followed !== undefined) return changeOutput(followed);
		return upgradeTo(context, await fetchVersion(context, source, request), { scope, permit });
	}
	return upgradeTo(context, await fetchBundle(context, request, input.registry), { scope, permit });
}

/** Of everything that is installed, or of one bundle: only what closes advisories. */
export async function upgradeForSecurity(
	context: Context,
	input: {
		name: string | undefined;
		scope: string | undefined;
		registry: string | undefined;
		maySet: boolean;
		dryRun: boolean;
	},
): Promise<Output> {
	const { registry, ...asked } = input;
	const name = asked.name === undefined ? undefined : parseBundleName(asked.name);
	if (name !== undefined) activeOf(readCurrentPlan(openContextHost(context)), name, asked.scope);
	const source = await openTrustedSource(context, registry);
	const texts = { source: true, instructions: true };
	return securityOutput(await upgradeSecurity(context, source, { ...asked, name }), (pair) =>
		pairLines(pair, texts),
	);
}

async function upgradeTo(
	context: Context,
	{ archive: bundle, raisesFloor, permits }: FetchedBundle,
	{ scope, permit: named }: { scope: string | undefined; permit: DsseEnvelope | undefined },
): Promise<Output> {
	const request = { bundle, scope, raisesFloor, permits: { ...permits, named } };
	try {
		return changeOutput(await upgradeOne(context, request));
	} catch (error) {
		const leavesOpen = await openWithout(context, bundle);
		throw leavesOpen.length === 0 ? error : withDetails(error, { leavesOpen });
	}
}

/** The advisories that are open while the bundle stays as it is, as this host knows them. */
async function openWithout(context: Context, archive: FetchedBundle["archive"]): Promise<LeftOpen[]> {
	const host = openContextHost(context);
	// What is no bundle is the error that is thrown already.
	const name = await openBundle(archive).then(
		({ manifest }) => manifest.name,
		() => undefined,
	);
	const active = list(host).installed.filter((entry) => entry.bundle === name);
	return openIn(readKnown(host), kernelVersion(host), active).map(leftOpen);
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
	const newest =
		range === undefined ? await offeredVersion(context, source, index) : selectVersion(index, range);
	const left = active.filter(({ version }) => gt(version, newest.version));
	if (left.length === 0 || !left.every(({ version }) => isYanked(index, version))) return undefined;
	return stepDown(context, source, { name, version: newest.version, scope });
}
