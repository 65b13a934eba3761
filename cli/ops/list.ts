// kfn list: what is installed and active, what lies in the store, and which generations there are.

import { list as hostList } from "#host/list.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function list(context: Context): Promise<Output> {
	const document = await hostList(openContextHost(context));
	const rows = document.active.map((a) => [a.name, a.version, `${a.function}/${a.abi}`, a.scope]);
	return {
		json: document,
		text:
			rows.length === 0
				? "nothing is installed"
				: columns([["NAME", "VERSION", "FUNCTION", "SCOPE"], ...rows]),
	};
}
