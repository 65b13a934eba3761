// Takes new root and targets metadata live, within one transaction (TUF 1.0.34 §5.3, §5.6). Refuses what clients would
// refuse, what the registry could not go on with, and to leave the live metadata half changed.

import { SigningError } from "#signing/errors.ts";
import type { LogTrust } from "#signing/log/checkpoint.ts";
import { formatVerifierKey } from "#signing/log/note.ts";
import {
	type Envelope,
	parseEnvelope,
	type RootSigned,
	type SuccinctRoles,
	serializeEnvelope,
	type TargetFile,
	type TargetsSigned,
} from "#signing/tuf/metadata.ts";
import {
	BIN_PREFIX,
	checkDocuments,
	type Documents,
	demandReadable,
	documentsIn,
	VENDORS_TARGET,
} from "#signing/tuf/next-targets.ts";
import { demandThreshold } from "#signing/tuf/sign.ts";
import { RegistryError } from "../api/errors.ts";
import { readKeyState, readLogTrust, recordKeyChanges, recordUnloggedVersions } from "../log/record.ts";
import type { MetadataReads, MetadataTransaction } from "../ports/metadata-store.ts";
import { archiveTarget, indexDocument, indexTarget } from "./index-document.ts";
import type { Keyring } from "./online-keys.ts";
import { OnlineSigner } from "./repository.ts";
import { everyStatementsTarget } from "./statements-document.ts";

export interface Offered {
	readonly root?: Envelope<RootSigned>;
	/** With the exact bytes of what it lists. */
	readonly targets?: { readonly metadata: Envelope<TargetsSigned>; readonly documents: Documents };
}

const NAMES_PER_PAGE = 1000;

/**
 * Makes the offered metadata current, and signs anew what the online keys sign.
 *
 * The first time it needs both, as version 1; what was published before is then listed. Later either, each the version after the
 * current one. TRUST_SIGNATURES: too few of the keys of the root before, of the root itself, or (also for the targets that
 * stay) of its targets role. TRUST_ROLLBACK: another version than the next. TRUST_EXPIRED, TRUST_MISMATCH (documents), TRUST_MALFORMED,
 * PUBLISHERS_MALFORMED, VENDORS_MALFORMED; REGISTRY_KEYS_UNUSABLE: it names online keys that the keyring lacks.
 */
export async function acceptMetadata(
	tx: MetadataTransaction,
	offered: Offered,
	signing: { readonly keyring: Keyring; readonly now: Date },
): Promise<void> {
	const before = await binsOf(tx);
	const keysBefore = await readKeyState(tx);
	const logBefore = await readLogTrust(tx);
	const root = await acceptRoot(tx, offered.root, signing.now);
	await acceptTargets(tx, offered.targets, { root, now: signing.now });
	const signer = await OnlineSigner.open(tx, signing);
	if (offered.targets !== undefined) {
		for (const { path, bytes } of documentsIn(offered.targets.documents)) await signer.store(path, bytes);
	}
	await demandSameLog(tx, logBefore);
	await recordKeyChanges(tx, keysBefore, signing);
	const { bins } = signer.trust;
	const reshaped = before?.bit_length !== bins.bit_length;
	// Once there is a log, publishing writes into it. To look through all that is published holds up publishers, so it is done
	// for a registry that gets its log now, and where every bin is built anew, too.
	const newlyLogged = (reshaped || logBefore === undefined) && (await recordUnloggedVersions(tx, signing));
	if (newlyLogged || reshaped) await signer.rebuildBins(await everyTarget(tx, signer, signing.now));
	else if (!sameKeys(before, bins)) await signer.resignBins();
	await signer.signSnapshot();
	await signer.signRecallList();
}

/** The root in force afterwards. */
async function acceptRoot(
	tx: MetadataTransaction,
	offered: Envelope<RootSigned> | undefined,
	now: Date,
): Promise<RootSigned> {
	const current = await tx.currentTrustFile("root");
	const trusted = current && parseEnvelope(current.bytes, "root").signed;
	if (offered === undefined) {
		if (trusted !== undefined) return trusted;
		throw notInitialised("root");
	}
	const envelope = strictly(offered, "root");
	const { signed } = envelope;
	// §5.3.5, first: with another version the thresholds say nothing.
	demandNext("root", signed.version, trusted?.version);
	// §5.3.4: enough of the keys before, and enough of its own.
	if (trusted !== undefined) {
		await demandThreshold(
			envelope,
			trusted.roles.root,
			trusted.keys,
			`root ${signed.version}, by root ${trusted.version}`,
		);
	}
	await demandThreshold(envelope, signed.roles.root, signed.keys, `root ${signed.version}, by its own keys`);
	demandLive("root", signed.expires, now);
	await store(tx, "root", envelope, now);
	return signed;
}

async function acceptTargets(
	tx: MetadataTransaction,
	offered: Offered["targets"],
	{ root, now }: { root: RootSigned; now: Date },
): Promise<void> {
	const current = await tx.currentTrustFile("targets");
	if (offered === undefined) {
		if (current === undefined) throw notInitialised("targets");
		const { version } = current;
		const stays = parseEnvelope(current.bytes, "targets");
		// A root that removes signers may take the live targets below its threshold: clients would refuse it (§5.6.3).
		await demandThreshold(
			stays,
			root.roles.targets,
			root.keys,
			`targets ${version}, by root ${root.version}`,
		);
		return;
	}
	const envelope = strictly(offered.metadata, "targets");
	const { signed } = envelope;
	demandNext("targets", signed.version, current?.version);
	await demandThreshold(
		envelope,
		root.roles.targets,
		root.keys,
		`targets ${signed.version}, by root ${root.version}`,
	);
	demandLive("targets", signed.expires, now);
	checkDocuments(signed, offered.documents);
	demandReadable(offered.documents);
	await demandVendorsStay(tx, offered.documents);
	if (signed.delegations?.succinct_roles.name_prefix !== BIN_PREFIX) {
		throw new SigningError(
			"TRUST_MALFORMED",
			`the targets metadata does not delegate to bins named ${BIN_PREFIX}-…`,
		);
	}
	await store(tx, "targets", envelope, now);
}

/** A map of vendors that is left out would go on counting here, and for no host; an empty one says that nobody may speak. */
async function demandVendorsStay(reads: MetadataReads, documents: Documents): Promise<void> {
	if (documents[VENDORS_TARGET] !== undefined) return;
	if ((await reads.currentDocument(VENDORS_TARGET)) === undefined) return;
	throw new SigningError("TRUST_MISMATCH", `the targets metadata leaves ${VENDORS_TARGET} out`, {
		hint: "make the draft here (kfn registry vendor remove): a map that says less stays a map",
	});
}

/** All that was ever published, as the bins list it; makes the documents on the way. */
async function everyTarget(
	reads: MetadataReads,
	signer: OnlineSigner,
	now: Date,
): Promise<Map<string, TargetFile>> {
	const files = new Map<string, TargetFile>();
	for (const { path, bytes } of await everyStatementsTarget(reads, now)) {
		files.set(path, await signer.store(path, bytes));
	}
	for (let after = ""; ; ) {
		const names = await reads.listNames(after, NAMES_PER_PAGE);
		for (const name of names) {
			const records = await reads.listVersions(name);
			const index = indexTarget(await indexDocument(reads, name));
			files.set(index.path, await signer.store(index.path, index.bytes));
			for (const { path, file } of records.map(archiveTarget)) files.set(path, file);
		}
		after = names.at(-1) ?? "";
		if (names.length < NAMES_PER_PAGE) return files;
	}
}

/** A log goes on under one name and one key, or hosts that remember it could not tell a fork from a change of plan. */
async function demandSameLog(reads: MetadataReads, before: LogTrust | undefined): Promise<void> {
	if (before === undefined) return;
	const after = await readLogTrust(reads);
	if (after !== undefined && formatVerifierKey(after.key) === formatVerifierKey(before.key)) return;
	throw new SigningError("TRUST_MISMATCH", "kfn/registry.json names another log than before, or none", {
		hint: `keep its origin and its key: ${formatVerifierKey(before.key)}`,
		details: { log: formatVerifierKey(before.key) },
	});
}

async function binsOf(reads: MetadataReads): Promise<SuccinctRoles | undefined> {
	const targets = await reads.currentTrustFile("targets");
	return targets && parseEnvelope(targets.bytes, "targets").signed.delegations?.succinct_roles;
}

function sameKeys(a: SuccinctRoles, b: SuccinctRoles): boolean {
	return a.threshold === b.threshold && [...a.keyids].sort().join() === [...b.keyids].sort().join();
}

/** Held to the reader's rules, whoever made it in memory. */
function strictly<T extends "root" | "targets">(envelope: Parameters<typeof serializeEnvelope>[0], role: T) {
	return parseEnvelope(serializeEnvelope(envelope), role);
}

async function store(
	tx: MetadataTransaction,
	role: "root" | "targets",
	envelope: Envelope<RootSigned | TargetsSigned>,
	now: Date,
): Promise<void> {
	const { version, expires } = envelope.signed;
	const file = { role, version, expires, bytes: serializeEnvelope(envelope) };
	if (await tx.insertTrustFile(file, now.toISOString())) return;
	throw new RegistryError("REGISTRY_BUSY", "the metadata was changed at the same moment", {
		hint: "try again",
	});
}

function demandNext(role: string, version: number, current = 0): void {
	if (version === current + 1) return;
	throw new SigningError(
		"TRUST_ROLLBACK",
		`${role} ${version} cannot go live: version ${current} is current, and ${current + 1} is next`,
		{ hint: "make a new draft of the live version", details: { role, version, current } },
	);
}

function demandLive(role: string, expires: string, now: Date): void {
	if (Date.parse(expires) > now.getTime()) return;
	throw new SigningError("TRUST_EXPIRED", `the ${role} metadata expired at ${expires}`, {
		hint: "make a new draft with a later expiry, and have it signed",
		details: { role, expires },
	});
}

function notInitialised(role: string): RegistryError {
	return new RegistryError("REGISTRY_NOT_INITIALISED", `this registry has no ${role} metadata`, {
		hint: "its first metadata goes live as root and targets together (kfn registry init)",
	});
}
