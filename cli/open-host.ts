// Opens the host that a context points at: its root, its loader, and in the project's tests an injected fault.

import { parseFault } from "#host/faults.ts";
import { type Host, openHost } from "#host/host.ts";
import type { Context } from "./context.ts";

export function openContextHost(context: Context): Host {
	const { fault } = context.env;
	return openHost({
		root: context.root,
		loader: context.loader,
		...(fault === undefined ? {} : { faults: parseFault(fault) }),
	});
}
