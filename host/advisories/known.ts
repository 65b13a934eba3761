// What this host remembers of advisories: every one that it verified, by bundle name, whatever a registry shows later
// (docs/formats/advisory.md). Refuses to forget one, and to take an older document for a newer one.
import { join } from "node:path";
import {
	type Advisory,
	advisoryOfValue,
	type OpenedAdvisory,
	openAdvisory,
	unverifiedAdvisory,
} from "#signing/advisory.ts";
import { type DsseEnvelope, envelopeValue } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { HostError } from "../errors.ts";
import { listFolder } from "../generations.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { time } from "../plan.ts";
import { publishersInForce } from "../publishers.ts";
import { anything, exact, listOf, matching, oneOf, text } from "../shape.ts";
import { readJson } from "../state-file.ts";
import { effectiveTime, readMark } from "../trust-state/mark.ts";

/** What was wrong with a name's list when it was last read; it stays until a list without it is read. */
export interface Notice {
	/** ADVISORY_REPLAYED, ADVISORY_WITHHELD, or why a listed one is not believed. */
	readonly code: string;
	/** The advisory's; of one that cannot be read, empty. */
	readonly id: string;
	readonly message: string;
}

export interface KnownList {
	/** The bundle's name. */
	readonly name: string;
	/** When a verified list of it first said what stands here. */
	readonly since: string;
	readonly notices: readonly Notice[];
	/** By id; withdrawn ones too, so that what they replaced cannot come back. */
	readonly advisories: readonly KnownAdvisory[];
}

export interface KnownAdvisory {
	readonly advisory: Advisory;
	readonly envelope: DsseEnvelope;
}

/** All lists of this host, by name. */
export type Known = readonly KnownList[];

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const MOST = 4096;
const shape = exact({
	schema: oneOf("kfn.known-advisories/1"),
	name: matching(NAME, "a bundle name"),
	since: time,
	notices: listOf(exact({ code: matching(/^[A-Z_]{1,64}$/, "a code"), id: text, message: text }), MOST),
	advisories: listOf(anything, MOST),
});

/** Reads all of it; HOST_STATE_MALFORMED where a file is not as kfn wrote it: a host must not judge by less than it knew. */
export function readKnown(host: Host): Known {
	return listFolder(host.layout.advisories)
		.filter((file) => file.endsWith(".json") && NAME.test(file.slice(0, -5)))
		.map((file) => readKnownList(host, file.slice(0, -5)))
		.filter((list) => list !== undefined);
}

/** What is remembered of one name; undefined where it was never asked for. */
export function readKnownList(host: Host, name: string): KnownList | undefined {
	const path = fileOf(host, name);
	const file = readJson(path, shape);
	if (file === undefined) return undefined;
	try {
		if (file.name !== name) throw new SigningError("ADVISORY_SCOPE", `it is of ${file.name}`);
		const advisories = file.advisories.map((value) => {
			const envelope = advisoryOfValue(value);
			return { envelope, advisory: unverifiedAdvisory(envelope) };
		});
		return { name, since: file.since, notices: file.notices, advisories };
	} catch (cause) {
		if (!(cause instanceof SigningError)) throw cause;
		throw new HostError("HOST_STATE_MALFORMED", `${path}: ${cause.message}`, {
			hint: "restore the file from a backup; removed, the host learns anew, and does not notice what is withheld meanwhile",
			details: { path },
			cause,
		});
	}
}

/** What would be remembered of a name after a verified list of it was read; writes nothing. */
export async function learned(
	host: Host,
	name: string,
	listed: readonly DsseEnvelope[],
): Promise<{ readonly list: KnownList; readonly changed: boolean }> {
	const before = readKnownList(host, name);
	const known = new Map((before?.advisories ?? []).map((entry) => [entry.advisory.id, entry]));
	const notices: Notice[] = [];
	const shown = new Set<string>();
	for (const envelope of listed) {
		const entry = await openListed(host, name, envelope, known, notices);
		if (entry === undefined) continue;
		shown.add(entry.advisory.id);
		take(known, entry, notices);
	}
	for (const { advisory } of before?.advisories ?? []) {
		if (!shown.has(advisory.id)) notices.push(withheld(name, advisory));
	}
	const advisories = [...known.values()].sort((a, b) => (a.advisory.id < b.advisory.id ? -1 : 1));
	const list = { name, since: host.now().toISOString(), notices, advisories };
	const same = before !== undefined && spelled({ ...list, since: before.since }) === spelled(before);
	return { list, changed: !same };
}

/** Writes what {@link learned} gave, durably, in one file: it is there whole or as it was. */
export function remember(lock: HostLock, list: KnownList): void {
	const { durable, layout } = lock.host;
	durable.makeFolder(layout.advisories);
	durable.writeFile(fileOf(lock.host, list.name), spelled(list));
	// What could not be read again would stop every later command.
	readKnownList(lock.host, list.name);
}

/** One that this host has verified before, byte for byte, needs no signature again: its keys may have been replaced since. */
async function openListed(
	host: Host,
	name: string,
	envelope: DsseEnvelope,
	known: ReadonlyMap<string, KnownAdvisory>,
	notices: Notice[],
): Promise<KnownAdvisory | undefined> {
	let id = "";
	try {
		({ id } = unverifiedAdvisory(envelope));
		const old = known.get(id);
		if (old !== undefined && isSame(old.envelope, envelope)) return old;
		const now = effectiveTime(host, readMark(host));
		const advisory: OpenedAdvisory = await openAdvisory(envelope, name, publishersInForce(host), now);
		return { advisory, envelope };
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		notices.push({ code: error.code, id, message: error.message });
		return undefined;
	}
}

/** The later `modified` counts (OSV schema 1.7.5, modified field); of two with the same time, the one that was seen first. */
function take(known: Map<string, KnownAdvisory>, entry: KnownAdvisory, notices: Notice[]): void {
	const { id, modified } = entry.advisory;
	const old = known.get(id);
	if (old === undefined || old.advisory.modified < modified) {
		known.set(id, entry);
		return;
	}
	if (isSame(old.envelope, entry.envelope)) return;
	const message = `the registry shows ${id} as of ${modified}, and this host has verified another as of ${old.advisory.modified}`;
	notices.push({ code: "ADVISORY_REPLAYED", id, message });
}

function withheld(name: string, { id, modified }: Advisory): Notice {
	const message = `the registry no longer lists ${id} of ${modified} among the advisories of ${name}; an advisory is withdrawn, never removed`;
	return { code: "ADVISORY_WITHHELD", id, message };
}

/** Signatures may be added to a document that stays the same. */
function isSame(a: DsseEnvelope, b: DsseEnvelope): boolean {
	return Buffer.from(a.payload).equals(b.payload);
}

function spelled({ name, since, notices, advisories }: KnownList): string {
	const file = {
		schema: "kfn.known-advisories/1",
		name,
		since,
		notices,
		advisories: advisories.map(({ envelope }) => envelopeValue(envelope)),
	};
	return `${JSON.stringify(file, null, 2)}\n`;
}

function fileOf(host: Host, name: string): string {
	return join(host.layout.advisories, `${name}.json`);
}
