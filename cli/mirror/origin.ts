// Where a copy comes from: the registry or mirror that flag, environment or configuration name, read as every command reads it.
import { openRegistryReader } from "../client/registry-fetch.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import type { TreeReader } from "./tree.ts";

/** Errors of `openRegistryReader`, also when it reads. */
export async function openOrigin(context: Context, flag: string | undefined): Promise<TreeReader> {
	const { base, fetch } = await openRegistryReader(context, flag);
	return {
		description: base,
		async read(path, limit) {
			// Nothing in the tree's names needs escaping.
			const content = await fetch(path.slice("v1/".length), limit);
			return content === "missing" ? undefined : content;
		},
	};
}

/** The error for a file that the origin's own metadata names and that it does not have. */
export function incomplete(origin: TreeReader): (path: string) => CliError {
	return (path) =>
		new CliError("CLI_MIRROR_INCOMPLETE", `${origin.description} does not have ${path}`, {
			hint: "its metadata names it: run the command again; if it stays so, tell the registry's or mirror's admin",
			details: { registry: origin.description, path },
		});
}
