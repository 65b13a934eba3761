// kfn trust: whose bundles this host runs (etc/kfn/trust/publishers.json).

import { withLock } from "#host/lock.ts";
import { trustAdd as add, trustRemove as drop, trustList as listed } from "#host/trust.ts";
import { formatPublicKey, parsePublicKeyFile } from "#signing/public-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function trustAdd(
	context: Context,
	input: { names: string; keys: readonly string[]; threshold: number },
): Promise<Output> {
	const keys = [];
	for (const file of input.keys) {
		keys.push(parsePublicKeyFile(Buffer.from(await readInput(file, 64 * 1024)).toString("utf8")));
	}
	await withLock(openContextHost(context), "trust add", (lock) =>
		add(lock, { names: [input.names], keys, threshold: input.threshold }),
	);
	const keyids = keys.map(({ keyid }) => keyid);
	return {
		json: { names: [input.names], threshold: input.threshold, keys: keyids },
		text: `${input.threshold} of ${keyids.length} keys may vouch for ${input.names}:\n${keyids.map((id) => `  ${id}`).join("\n")}`,
	};
}

export async function trustList(context: Context): Promise<Output> {
	const { publishers } = listed(openContextHost(context));
	const rows = publishers.flatMap(({ names, threshold, keys }) =>
		keys.map((key) => [names.join(" "), `${threshold} of ${keys.length}`, key.keyid, key.comment]),
	);
	return {
		json: { publishers: publishers.map((p) => ({ ...p, keys: p.keys.map(formatPublicKey) })) },
		text:
			rows.length === 0
				? "no publisher is trusted"
				: columns([["NAMES", "THRESHOLD", "KEY", "COMMENT"], ...rows]),
	};
}

export async function trustRemove(context: Context, input: { names: string }): Promise<Output> {
	await withLock(openContextHost(context), "trust remove", (lock) => drop(lock, { names: input.names }));
	return {
		json: { names: input.names, removed: true },
		text: `nobody may vouch for ${input.names} any more`,
	};
}
