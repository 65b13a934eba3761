// kfn registry publisher: who may publish what through a registry. Each change is a targets draft, signed at once where keys are
// given; what it loses of what is published is shown.

import {
	addPublisher,
	type PublishersResult,
	type Revocation,
	removePublisher,
	revokePublisher,
	withCeremony,
} from "#registry/main.ts";
import { formatPublicKey, type PublicKey } from "#signing/public-key.ts";
import type { Publishers } from "#signing/publishers.ts";
import { parseExact } from "../client/select.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { columns } from "../output/columns.ts";
import { ceremonyText } from "../output/draft.ts";
import { openKeys, readPublicKey } from "./ceremony.ts";

export interface PublisherInput {
	readonly data: string;
	readonly name: string;
	readonly threshold: number | undefined;
	readonly keys: readonly string[];
}

export async function publisherAdd(
	context: Context,
	input: PublisherInput & { publishers: readonly string[] },
): Promise<Output> {
	const { name, threshold } = input;
	const keys: PublicKey[] = [];
	for (const file of input.publishers) keys.push(await readPublicKey(file));
	const secrets = await openKeys(context, input.keys);
	const request = { name, threshold, keys };
	return changeOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => addPublisher(ceremony, request, secrets)),
	);
}

export async function publisherRemove(
	context: Context,
	input: PublisherInput & { publisher: string | undefined },
): Promise<Output> {
	const { name, threshold } = input;
	const key = input.publisher === undefined ? undefined : await readPublicKey(input.publisher);
	const secrets = await openKeys(context, input.keys);
	const request = { name, threshold, key };
	return changeOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => removePublisher(ceremony, request, secrets)),
	);
}

/** Moves a key to the revoked ones; what it signed is refused, but for the versions that are kept. */
export async function publisherRevoke(
	context: Context,
	input: PublisherInput & {
		publisher: string;
		reason: string;
		keep: readonly string[];
		keepAllPublished: boolean;
	},
): Promise<Output> {
	const { name, threshold, reason } = input;
	const key = await readPublicKey(input.publisher);
	const keep = input.keepAllPublished ? "all-published" : input.keep.map(parseExact);
	const secrets = await openKeys(context, input.keys);
	const request: Revocation = { name, threshold, reason, key, keep };
	return changeOutput(
		input.data,
		await withCeremony(input.data, (ceremony) => revokePublisher(ceremony, request, secrets)),
	);
}

/** The map that is live, and the one of a draft that waits. */
export async function publisherList(_context: Context, input: { data: string }): Promise<Output> {
	const { live, waiting } = await withCeremony(input.data, (ceremony) => ceremony.publishers());
	return {
		json: { live: document(live), waiting: waiting === undefined ? null : document(waiting) },
		text: [
			table(live),
			...(waiting === undefined ? [] : ["", "in the draft that waits:", table(waiting)]),
		].join("\n"),
	};
}

function changeOutput(data: string, result: PublishersResult): Output {
	const lost = result.lost.map(({ name, version, code }) => `  ${name} ${version} (${code})`);
	const when = result.live.length > 0 ? "are refused from now on" : "will be refused once this is live";
	const warning = lost.length === 0 ? [] : [`published versions that ${when}:`, ...lost];
	return { json: result, text: [...warning, ceremonyText(data, result)].join("\n") };
}

function document({ publishers }: Publishers): unknown {
	return publishers.map(({ names, threshold, keys, revoked = [] }) => ({
		names,
		threshold,
		keys: keys.map(formatPublicKey),
		revoked: revoked.map((entry) => ({ ...entry, key: formatPublicKey(entry.key) })),
	}));
}

function table({ publishers }: Publishers): string {
	if (publishers.length === 0) return "nobody may publish yet";
	const rows = publishers.flatMap(({ names, threshold, keys, revoked = [] }) => [
		...keys.map((key) => [names.join(" "), `${threshold} of ${keys.length}`, key.keyid, key.comment]),
		...revoked.map(({ key, reason, manifests }) => {
			return [names.join(" "), `revoked, keeps ${manifests.length}`, key.keyid, reason];
		}),
	]);
	return columns([["NAMES", "THRESHOLD", "KEY", "COMMENT"], ...rows]);
}
