// What a registry's admins and signers do with root and targets: the first versions, changes as drafts, signing where the keys are
// at hand, and taking drafts live. Refuses to take a draft live that is not signed enough, or that something overtook.
import type { SecretKey } from "#signing/ed25519.ts";
import { verifierKey } from "#signing/log/note.ts";
import type { PublicKey } from "#signing/public-key.ts";
import { type Publishers, parsePublishers, serializePublishers } from "#signing/publishers.ts";
import {
	parseRegistryDocument,
	type RegistryDocument,
	serializeRegistryDocument,
} from "#signing/registry-document.ts";
import type { Draft, RootDraft, TargetsDraft } from "#signing/tuf/draft.ts";
import { type DraftReport, reportOf } from "#signing/tuf/draft-report.ts";
import type { TufKeyId } from "#signing/tuf/key.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { fileDigest } from "#signing/tuf/metadata-report.ts";
import {
	firstRoot,
	type OfflineRole,
	type Signers,
	withOnlineKeys,
	withoutSigner,
	withSigner,
} from "#signing/tuf/next-root.ts";
import {
	type Documents,
	firstTargets,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	VENDORS_TARGET,
	withBinsKey,
	withDocuments,
} from "#signing/tuf/next-targets.ts";
import { ROLE_DAYS } from "#signing/tuf/time.ts";
import { parseVendors, serializeVendors, type Vendors } from "#signing/vendors.ts";
import { RegistryError } from "../api/errors.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import { takeDraftLock } from "../serve-lock.ts";
import type { Offered } from "./accept.ts";
import {
	amend,
	currentDrafts,
	type Edits,
	type LiveVersions,
	type TargetsContent,
	type TrustState,
} from "./amend.ts";
import { type LostVersion, lostVersions } from "./lost-versions.ts";
import { demandComplete, draftsToAccept } from "./merge-drafts.ts";
import {
	firstOnlineKeys,
	generateOnlineKeys,
	nextOnlineKeys,
	type OnlineKeys,
	stageOnlineKeys,
} from "./online-keys.ts";
import { onlineKeyIds } from "./repository.ts";
import { demandSeen, signAll } from "./sign-drafts.ts";
import { type Drafts, listed, readStaged, removeStaged, stagedPath, writeStaged } from "./staged-drafts.ts";

export interface InitSpec {
	readonly root: Signers;
	readonly targets: Signers;
	/** A power of two from 2 to 1024; it stays. */
	readonly bins: number;
	readonly days: { readonly root: number; readonly targets: number };
	/** The log's name, such as `registry.example/log`; one made of the log's key unless given. */
	readonly origin: string | undefined;
}

/** A draft that waits for signatures, and where. */
export interface WaitingDraft {
	readonly file: string;
	readonly report: DraftReport;
}

/** A version that went live. */
export interface LiveRole {
	readonly role: OfflineRole;
	readonly version: number;
	readonly expires: string;
	/** Of the file; of root, the fingerprint that hosts pin. */
	readonly sha256: string;
}

export interface CeremonyResult {
	/** False where everything was so already. */
	readonly changed: boolean;
	/** Went live now. */
	readonly live: readonly LiveRole[];
	/** What waits now of what this call concerned. */
	readonly waiting: readonly WaitingDraft[];
	/** Signatures of drafts that waited and were changed: they counted for the old text only. */
	readonly voided: number;
}

export interface PublishersResult extends CeremonyResult {
	/** Published versions that hosts accept by the live map, and refuse once the changed one is live. */
	readonly lost: readonly LostVersion[];
}

/** The ceremony's operations on one data folder; each holds the folder's draft lock. */
export class Ceremony {
	readonly #dataDir: string;
	readonly #context: RegistryContext;
	readonly #accept: (offered: Offered) => Promise<void>;

	constructor(dataDir: string, context: RegistryContext, accept: (offered: Offered) => Promise<void>) {
		this.#dataDir = dataDir;
		this.#context = context;
		this.#accept = accept;
	}

	/**
	 * Makes online keys and the drafts of version 1. REGISTRY_ALREADY_INITIALISED when metadata is live or a draft waits;
	 * DRAFT_ROLE_KEYS; TRUST_MALFORMED for a bad number of bins or origin.
	 */
	init(spec: InitSpec, secrets: readonly SecretKey[]): Promise<CeremonyResult> {
		return this.#locked(async () => {
			const { live, staged } = await this.#state();
			if (live !== undefined || staged.root !== undefined || staged.targets !== undefined)
				throw initialised();
			// Checked with keys that are thrown away: a wrong flag must not leave a folder half made.
			firstDrafts(spec, await generateOnlineKeys(), this.#context.now());
			const drafts = firstDrafts(spec, await firstOnlineKeys(this.#dataDir), this.#context.now());
			return this.#settle({ live, staged }, drafts, { secrets });
		});
	}

	/** A later expiry for the role, or new online keys (root and targets both), as drafts. */
	rotate(
		request: { readonly role: OfflineRole; readonly days: number | undefined; readonly online: boolean },
		secrets: readonly SecretKey[],
	): Promise<CeremonyResult> {
		let stage = async () => {};
		const edits = async (state: TrustState): Promise<Edits> => {
			const { role } = request;
			if (!request.online) return { renew: { [role]: request.days ?? ROLE_DAYS[role] } };
			if (state.live === undefined) throw notInitialised();
			const inUse = await this.#context.metadata.read(onlineKeyIds);
			const keys = await nextOnlineKeys(this.#dataDir);
			stage = () => stageOnlineKeys(this.#dataDir, keys, inUse);
			const online = { snapshot: keys.snapshot.publicKey, timestamp: keys.timestamp.publicKey };
			return {
				root: (root) => withOnlineKeys(root, online),
				targets: ({ signed, documents }) =>
					withRecallKey({ signed: withBinsKey(signed, keys.bins.publicKey), documents }, keys),
				renew: { root: request.days, targets: request.days },
			};
		};
		return this.#changed(secrets, edits, () => stage());
	}

	/** One more signer; of one that signs already, only the threshold. DRAFT_ROLE_KEYS. */
	addSigner(
		request: { readonly role: OfflineRole; readonly key: PublicKey; readonly threshold: number | undefined },
		secrets: readonly SecretKey[],
	): Promise<CeremonyResult> {
		return this.#changed(secrets, async () => ({ root: (root) => withSigner(root, request.role, request) }));
	}

	/** One signer less. DRAFT_UNKNOWN_SIGNER, DRAFT_ROLE_KEYS. */
	removeSigner(
		request: { readonly role: OfflineRole; readonly keyid: TufKeyId; readonly threshold: number | undefined },
		secrets: readonly SecretKey[],
	): Promise<CeremonyResult> {
		return this.#changed(secrets, async () => ({
			root: (root) => withoutSigner(root, request.role, request),
		}));
	}

	/**
	 * Another authorisation map, as a targets draft. `change` gets the map that waits, or else the live one. PUBLISHERS_MALFORMED
	 * when it makes none that a host would read.
	 */
	async changePublishers(
		change: (map: Publishers, registry: RegistryContext) => Promise<Publishers>,
		secrets: readonly SecretKey[],
	): Promise<PublishersResult> {
		let lost: readonly LostVersion[] = [];
		const result = await this.#changed(secrets, async (state) => {
			const { waiting, live } = mapsOf(state);
			const map = serializePublishers(await change(waiting ?? live, this.#context));
			lost = await lostVersions(this.#context, { before: live, after: parsePublishers(map) });
			return { targets: (content) => withDocument(content, PUBLISHERS_TARGET, map) };
		});
		return { ...result, lost };
	}

	/**
	 * Another map of vendors, as a targets draft; the first one where there is none yet. `change` gets the map that waits, or else the
	 * live one. VENDORS_MALFORMED when it makes none that a host would read.
	 */
	changeVendors(change: (map: Vendors) => Vendors, secrets: readonly SecretKey[]): Promise<CeremonyResult> {
		return this.#changed(secrets, async (state) => {
			const { waiting, live } = vendorsOf(state);
			const map = serializeVendors(change(waiting ?? live));
			parseVendors(map);
			return { targets: (content) => withDocument(content, VENDORS_TARGET, map) };
		});
	}

	/** The live map of vendors, and that of the draft that waits, where there is one. REGISTRY_NOT_INITIALISED. */
	async vendors(): Promise<{ readonly live: Vendors; readonly waiting: Vendors | undefined }> {
		return vendorsOf(await this.#state());
	}

	/** Another kfn/registry.json, as a targets draft. TRUST_MALFORMED when `change` makes one that no host would believe. */
	changeRegistryDocument(
		change: (document: RegistryDocument) => RegistryDocument,
		secrets: readonly SecretKey[],
	): Promise<CeremonyResult> {
		return this.#changed(secrets, async () => ({
			targets: (content) => {
				const document = change(parseRegistryDocument(content.documents[REGISTRY_TARGET]));
				return withDocument(content, REGISTRY_TARGET, serializeRegistryDocument(document));
			},
		}));
	}

	/** The live map, and that of the draft that waits, where there is one. REGISTRY_NOT_INITIALISED. */
	async publishers(): Promise<{ readonly live: Publishers; readonly waiting: Publishers | undefined }> {
		return mapsOf(await this.#state());
	}

	/**
	 * Merges these copies into the drafts that wait, and takes live what they concern; without copies, all that waits. What
	 * is not signed enough waits on, with all signatures that came: REGISTRY_DRAFT_INCOMPLETE names the missing keys.
	 * REGISTRY_DRAFT_NONE, _OVERTAKEN, _FOREIGN; errors of `parseDraft` and `acceptMetadata`.
	 */
	accept(copies: readonly Draft[]): Promise<CeremonyResult> {
		return this.#locked(async () => {
			const state = await this.#state();
			const drafts = await draftsToAccept(state, copies);
			// What nobody drafted here must not wait here: the next change would go into it, and its signers would sign both.
			const waiting = currentDrafts(state);
			const own = listed(drafts).filter(({ role }) => waiting[role] !== undefined);
			for (const draft of own) await writeStaged(this.#dataDir, draft);
			await demandComplete(listed(drafts));
			return { changed: true, live: await this.#goLive(drafts), waiting: [], voided: 0 };
		});
	}

	/** `prepare` runs once nothing can be refused any more: what it replaces may be what a draft that waits needs. */
	async #changed(
		secrets: readonly SecretKey[],
		edits: (state: TrustState) => Promise<Edits>,
		prepare = async () => {},
	): Promise<CeremonyResult> {
		return this.#locked(async () => {
			const state = await this.#state();
			if (state.live === undefined && state.staged.root === undefined) throw notInitialised();
			const drafts = await amend(state, await edits(state), this.#context.now());
			return this.#settle(state, drafts, { secrets, prepare });
		});
	}

	/** Signs the drafts, writes them, and takes them live where keys were given and suffice. */
	async #settle(
		state: TrustState,
		drafts: Drafts,
		{ secrets, prepare }: { readonly secrets: readonly SecretKey[]; readonly prepare?: () => Promise<void> },
	): Promise<CeremonyResult> {
		const before = currentDrafts(state);
		demandSeen(before, drafts, secrets);
		const signed = await signAll(drafts, secrets);
		await prepare?.();
		const voided = listed(drafts).map(({ role, metadata: { signatures } }) =>
			Math.max(0, (before[role]?.metadata.signatures.length ?? 0) - signatures.length),
		);
		for (const draft of listed(signed)) await writeStaged(this.#dataDir, draft);
		const reports = await Promise.all(listed(signed).map(reportOf));
		const result = { changed: reports.length > 0, voided: voided.reduce((sum, count) => sum + count, 0) };
		if (secrets.length > 0 && reports.length > 0 && reports.every(({ complete }) => complete)) {
			return { ...result, live: await this.#goLive(signed), waiting: [] };
		}
		const waiting = listed(signed).map((draft, at) => {
			return { file: stagedPath(this.#dataDir, draft), report: reports[at]! };
		});
		return { ...result, live: [], waiting };
	}

	async #goLive({ root, targets }: Drafts): Promise<LiveRole[]> {
		await this.#accept({
			...(root === undefined ? {} : { root: root.metadata }),
			...(targets === undefined
				? {}
				: { targets: { metadata: targets.metadata, documents: targets.documents } }),
		});
		const drafts = listed({ root, targets });
		for (const { role } of drafts) await removeStaged(this.#dataDir, role);
		return drafts.map(({ role, metadata }) => {
			const { version, expires } = metadata.signed;
			return { role, version, expires, sha256: fileDigest(metadata) };
		});
	}

	async #state(): Promise<TrustState> {
		const live = await this.#context.metadata.read(readLiveVersions);
		return { live, staged: await readStaged(this.#dataDir) };
	}

	async #locked<T>(work: () => Promise<T>): Promise<T> {
		const lock = takeDraftLock(this.#dataDir);
		try {
			return await work();
		} finally {
			lock.release();
		}
	}
}

async function readLiveVersions(reads: MetadataReads): Promise<LiveVersions | undefined> {
	const [root, targets] = [await reads.currentTrustFile("root"), await reads.currentTrustFile("targets")];
	if (root === undefined || targets === undefined) return undefined;
	const metadata = parseEnvelope(targets.bytes, "targets");
	const document = async (path: keyof Documents) => {
		const found = await reads.findDocument(path, metadata.signed.targets[path]?.hashes.sha256 ?? "");
		if (found === undefined) throw new Error(`the live targets metadata lists a ${path} that is not stored`);
		return found.bytes;
	};
	const documents = {
		[PUBLISHERS_TARGET]: await document(PUBLISHERS_TARGET),
		[REGISTRY_TARGET]: await document(REGISTRY_TARGET),
		...(metadata.signed.targets[VENDORS_TARGET] === undefined
			? {}
			: { [VENDORS_TARGET]: await document(VENDORS_TARGET) }),
	};
	return { root: parseEnvelope(root.bytes, "root"), targets: { metadata, documents } };
}

function firstDrafts(
	spec: InitSpec,
	online: OnlineKeys,
	now: Date,
): { root: RootDraft; targets: TargetsDraft } {
	const keys = { snapshot: online.snapshot.publicKey, timestamp: online.timestamp.publicKey };
	const root = firstRoot(
		{ root: spec.root, targets: spec.targets, online: keys },
		{ now, days: spec.days.root },
	);
	const origin = spec.origin ?? `kfn-${online.log.publicKey.keyid.slice(0, 16)}/log`;
	const documents = {
		[PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }),
		[REGISTRY_TARGET]: serializeRegistryDocument({
			origin,
			log: { key: verifierKey(origin, "ed25519", online.log.publicKey) },
			witnesses: [],
			quorum: 0,
			recall: online.recall && { key: online.recall.publicKey },
		}),
	};
	const bins = { count: spec.bins, key: online.bins.publicKey };
	const targets = firstTargets({ documents, bins }, { now, days: spec.days.targets });
	const unsigned = { signatures: [], signed: root };
	return {
		root: { role: "root", metadata: unsigned, previous: null },
		targets: {
			role: "targets",
			metadata: { signatures: [], signed: targets },
			documents,
			previous: null,
			root: unsigned,
		},
	};
}

function mapsOf(state: TrustState): { live: Publishers; waiting: Publishers | undefined } {
	return mapIn(state, { publishers: [] }, (documents) => parsePublishers(documents[PUBLISHERS_TARGET]));
}

function vendorsOf(state: TrustState): { live: Vendors; waiting: Vendors | undefined } {
	return mapIn(state, { vendors: [] }, ({ [VENDORS_TARGET]: bytes }) =>
		bytes === undefined ? { vendors: [] } : parseVendors(bytes),
	);
}

/** A map of who may do what, live and in the draft that waits; `none` before the first is live. */
function mapIn<M>(
	state: TrustState,
	none: M,
	read: (documents: Documents) => M,
): { live: M; waiting: M | undefined } {
	const { targets } = currentDrafts(state);
	if (state.live === undefined && targets === undefined) throw notInitialised();
	return {
		live: state.live === undefined ? none : read(state.live.targets.documents),
		waiting: targets && read(targets.documents),
	};
}

function withDocument(
	{ signed, documents }: TargetsContent,
	path: keyof Documents,
	bytes: Uint8Array,
): TargetsContent {
	const changed = { ...documents, [path]: bytes };
	return { signed: withDocuments(signed, changed), documents: changed };
}

function withRecallKey(content: TargetsContent, { recall }: OnlineKeys): TargetsContent {
	const document = parseRegistryDocument(content.documents[REGISTRY_TARGET]);
	const named = { ...document, recall: recall && { key: recall.publicKey } };
	return withDocument(content, REGISTRY_TARGET, serializeRegistryDocument(named));
}

function initialised(): RegistryError {
	return new RegistryError(
		"REGISTRY_ALREADY_INITIALISED",
		"this registry has trust metadata, or drafts of it",
		{
			hint: "kfn registry accept takes drafts live; kfn root rotate, add-signer and remove-signer change what there is",
		},
	);
}

function notInitialised(): RegistryError {
	return new RegistryError("REGISTRY_NOT_INITIALISED", "this registry has no trust metadata", {
		hint: "kfn registry init makes it; kfn registry accept takes its drafts live",
	});
}
