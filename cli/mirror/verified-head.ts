// The top-level metadata of a tree, verified by this host's trust, as a copy starts from it. Refuses what every other read of a
// registry refuses: an older state, an expired one that policy does not cover, too few signatures, a log that does not go on from what this host saw.
import type { Host } from "#host/host.ts";
import { CHECKPOINT_FILE } from "#host/trust-state/checkpoint-file.ts";
import { loggedDocuments } from "#host/trust-state/log.ts";
import { effectiveTime } from "#host/trust-state/mark.ts";
import { readTrustPolicy } from "#host/trust-state/policy.ts";
import { openTrustSession, rehearseTrust, type SessionOptions } from "#host/trust-state/session.ts";
import { readTrustState } from "#host/trust-state/state.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import type { VerifiedHead } from "./copy.ts";
import type { TreeReader } from "./tree.ts";

const DAY_MS = 86_400_000;

/** What the tree says now, which this host trusts from now on. Errors of `openTrustSession`. */
export async function trustedHead(host: Host, tree: TreeReader): Promise<VerifiedHead> {
	const { set } = await openTrustSession(host, optionsFor(tree));
	return headOf(host, set.files);
}

/** The same, and this host's trust stays as it is. */
export async function rehearsedHead(host: Host, tree: TreeReader): Promise<VerifiedHead> {
	return headOf(host, await rehearseTrust(host, optionsFor(tree)));
}

function optionsFor(tree: TreeReader): SessionOptions {
	const fetch: FetchFile = async (path, maxLength) =>
		(await tree.read(`v1/${decodeURIComponent(path)}`, maxLength)) ?? "missing";
	return { fetch, policy: "ed25519", companions: loggedDocuments(fetch) };
}

function headOf(host: Host, files: ReadonlyMap<string, Uint8Array>): VerifiedHead {
	const { stalenessDays } = readTrustPolicy(host);
	const now = effectiveTime(host, readTrustState(host).mark);
	return {
		root: files.get("root.json")!,
		timestamp: files.get("timestamp.json")!,
		snapshot: files.get("snapshot.json")!,
		targets: files.get("targets.json")!,
		checkpoint: files.get(CHECKPOINT_FILE),
		// As for a target that is looked up: bins may be as stale as policy allows.
		now: new Date(now.getTime() - stalenessDays * DAY_MS),
	};
}
