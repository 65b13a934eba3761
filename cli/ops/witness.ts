// kfn log witness: watches another registry's log and cosigns what it sees (C2SP tlog-cosignature). Refuses to cosign a checkpoint
// that does not begin with the one that it cosigned before.
import { fetchedTiles } from "#host/trust-state/log.ts";
import { openCheckpoint, parseCheckpoint } from "#signing/log/checkpoint.ts";
import { cosign } from "#signing/log/cosignature.ts";
import {
	formatVerifierKey,
	NOTE_LIMITS,
	parseVerifierKey,
	serializeNote,
	verifierKey,
} from "#signing/log/note.ts";
import { LogTree } from "#signing/log/tree.ts";
import { openRegistryClient } from "../client/registry.ts";
import { openRegistryReader } from "../client/registry-fetch.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { openSigningKeys } from "../signing-keys.ts";
import { WitnessState } from "../witness-state.ts";

export interface WitnessInput {
	readonly name: string;
	readonly keys: readonly string[];
	readonly logKey: string | undefined;
	readonly state: string;
	readonly registry: string | undefined;
}

/**
 * Without a log's key: the witness's own, for the registry's targets signers to name. With it: verifies the log's newest
 * checkpoint against the last one that was cosigned, records it, cosigns it, and sends it back.
 */
export async function witnessLog(context: Context, input: WitnessInput): Promise<Output> {
	const [secret, ...more] = await openSigningKeys(context, input.keys);
	if (secret === undefined || more.length > 0)
		throw new CliError("CLI_USAGE", "a witness signs with one --key");
	const key = formatVerifierKey(verifierKey(input.name, "cosignature", secret.publicKey));
	if (input.logKey === undefined) return { json: { key, cosigned: null }, text: key };
	const logKey = parseVerifierKey(input.logKey);
	if (logKey.type !== "ed25519") throw new CliError("CLI_USAGE", "--log-key is a witness's key, not a log's");
	// One key for both would let a log vouch for itself.
	if (logKey.publicKey.keyid === secret.publicKey.keyid) {
		throw new CliError("CLI_USAGE", "a log's own key cannot be its witness");
	}
	const trust = { origin: logKey.name, key: logKey, witnesses: [], quorum: 0 };
	const { fetch } = await openRegistryReader(context, input.registry);
	using state = new WitnessState(input.state);
	const seen = state.seen(trust.origin);
	const bytes = await fetch("log/latest", NOTE_LIMITS.bytes);
	if (bytes === "missing") throw new CliError("CLI_NO_LOG", "this registry keeps no transparency log");
	const checkpoint = await openCheckpoint(bytes, trust);
	const before = seen && parseCheckpoint(seen);
	if (before !== undefined) await new LogTree(fetchedTiles(fetch), checkpoint).demandExtends(before);
	// Recorded before anybody can have the cosignature: a kill in between costs a cosignature, never a promise.
	if (!state.record(trust.origin, seen, bytes)) {
		throw new CliError("CLI_FILE_BUSY", "another run of this witness was first; nothing was cosigned here", {
			hint: "run it again: it then compares with what the other one saw",
		});
	}
	const { text } = checkpoint.note;
	const cosignature = await cosign(text, { name: input.name, secret }, Math.floor(Date.now() / 1000));
	const registry = await openRegistryClient(context, input.registry);
	const answer = await registry.cosign(serializeNote({ text, signatures: [cosignature] }));
	const { size, cosigners, quorum } = answer;
	const cosigned = { origin: trust.origin, size, before: before?.size ?? null, cosigners, quorum };
	return {
		json: { key, cosigned },
		text: `${trust.origin}: ${size} entries cosigned; ${cosigners.length} of ${quorum} witnesses asked for`,
	};
}
