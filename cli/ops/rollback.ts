// kfn rollback: re-activates an earlier generation of this host.

import { withLock } from "#host/lock.ts";
import { rollback as rollbackHost } from "#host/rollback.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";

export async function rollback(context: Context, input: { to: number | undefined }): Promise<Output> {
	const report = await withLock(openContextHost(context), "rollback", (lock) =>
		rollbackHost(lock, { ...(input.to === undefined ? {} : { to: input.to }), onStep: context.onStep }),
	);
	return changeOutput(report);
}
