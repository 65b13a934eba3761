// kfn verify --proof: that a bundle file is the one that the registry logged, with the proof that travels beside it and without a
// network. Refuses proofs of other bundles, and of a log that is not the one that this host's verified metadata names.
import type { Bundle } from "#bundle/bundle.ts";
import { CHECKPOINT_FILE } from "#host/trust-state/checkpoint-file.ts";
import { logTrustOfSet } from "#host/trust-state/log.ts";
import { readCurrentSet } from "#host/trust-state/state.ts";
import { SigningError } from "#signing/errors.ts";
import { parseCheckpoint } from "#signing/log/checkpoint.ts";
import { parseLogEntry } from "#signing/log/entry.ts";
import { forked, sameHash } from "#signing/log/merkle.ts";
import { openProof, PROOF_LIMITS } from "#signing/log/proof.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";

export interface ProvedBundle {
	readonly origin: string;
	readonly index: number;
	/** Of the tree that the proof is about. */
	readonly size: number;
	readonly at: string;
}

/**
 * The errors of `openProof`; LOG_NOT_INCLUDED for a proof of another bundle; LOG_FORKED where its checkpoint contradicts the one
 * that this host has seen of the same size; CLI_NO_LOG on a host whose metadata names no log.
 */
export async function verifyProof(context: Context, bundle: Bundle, file: string): Promise<ProvedBundle> {
	const set = readCurrentSet(openContextHost(context));
	const trust = set && logTrustOfSet(set);
	if (set === undefined || trust === undefined) {
		throw new CliError("CLI_NO_LOG", "this host knows no log to check the proof against", {
			hint: "pin the registry's root (kfn trust root pin) and refresh once (kfn log verify); after that no network is needed",
		});
	}
	const { entry, index, checkpoint } = await openProof(await readInput(file, PROOF_LIMITS.fileBytes), trust);
	const seen = set.files.get(CHECKPOINT_FILE);
	const before = seen && parseCheckpoint(seen);
	if (before?.size === checkpoint.size && !sameHash(before.root, checkpoint.root))
		throw forked(before, checkpoint);
	const logged = parseLogEntry(entry);
	const { manifest } = bundle;
	const same =
		logged.type === "publish" &&
		logged.name === manifest.name &&
		logged.version === manifest.version &&
		logged.sha256 === bundle.sha256 &&
		logged.manifestSha256 === bundle.manifestDigest &&
		logged.tag === manifest.tag.value;
	if (same) return { origin: trust.origin, index, size: checkpoint.size, at: logged.at };
	throw new SigningError("LOG_NOT_INCLUDED", "the proof is of something else than this bundle", {
		hint: "take the proof that was made for exactly this file (kfn log prove)",
		details: { bundle: bundle.sha256, proved: logged.sha256 },
	});
}
