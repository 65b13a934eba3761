// A host with a pinned root beside a repository that it reads, for tests of the trust state. Refuses nothing of what a
// repository does: it is the host that must.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Faults, noFaults } from "#host/faults.ts";
import { type Host, openHost } from "#host/host.ts";
import { registryDocuments } from "#host/trust-state/documents.ts";
import { openTrustSession, type SessionOptions, type TrustSession } from "#host/trust-state/session.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { serializeRegistryDocument } from "#signing/registry-document.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "./fake-kfn-load.ts";
import { type RepositoryOptions, TufRepository } from "./tuf-repository.ts";

export const NOW = new Date("2026-11-28T12:00:00.000Z");
export const daysLater = (n: number): Date => new Date(NOW.getTime() + n * 86_400_000);

/** A repository with the documents that a kfn registry has; signed at {@link NOW} unless told otherwise. */
export async function makeKfnRepository(options: RepositoryOptions = {}): Promise<TufRepository> {
	const repository = await TufRepository.make({ now: NOW, bins: 4, ...options });
	const key = await generateKeyPair("publisher");
	const publishers = serializePublishers({
		publishers: [{ names: ["flow-*"], threshold: 1, keys: [key.publicKey] }],
	});
	const registry = { origin: "registry.test/log", log: null, witnesses: [], quorum: 0 };
	repository.place("kfn/registry.json", serializeRegistryDocument(registry));
	await repository.publish("kfn/publishers.json", publishers);
	return repository;
}

export interface TrustWorld extends Disposable {
	readonly root: string;
	readonly host: Host;
	/** Set it to move the host's clock. */
	now: Date;
	/** Paths that were fetched. */
	readonly asked: string[];
	/** What is read from; set it to be served by somebody else. */
	files: ReadonlyMap<string, Uint8Array>;
	readonly options: SessionOptions;
	refresh(): Promise<TrustSession>;
	/** The same host with another door for its writes. */
	withFaults(faults: Faults): Host;
}

/** A host that has pinned the repository's newest root. */
export function openTrustWorld(repository: TufRepository): TrustWorld {
	const root = mkdtempSync(join(tmpdir(), "kfn-trust-"));
	pin(root, repository.root);
	const kernel = FakeKernel.boot(root);
	const open = (faults: Faults) =>
		openHost({
			root,
			faults,
			loader: fakeLoader(kernel),
			namespaces: fakeNamespaces(kernel),
			now: () => world.now,
		});
	const fetch: FetchFile = async (path) => {
		world.asked.push(path);
		return world.files.get(`v1/${decodeURIComponent(path)}`) ?? "missing";
	};
	const options: SessionOptions = { fetch, policy: "ed25519", companions: registryDocuments };
	const world: TrustWorld = {
		root,
		host: open(noFaults),
		now: NOW,
		asked: [],
		files: repository.files,
		options,
		refresh: () => openTrustSession(world.host, options),
		withFaults: open,
		[Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
	};
	return world;
}

/** Writes etc/kfn/trust/root.json below a root. */
export function pin(root: string, bytes: Uint8Array): void {
	const path = join(root, "etc/kfn/trust/root.json");
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, bytes);
}

export function writePolicy(root: string, days: number): void {
	const path = join(root, "etc/kfn/trust/policy.json");
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, JSON.stringify({ schema: "kfn.policy/1", staleness: { days } }));
}

/** The code of the refusal; "accepted" where there was none. */
export async function outcome(work: Promise<unknown>): Promise<string> {
	return work.then(
		() => "accepted",
		(error: { code?: string }) => error.code ?? String(error),
	);
}
