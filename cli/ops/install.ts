// kfn install: fetch, verify, preflight, attach. The order, and what a crash in between means, is host/'s.

import { install as installBundle } from "#host/install.ts";
import { withLock } from "#host/lock.ts";
import { fetchBundle } from "../client/fetch-bundle.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";

export async function install(
	context: Context,
	input: { request: string; scope: string | undefined; registry: string | undefined },
): Promise<Output> {
	const { archive } = await fetchBundle(context, input.request, input.registry);
	const report = await withLock(openContextHost(context), "install", (lock) =>
		installBundle(lock, {
			bundle: archive,
			...(input.scope === undefined ? {} : { scope: input.scope }),
			onStep: context.onStep,
		}),
	);
	return changeOutput(report);
}
