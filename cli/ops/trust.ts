// kfn trust: whose bundles this host runs (etc/kfn/trust/publishers.json).

import { withLock } from "#host/lock.ts";
import { readPublishers } from "#host/publishers.ts";
import { trustAdd as add, trustRemove as drop, type TrustReport } from "#host/trust.ts";
import { formatPublicKey, parsePublicKeyFile } from "#signing/public-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function trustAdd(
	context: Context,
	input: { names: string; keys: readonly string[]; threshold: number | undefined },
): Promise<Output> {
	const keys: string[] = [];
	for (const file of input.keys) {
		const text = Buffer.from(await readInput(file, 64 * 1024)).toString("utf8");
		keys.push(formatPublicKey(parsePublicKeyFile(text)));
	}
	const report = await withLock(openContextHost(context), "trust add", async (lock) =>
		add(lock, { name: input.names, keys, threshold: input.threshold }),
	);
	return trustOutput(report);
}

export async function trustRemove(context: Context, input: { names: string }): Promise<Output> {
	const report = await withLock(openContextHost(context), "trust remove", async (lock) =>
		drop(lock, { name: input.names }),
	);
	return trustOutput(report);
}

export async function trustList(context: Context): Promise<Output> {
	const { publishers } = readPublishers(openContextHost(context));
	const document = publishers.map((p) => ({ ...p, keys: p.keys.map(formatPublicKey) }));
	return { json: { publishers: document }, text: table(publishers) };
}

function trustOutput(report: TrustReport): Output {
	const orphans = report.orphaned.map(
		(name) => `warning: ${name} runs on, but nobody may vouch for it any more`,
	);
	return { json: report, text: [table(report.publishers), ...orphans].join("\n") };
}

function table(publishers: TrustReport["publishers"]): string {
	if (publishers.length === 0) return "no publisher is trusted";
	const rows = publishers.flatMap(({ names, threshold, keys }) =>
		keys.map((key) => [names.join(" "), `${threshold} of ${keys.length}`, key.keyid, key.comment]),
	);
	return columns([["NAMES", "THRESHOLD", "KEY", "COMMENT"], ...rows]);
}
