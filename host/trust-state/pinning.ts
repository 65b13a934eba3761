// Pins a registry's root, and starts again from it. Refuses to put another root into a pin's place unasked, and to take
// anything older than this host has seen when it starts again.

import semver from "semver";
import { SigningError } from "#signing/errors.ts";
import { publicKeyOfTuf } from "#signing/tuf/key.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { demandThreshold } from "#signing/tuf/sign.ts";
import { readTrustedRoot } from "#signing/tuf/trusted-root.ts";
import { codeOf, HostError } from "../errors.ts";
import { generationNumbers, readPlan } from "../generations.ts";
import type { Host } from "../host.ts";
import { type HostLock, withLock } from "../lock.ts";
import { readIfThere } from "../state-file.ts";
import { demandLog, logOfFiles } from "./checkpoint-file.ts";
import { markedRoles, replaceSet } from "./commit.ts";
import { damaged } from "./damage.ts";
import { EMPTY_MARK, type MarkedBundle, parseMark, type TrustMark } from "./mark.ts";
import { type PinnedRoot, readPin } from "./pin.ts";
import { type SessionOptions, walkFrom } from "./session.ts";
import { currentSetName, readSet, rolesOfSet, type TrustSet } from "./set.ts";
import { demandVersions, readTrustState } from "./state.ts";

/**
 * Makes `bytes` the pinned root; whether anything changed.
 *
 * The root must be signed by enough of its own keys, which are Ed25519; its expiry does not matter (TUF 1.0.34 §5.2).
 * HOST_TRUST_PINNED where another root is pinned: with `replace`, that one and all that was remembered of its registry goes. With
 * `replace` and the root that is pinned already, that goes only where it cannot be used: a repeated command must not lower floors.
 */
export async function pinRoot(
	lock: HostLock,
	bytes: Uint8Array,
	{ replace }: { readonly replace: boolean },
): Promise<{ changed: boolean; pin: PinnedRoot }> {
	const { durable, layout } = lock.host;
	await demandSoundRoot(bytes);
	const before = readIfThere(layout.trustRoot);
	const same = before !== undefined && Buffer.compare(before, bytes) === 0;
	if (same && !(replace && isUnusable(lock.host))) return { changed: false, pin: readPin(lock.host) };
	const remembered = readIfThere(layout.trustMark) !== undefined;
	if (!replace && (before !== undefined || remembered) && !continuesPackage(lock.host, bytes))
		throw otherPinned(lock.host);
	durable.makeFolder(layout.trust);
	// First: a kill from here on leaves damage, which refuses, until this command has run again.
	durable.writeFile(layout.trustRoot, bytes);
	if (replace) {
		durable.removeTree(layout.trustCurrent);
		durable.removeFile(layout.trustMark);
		durable.removeTree(layout.trustSets);
		durable.removeFile(layout.channels);
	}
	return { changed: true, pin: readPin(lock.host) };
}

/** Damaged, rolled back, or what an interrupted `replace` left. */
function isUnusable(host: Host): boolean {
	try {
		readTrustState(host);
		return false;
	} catch (error) {
		if (["HOST_TRUST_DAMAGED", "HOST_TRUST_ROLLED_BACK"].includes(codeOf(error))) return true;
		throw error;
	}
}

/** The root that a package brought may be pinned as the operator's own: nothing changes by it. */
function continuesPackage(host: Host, bytes: Uint8Array): boolean {
	const packaged = readIfThere(host.layout.packagedRoot);
	return (
		readIfThere(host.layout.trustRoot) === undefined &&
		packaged !== undefined &&
		Buffer.compare(packaged, bytes) === 0
	);
}

async function demandSoundRoot(bytes: Uint8Array): Promise<void> {
	readTrustedRoot(bytes);
	const envelope = parseEnvelope(bytes, "root");
	const { keys, roles } = envelope.signed;
	const used = new Set(Object.values(roles).flatMap(({ keyids }) => keyids));
	for (const keyid of used) publicKeyOfTuf(keys[keyid]!);
	await demandThreshold(envelope, roles.root, keys, "the root to pin");
}

function otherPinned(host: Host): HostError {
	return new HostError("HOST_TRUST_PINNED", "this host has another registry root pinned, or remembers one", {
		hint: "kfn trust root show says which; --replace forgets it, with all that this host has seen of its registry",
		details: { path: host.layout.trustRoot },
	});
}

/**
 * Starts again from the pinned root, and commits the result over whatever lies there.
 *
 * What the registry then shows must be at least what the mark says: HOST_TRUST_ROLLED_BACK, and for its log LOG_TRUNCATED and LOG_FORKED. A damaged mark is made again from
 * the current set, where that is sound, and its floors from the generations; where neither is readable, nothing is left to
 * hold the registry against: HOST_TRUST_DAMAGED, and only pinning with --replace begins anew.
 */
export async function recoverTrust(host: Host, options: SessionOptions): Promise<TrustSet> {
	const pin = readPin(host);
	const mark = rememberedMark(host);
	const walk = await walkFrom(host, { ...options, rehearse: true }, { pin, set: undefined, mark });
	const next = walk.next();
	demandVersions(walk.trusted(), next.record.roles, mark);
	demandLog(next.files, mark);
	return withLock(host, "trust recover", (lock) => {
		// Another recovery, or a refresh where nothing was damaged, may have gone further meanwhile.
		demandVersions(walk.trusted(), next.record.roles, rememberedMark(host));
		demandLog(next.files, rememberedMark(host));
		return replaceSet(lock, next, rememberedMark(host));
	});
}

function rememberedMark(host: Host): TrustMark {
	const { trustMark } = host.layout;
	const bytes = readIfThere(trustMark);
	try {
		if (bytes !== undefined) return parseMark(bytes, trustMark);
	} catch (error) {
		if (codeOf(error) !== "HOST_TRUST_DAMAGED") throw error;
	}
	const name = currentSetName(host);
	if (name === undefined) {
		if (bytes === undefined) return EMPTY_MARK;
		throw damaged(trustMark, "cannot be read, and no set of metadata is left to make it again from");
	}
	const set = readSet(host, name);
	demandVersions(rolesOfSet(set), set.record.roles, EMPTY_MARK);
	const { at, complete, stale, roles } = set.record;
	const time = complete && stale === null ? at : null;
	const log = logOfFiles(set.files);
	return { time, set: name, roles: markedRoles(roles), log, bundles: floorsOfGenerations(host) };
}

/** The highest version of each bundle that a generation names. */
function floorsOfGenerations(host: Host): Record<string, MarkedBundle> {
	const floors: Record<string, MarkedBundle> = {};
	for (const n of generationNumbers(host)) {
		for (const { bundle } of readPlan(host, n).functions) {
			const { floor } = floors[bundle.name] ?? { floor: null };
			if (floor === null || semver.gt(bundle.version, floor)) {
				floors[bundle.name] = { floor: bundle.version, seen: null };
			}
		}
	}
	return floors;
}

/** The root of that fingerprint among those that `fetch` gives; HOST_TRUST_FINGERPRINT where none has it. */
export async function fetchRootOf(
	fingerprint: string,
	options: Pick<SessionOptions, "fetch">,
): Promise<Uint8Array> {
	for (let version = 1; version <= 1024; version++) {
		const bytes = await options.fetch(`metadata/${version}.root.json`, 512_000);
		if (bytes === "missing") break;
		try {
			if (readTrustedRoot(bytes).fingerprint === fingerprint) return bytes;
		} catch (error) {
			if (!(error instanceof SigningError)) throw error;
		}
	}
	throw new HostError("HOST_TRUST_FINGERPRINT", "the registry has no root of that fingerprint", {
		hint: "compare the fingerprint with the registry's admin over another channel; do not take the registry's word for it",
		details: { fingerprint },
	});
}
