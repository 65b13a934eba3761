// kfn remove: detaches a function; with purge its files and history go too.

import { withLock } from "#host/lock.ts";
import { remove as removeBundle } from "#host/remove.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";

export async function remove(
	context: Context,
	input: { name: string; scope: string | undefined; purge: boolean },
): Promise<Output> {
	const report = await withLock(openContextHost(context), "remove", (lock) =>
		removeBundle(lock, {
			name: input.name,
			purge: input.purge,
			...(input.scope === undefined ? {} : { scope: input.scope }),
			onStep: context.onStep,
		}),
	);
	return changeOutput(report);
}
