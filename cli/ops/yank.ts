// kfn yank: hides a version from ranges, or shows it again. Nothing is ever deleted.

import { openRegistryClient } from "../client/registry.ts";
import { parseExact } from "../client/select.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";

export async function yank(
	context: Context,
	input: { request: string; reason: string | undefined; undo: boolean; registry: string | undefined },
): Promise<Output> {
	const { name, version } = parseExact(input.request);
	if (!input.undo && input.reason === undefined) {
		throw new CliError("CLI_USAGE", "a yank says why", {
			hint: "give --reason TEXT; --undo shows the version again",
		});
	}
	const client = await openRegistryClient(context, input.registry);
	await client.yank(name, version, input.undo ? undefined : input.reason);
	return {
		json: {
			name,
			version,
			registry: client.description,
			yanked: !input.undo,
			reason: input.undo ? null : input.reason,
		},
		text: `${name} ${version} is ${input.undo ? "shown again" : "hidden from ranges"} at ${client.description}`,
	};
}
