// For tests only: initialises a registry's trust metadata with keys made in this process. Product code never imports it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { verifierKey } from "#signing/log/note.ts";
import type { PublicKey } from "#signing/public-key.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { serializeRegistryDocument } from "#signing/registry-document.ts";
import type { Envelope, RootSigned, TargetsSigned } from "#signing/tuf/metadata.ts";
import { serializeEnvelope } from "#signing/tuf/metadata.ts";
import { firstRoot } from "#signing/tuf/next-root.ts";
import {
	type Documents,
	firstTargets,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	VENDORS_TARGET,
} from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { ROLE_DAYS } from "#signing/tuf/time.ts";
import { serializeVendors, type Vendors } from "#signing/vendors.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { acceptMetadata } from "../trust/accept.ts";
import { createOnlineKeys, generateOnlineKeys, keyringOf, type OnlineKeys } from "../trust/online-keys.ts";

/** Everything secret about a test registry. */
export interface TestTrust {
	/** Three keys, of which two must sign. */
	readonly root: readonly SecretKey[];
	/** Two keys, of which one must sign. */
	readonly targets: readonly SecretKey[];
	readonly online: OnlineKeys;
	/** The exact bytes of 1.root.json: what a host pins. */
	readonly rootBytes: Uint8Array;
	readonly signed: { readonly root: Envelope<RootSigned>; readonly targets: Envelope<TargetsSigned> };
	readonly documents: Documents;
}

export interface TestTrustOptions {
	/** Who may publish everything: by default the key that testBundle signs with. */
	readonly publishers?: readonly PublicKey[];
	/** The whole authorisation map, instead of `publishers`. */
	readonly map?: Uint8Array;
	readonly registry?: Uint8Array;
	/** The map of vendors; without it, targets list none. */
	readonly vendors?: Vendors;
	/** The online keys, when `registry` names one of them. */
	readonly online?: OnlineKeys;
	readonly now?: Date;
	/** 16 unless told otherwise: they all have to be signed. */
	readonly bins?: number;
}

let publisher: Promise<SecretKey> | undefined;

/** The key that testBundle signs with, one per process. */
export function testPublisher(): Promise<SecretKey> {
	publisher ??= generateKeyPair("test publisher");
	return publisher;
}

/** Initialises the data folder of a registry that is not open yet, or that runs in another process. */
export async function initialiseTestTrust(
	dataDir: string,
	options: TestTrustOptions = {},
): Promise<TestTrust> {
	const trust = await makeTestTrust(options);
	await mkdir(dataDir, { recursive: true, mode: 0o700 });
	await createOnlineKeys(dataDir, trust.online);
	const metadata = await openSqliteMetadataStore(join(dataDir, "registry.sqlite"));
	try {
		await goLive(metadata, trust, options.now);
	} finally {
		await metadata.close();
	}
	return trust;
}

/** The same in a store that is open; the online keys are in the answer only. */
export async function initialiseTestStore(
	metadata: MetadataStore,
	options: TestTrustOptions = {},
): Promise<TestTrust> {
	const trust = await makeTestTrust(options);
	await goLive(metadata, trust, options.now);
	return trust;
}

async function goLive(metadata: MetadataStore, trust: TestTrust, now = new Date()): Promise<void> {
	const { signed, documents } = trust;
	const offered = { root: signed.root, targets: { metadata: signed.targets, documents } };
	const signing = { keyring: keyringOf(trust.online), now };
	await metadata.transaction((tx) => acceptMetadata(tx, offered, signing));
}

/** Keys and the first signed root and targets; nothing is stored. */
async function makeTestTrust(options: TestTrustOptions): Promise<TestTrust> {
	const { now = new Date(), bins = 16 } = options;
	const root = [await generateKeyPair(), await generateKeyPair(), await generateKeyPair()];
	const targets = [await generateKeyPair(), await generateKeyPair()];
	const online = options.online ?? (await generateOnlineKeys());
	const documents = {
		[PUBLISHERS_TARGET]: options.map ?? (await everythingBy(options.publishers)),
		[REGISTRY_TARGET]: options.registry ?? withLog(online),
		...(options.vendors === undefined ? {} : { [VENDORS_TARGET]: serializeVendors(options.vendors) }),
	};
	const roles = {
		root: { keys: publicHalves(root), threshold: 2 },
		targets: { keys: publicHalves(targets), threshold: 1 },
		online: { snapshot: online.snapshot.publicKey, timestamp: online.timestamp.publicKey },
	};
	const content = { documents, bins: { count: bins, key: online.bins.publicKey } };
	const signed = {
		root: await signNew(firstRoot(roles, { now, days: ROLE_DAYS.root }), root.slice(0, 2)),
		targets: await signNew(firstTargets(content, { now, days: ROLE_DAYS.targets }), targets.slice(0, 1)),
	};
	return { root, targets, online, rootBytes: serializeEnvelope(signed.root), signed, documents };
}

/** A map that lets any one of the keys publish every name. */
async function everythingBy(keys?: readonly PublicKey[]): Promise<Uint8Array> {
	const trusted = keys ?? [(await testPublisher()).publicKey];
	return serializePublishers({ publishers: [{ names: ["*"], threshold: 1, keys: trusted }] });
}

function withLog(online: OnlineKeys): Uint8Array {
	const origin = "test.example/log";
	const log = { key: verifierKey(origin, "ed25519", online.log.publicKey) };
	const recall = online.recall && { key: online.recall.publicKey };
	return serializeRegistryDocument({ origin, log, witnesses: [], quorum: 0, recall });
}

function publicHalves(secrets: readonly SecretKey[]): PublicKey[] {
	return secrets.map(({ publicKey }) => publicKey);
}
