// kfn list: what is installed and active, what lies in the store, and which generations there are.

import { formatConfigWords } from "#bundle/config-text.ts";
import type { Hold } from "#host/holds.ts";
import { list as hostList } from "#host/list.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function list(context: Context): Promise<Output> {
	const document = hostList(openContextHost(context));
	const rows = document.installed.map((a) => [
		a.bundle,
		a.version,
		`${a.function}/${a.abi}`,
		a.scope,
		formatConfigWords(a.set ?? a.config).join(" "),
	]);
	const held =
		document.holds === null
			? ["the file of holds is not understood: kfn hold says why"]
			: document.holds.map(heldText);
	const last = rows.some((row) => row[4] !== "") ? ["PARAMETERS"] : [];
	return {
		json: document,
		text: [
			rows.length === 0
				? "nothing is installed"
				: columns([["NAME", "VERSION", "FUNCTION", "SCOPE", ...last], ...rows]),
			...held,
		].join("\n"),
	};
}

function heldText({ name, version, reason }: Hold): string {
	const at = version === null ? "held at the version that is active" : `held at ${version}`;
	return `${name} is ${at}${reason === null ? "" : `: ${reason}`} (kfn hold says what that keeps out)`;
}
