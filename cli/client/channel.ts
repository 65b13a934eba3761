// Which version of a name a host takes that asks for none: the one that its channel points to, where the name's publisher points any;
// else the newest. Refuses a pointer that is older than one seen before, and what it points to where that is not offered.

import { gt } from "semver";
import {
	demandChannels,
	isChannelNews,
	noteChannels,
	type ShownChannel,
	type ShownChannels,
} from "#host/channels.ts";
import type { Host } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { publishersInForce } from "#host/publishers.ts";
import type { IndexDocument, IndexVersion } from "#registry/api/wire.ts";
import { channelOfValue, demandPointsTo, type OpenedChannel, openChannel } from "#signing/channel.ts";
import { CHANNELS, type ChannelName, isChannelName } from "#signing/channel-name.ts";
import { readConfiguration } from "../config-file.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { selectVersion } from "./select.ts";
import type { Source } from "./source.ts";
import type { StatementForm } from "./statements-document.ts";

export const CHANNEL_FORM: StatementForm = { kind: "channel", ofValue: channelOfValue, open: openChannel };

/** The channel that this host follows: flag, then config.json, then `stable`. CLI_USAGE for a flag that is none. */
export function channelOf(context: Context): ChannelName {
	const { channel } = context;
	if (channel !== undefined && !isChannelName(channel))
		throw new CliError("CLI_USAGE", `--channel wants ${CHANNELS.join(" or ")}, not ${channel}`);
	return channel ?? readConfiguration(context).channel ?? "stable";
}

/** The version that `index`'s name is offered at to this host. CLI_NO_VERSION, CLI_CHANNEL_UNUSABLE, CHANNEL_ codes. */
export async function offeredVersion(
	context: Context,
	source: Source,
	index: IndexDocument,
): Promise<IndexVersion> {
	const channel = channelOf(context);
	const pointer = chosen(await followChannels(openContextHost(context), source, index.name), channel);
	return pointer === undefined ? selectVersion(index, "*") : pointedTo(index, pointer);
}

/** What the registry shows of a name's channels, verified by this host's map and against its memory, and remembered. */
export async function followChannels(host: Host, source: Source, name: string): Promise<ShownChannels> {
	const shown = new Map<ChannelName, ShownChannel>();
	for (const envelope of await source.statements(name, CHANNEL_FORM)) {
		const pointer = await openChannel(envelope, name, publishersInForce(host));
		shown.set(pointer.channel, { pointer, signers: envelope.signatures.map(({ keyid }) => keyid) });
	}
	demandChannels(host, name, shown);
	if (isChannelNews(host, name, shown))
		await withLock(host, "trust refresh", (lock) => noteChannels(lock, name, shown));
	return shown;
}

/** Who follows candidate goes with stable, once that has passed it. */
function chosen(shown: ShownChannels, channel: ChannelName): OpenedChannel | undefined {
	const [stable, candidate] = [shown.get("stable")?.pointer, shown.get("candidate")?.pointer];
	if (channel === "stable" || candidate === undefined) return stable;
	return stable !== undefined && gt(stable.version, candidate.version) ? stable : candidate;
}

function pointedTo(index: IndexDocument, pointer: OpenedChannel): IndexVersion {
	const found = index.versions.find(({ version }) => version === pointer.version);
	if (found === undefined || found.yanked !== null) throw unusable(pointer, found);
	demandPointsTo(pointer, found);
	return found;
}

function unusable(
	{ name, channel, version, serial }: OpenedChannel,
	found: IndexVersion | undefined,
): CliError {
	const why = found === undefined ? "which the registry does not list" : "which was yanked";
	return new CliError("CLI_CHANNEL_UNUSABLE", `channel ${channel} of ${name} points to ${version}, ${why}`, {
		hint: "nothing is taken until its publisher points it to another version (kfn promote); a version that you name is taken",
		details: { name, channel, version, serial, yanked: found?.yanked ?? null },
	});
}
