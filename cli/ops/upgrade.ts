// kfn upgrade: swaps to a newer version on the live host; without a name, everything that has a newer version.

import { gt } from "semver";
import { list } from "#host/list.ts";
import { withLock } from "#host/lock.ts";
import type { ChangeReport } from "#host/report.ts";
import { upgrade as upgradeBundle } from "#host/upgrade.ts";
import { fetchBundle, fetchVersion } from "../client/fetch-bundle.ts";
import { openRegistryClient } from "../client/registry.ts";
import { selectVersion } from "../client/select.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";

export interface UpgradeInput {
	readonly request: string | undefined;
	readonly scope: string | undefined;
	readonly registry: string | undefined;
}

export async function upgrade(context: Context, input: UpgradeInput): Promise<Output> {
	if (input.request === undefined) return upgradeAll(context, input);
	const { archive } = await fetchBundle(context, input.request, input.registry);
	return changeOutput(await upgradeOne(context, archive, input.scope));
}

function upgradeOne(context: Context, bundle: Uint8Array, scope: string | undefined): Promise<ChangeReport> {
	return withLock(openContextHost(context), "upgrade", (lock) =>
		upgradeBundle(lock, { bundle, ...(scope === undefined ? {} : { scope }), onStep: context.onStep }),
	);
}

async function upgradeAll(context: Context, input: UpgradeInput): Promise<Output> {
	const source = await openRegistryClient(context, input.registry);
	const installed = list(openContextHost(context)).installed.filter(
		({ scope }) => input.scope === undefined || scope === input.scope,
	);
	const outputs: Output[] = [];
	for (const { bundle: name, version, scope } of installed) {
		const newest = selectVersion(await source.index(name), "*");
		if (!gt(newest.version, version)) continue;
		const { archive } = await fetchVersion(context, source, `${name}@${newest.version}`);
		outputs.push(changeOutput(await upgradeOne(context, archive, scope)));
	}
	return {
		json: { changes: outputs.map(({ json }) => json) },
		text:
			outputs.length === 0
				? "everything is at its newest version"
				: outputs.map(({ text }) => text).join("\n"),
	};
}
