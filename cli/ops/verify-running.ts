// kfn verify --running: that the kernel runs the verified program, by a second copy that the loader loads beside it and compares.

import { verifyRunning as verifyHostRunning } from "#host/verify-running.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";

export async function verifyRunning(
	context: Context,
	input: { name: string | undefined; scope: string | undefined },
): Promise<Output> {
	const report = await verifyHostRunning(openContextHost(context), input);
	const lines = report.functions.map(
		({ function: name, scope }) => `${name} in ${scope}: proved, what runs is what a verified copy loads as`,
	);
	return { json: report, text: lines.join("\n") || "nothing is installed" };
}
