// Channels: a publisher's signed pointer from `stable` or `candidate` of a bundle's name to one version (docs/formats/channel.md).
// Refuses a pointer to a range or to "the newest": it names one content, and a serial that only grows.
import { CHANNELS, type ChannelName, isChannelName } from "./channel-name.ts";
import { type DsseEnvelope, envelopeOfValue, type PayloadForm, parseDsseEnvelope } from "./envelope.ts";
import { plain, SigningError } from "./errors.ts";
import { type Publishers, publisherFor } from "./publishers.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";
import { isTufTime } from "./tuf/time.ts";
import { verifyEnvelope } from "./verify.ts";
import { isVersion } from "./version-range.ts";

export const CHANNEL_PAYLOAD_TYPE = "application/vnd.kfn.channel.v1+json";
export const CHANNEL_SCHEMA = "kfn.channel/1";
export const CHANNEL_LIMITS = { payloadBytes: 1024, envelopeBytes: 32 * 1024, serial: 2 ** 31 - 1 } as const;

export interface ChannelPointer {
	/** The bundle's name. */
	readonly name: string;
	readonly channel: ChannelName;
	/** The one version, and the one content of it: the sha256 of its kfn.json. */
	readonly version: string;
	readonly manifestSha256: string;
	/** 1 to 2³¹ − 1; each later pointer of the same name and channel has a higher one. */
	readonly serial: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`, for people: the serial alone says which of two is later. */
	readonly issued: string;
}

declare const opened: unique symbol;

/** A pointer whose signatures have been checked; made only by {@link openChannel}. Whether it is the latest is not judged yet. */
export type OpenedChannel = ChannelPointer & { readonly [opened]: true };

/** What is remembered of the latest pointer of a name and channel that was followed or published. */
export type SeenChannel = Pick<ChannelPointer, "serial" | "version" | "manifestSha256">;

const FORM: PayloadForm = {
	payloadType: CHANNEL_PAYLOAD_TYPE,
	payloadBytes: CHANNEL_LIMITS.payloadBytes,
	envelopeBytes: CHANNEL_LIMITS.envelopeBytes,
	malformed,
};
const FIELDS = ["schema", "name", "channel", "version", "manifestSha256", "serial", "issued"] as const;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/** Parses a pointer's file: CHANNEL_MALFORMED for all but an envelope in its one spelling. The payload stays closed. */
export function parseChannelFile(bytes: Uint8Array): DsseEnvelope {
	return parseDsseEnvelope(bytes, FORM);
}

/** Reads a pointer that another document embeds; errors as {@link parseChannelFile}. */
export function channelOfValue(value: unknown): DsseEnvelope {
	return envelopeOfValue(value, FORM);
}

/** The unsigned envelope around a new pointer. CHANNEL_MALFORMED where one of its fields breaks the format. */
export function newChannel(pointer: ChannelPointer): DsseEnvelope {
	const payload = serializeChannel(pointer);
	parseChannel(payload);
	return { payloadType: CHANNEL_PAYLOAD_TYPE, payload, signatures: [] };
}

/** What a pointer claims, for whoever shows or signs it; CHANNEL_MALFORMED, and nothing is verified. */
export function unverifiedChannel(envelope: DsseEnvelope): ChannelPointer {
	return parseChannel(envelope.payload);
}

/**
 * Verifies the signatures with the publisher that `publishers` give for `name`, then parses what they are over.
 * PUBLISHERS_NO_MATCH, the SIGNATURE_ codes, CHANNEL_MALFORMED; CHANNEL_SCOPE when it is another name's.
 */
export async function openChannel(
	envelope: DsseEnvelope,
	name: string,
	publishers: Publishers,
): Promise<OpenedChannel> {
	const publisher = publisherFor(publishers, name);
	const payload = await verifyEnvelope(envelope, CHANNEL_PAYLOAD_TYPE, publisher, "channel pointer");
	const pointer = parseChannel(payload);
	if (pointer.name !== name) throw outOfScope(pointer, `it is of ${pointer.name}, not of ${plain(name)}`);
	return pointer as OpenedChannel;
}

/**
 * CHANNEL_REPLAYED unless the pointer is the one that was seen last, or a later one. The same serial with another target is a
 * replay, too: a publisher's keys never sign two, so somebody shows different hosts different things.
 */
export function demandLatest(pointer: OpenedChannel, seen: SeenChannel | undefined): void {
	if (seen === undefined || pointer.serial > seen.serial) return;
	const isSame = pointer.version === seen.version && pointer.manifestSha256 === seen.manifestSha256;
	if (pointer.serial === seen.serial && isSame) return;
	const { name, channel, serial, version } = pointer;
	throw new SigningError(
		"CHANNEL_REPLAYED",
		`channel ${channel} of ${name} points to ${version} with serial ${serial}, and serial ${seen.serial} (${seen.version}) was seen before`,
		{
			hint: "the registry or mirror shows an old pointer, or its publisher promoted twice with one serial: ask him",
			details: { name, channel, serial, version, seen: { serial: seen.serial, version: seen.version } },
		},
	);
}

/** CHANNEL_SCOPE unless the pointer names this manifest, of the version that it names. */
export function demandPointsTo(
	pointer: OpenedChannel,
	found: { readonly version: string; readonly manifestSha256: string },
): void {
	if (pointer.version === found.version && pointer.manifestSha256 === found.manifestSha256) return;
	throw outOfScope(pointer, `it points to another manifest of ${pointer.version} than the published one`);
}

/** The canonical payload: fields in fixed order, two spaces of indentation, a final newline. */
function serializeChannel({
	name,
	channel,
	version,
	manifestSha256,
	serial,
	issued,
}: ChannelPointer): Uint8Array {
	const file = { schema: CHANNEL_SCHEMA, name, channel, version, manifestSha256, serial, issued };
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

function parseChannel(payload: Uint8Array): ChannelPointer {
	const text = decodeUtf8(payload, CHANNEL_LIMITS.payloadBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, FIELDS)) throw malformed("its payload is not JSON with its seven fields");
	const { schema, channel, version, serial, issued } = file;
	if (schema !== CHANNEL_SCHEMA) throw malformed(`its schema is not ${CHANNEL_SCHEMA}`);
	if (!isChannelName(channel)) throw malformed(`its channel is none of ${CHANNELS.join(", ")}`);
	if (typeof version !== "string" || !isVersion(version)) throw malformed("its version is not a version");
	if (!isSerial(serial))
		throw malformed(`its serial is not a whole number from 1 to ${CHANNEL_LIMITS.serial}`);
	if (typeof issued !== "string" || !isTufTime(issued)) throw malformed("its issued is no time");
	const pointer: ChannelPointer = {
		name: matching(file.name, NAME, "name is not a bundle name"),
		channel,
		version,
		manifestSha256: matching(
			file.manifestSha256,
			/^[0-9a-f]{64}$/,
			"manifestSha256 is not 64 lowercase hex digits",
		),
		serial,
		issued,
	};
	if (Buffer.from(payload).equals(serializeChannel(pointer))) return pointer;
	throw malformed(
		"its payload is not in its canonical spelling (order of fields, indentation, final newline)",
	);
}

function isSerial(value: unknown): value is number {
	return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= CHANNEL_LIMITS.serial;
}

function matching(value: unknown, pattern: RegExp, why: string): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw malformed(`its ${why}`);
}

function outOfScope({ name, channel, serial }: ChannelPointer, why: string): SigningError {
	return new SigningError("CHANNEL_SCOPE", `the pointer of channel ${channel} does not hold here: ${why}`, {
		hint: "do not follow it; the registry or mirror is broken or lying",
		details: { name, channel, serial },
	});
}

function malformed(why: string): SigningError {
	return new SigningError("CHANNEL_MALFORMED", `the channel pointer is malformed: ${why}`, {
		hint: "do not use it; get it again from its publisher",
		details: { why },
	});
}
