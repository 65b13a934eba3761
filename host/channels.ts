// Which channel pointers this host has followed: var/lib/kfn/channels.json (docs/formats/channel.md). Refuses an older pointer than one
// that it has seen, and a registry that shows none any more.
import { demandLatest, type OpenedChannel, type SeenChannel } from "#signing/channel.ts";
import { CHANNELS, type ChannelName } from "#signing/channel-name.ts";
import { SigningError } from "#signing/errors.ts";
import { publisherFor } from "#signing/publishers.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { publishersInForce } from "./publishers.ts";
import { count, exact, listOf, mapOf, matching, oneOf, text } from "./shape.ts";
import { readJson } from "./state-file.ts";

const digest = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const seenShape = exact({
	serial: count,
	version: text,
	manifestSha256: digest,
	/** Key ids of its signatures: where they no longer suffice, what was seen is void. */
	signers: listOf(digest, 64),
});
const shape = exact({
	schema: oneOf("kfn.channels-seen/1"),
	/** By bundle name, then by channel. */
	names: mapOf(exact({}, { stable: seenShape, candidate: seenShape })),
});
type SeenChannels = ReturnType<typeof shape>["names"][string];

/** A verified pointer, and who signed it. */
export interface ShownChannel {
	readonly pointer: OpenedChannel;
	readonly signers: readonly string[];
}
export type ShownChannels = ReadonlyMap<ChannelName, ShownChannel>;

/**
 * CHANNEL_REPLAYED where a shown pointer is older than the one that this host has seen, CHANNEL_WITHHELD where that one is not shown.
 * HOST_STATE_MALFORMED where it cannot be read what was seen.
 */
export function demandChannels(host: Host, name: string, shown: ShownChannels): void {
	const seen = seenOf(host, name);
	for (const channel of CHANNELS) {
		const [found, before] = [shown.get(channel), seen[channel]];
		if (found !== undefined) demandLatest(found.pointer, before);
		else if (before !== undefined) throw withheld(name, channel, before);
	}
}

/** Whether {@link noteChannels} would write anything, so that nobody takes the lock in vain. */
export function isChannelNews(host: Host, name: string, shown: ShownChannels): boolean {
	const seen = seenOf(host, name);
	return [...shown].some(([channel, { pointer }]) => pointer.serial > (seen[channel]?.serial ?? 0));
}

/** Remembers the pointers; what was seen meanwhile is demanded again. Errors as {@link demandChannels}. */
export function noteChannels({ host }: HostLock, name: string, shown: ShownChannels): void {
	demandChannels(host, name, shown);
	const entries = [...shown].map(([channel, { pointer, signers }]) => {
		const { serial, version, manifestSha256 } = pointer;
		return [channel, { serial, version, manifestSha256, signers }];
	});
	const names = { ...readNames(host), [name]: Object.fromEntries(entries) };
	const { durable, layout } = host;
	durable.makeFolder(layout.state);
	durable.writeFile(
		layout.channels,
		`${JSON.stringify({ schema: "kfn.channels-seen/1", names }, null, 2)}\n`,
	);
}

function readNames(host: Host): Readonly<Record<string, SeenChannels>> {
	return readJson(host.layout.channels, shape)?.names ?? {};
}

/**
 * What was seen of a name, as far as it still counts: a thief of a key that is revoked since could have shown the highest serial, and
 * nobody could ever point the channel again (as TUF 1.0.34 §5.3.11 has it of metadata).
 */
function seenOf(host: Host, name: string): SeenChannels {
	const names = readNames(host);
	// A name may be one that every object has a property of.
	const seen = (Object.hasOwn(names, name) ? names[name] : undefined) ?? {};
	if (Object.keys(seen).length === 0) return seen;
	const { keys, threshold } = publisherFor(publishersInForce(host), name);
	const counts = ({ signers }: { signers: readonly string[] }) =>
		signers.filter((signer) => keys.some(({ keyid }) => keyid === signer)).length >= threshold;
	return Object.fromEntries(Object.entries(seen).filter(([, entry]) => counts(entry)));
}

function withheld(name: string, channel: ChannelName, { version, serial }: SeenChannel): SigningError {
	return new SigningError(
		"CHANNEL_WITHHELD",
		`the registry shows no channel ${channel} of ${name} any more, which pointed to ${version} with serial ${serial}`,
		{
			hint: "the registry or mirror is broken or lying; a version that you name is taken without a channel",
			details: { name, channel, serial, version },
		},
	);
}
