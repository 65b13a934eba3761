// The registry as a Source whose every byte hangs on verified metadata (design §4, lock 2). Refuses what TUF refuses, an index
// that has forgotten a version, a bundle that the registry's own map of publishers does not allow, and one outside its log.
import { openBundle } from "#bundle/bundle.ts";
import { codeOf } from "#host/errors.ts";
import type { Host } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { publishersInForce } from "#host/publishers.ts";
import { withRecallLock } from "#host/recall/lock.ts";
import {
	mergeRevoked,
	type RevokedRecord,
	readRevoked,
	revokedBy,
	writeRevoked,
} from "#host/recall/revoked.ts";
import { publishersOfSet, vendorsOfSet } from "#host/trust-state/documents.ts";
import { demandStillListed, isNewlySeen, noteSeen } from "#host/trust-state/floors.ts";
import { demandLogged, loggedDocuments } from "#host/trust-state/log.ts";
import { openTrustSession, type TrustSession } from "#host/trust-state/session.ts";
import type { TrustSet } from "#host/trust-state/set.ts";
import { type IndexDocument, type IndexVersion, targetPaths } from "#registry/api/wire.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { publisherFor } from "#signing/publishers.ts";
import { type OpenedRevocation, openRevocation } from "#signing/revocation.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import { verifyManifest } from "#signing/verify.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { parseAnswer } from "./http.ts";
import { parseIndexDocument } from "./index-document.ts";
import { openRegistryReader, type RegistryReader } from "./registry-fetch.ts";
import type { Source } from "./source.ts";
import { parseStatementsDocument, REVOCATION_FORM, type StatementForm } from "./statements-document.ts";

/** Refreshes and commits this host's trusted metadata, then reads through it. HOST_TRUST_, TRUST_ and CLI_ codes. */
export async function openTrustedSource(context: Context, flag: string | undefined): Promise<TrustedSource> {
	const reader = await openRegistryReader(context, flag);
	const host = openContextHost(context);
	context.onStep({ step: "refreshing metadata", detail: reader.base });
	return trustedSource(host, reader);
}

/** As {@link openTrustedSource}, of parts. */
export async function trustedSource(host: Host, reader: RegistryReader): Promise<TrustedSource> {
	const session = await openTrustSession(host, {
		fetch: reader.fetch,
		policy: "ed25519",
		companions: loggedDocuments(reader.fetch),
	});
	return new TrustedSource(host, reader, session);
}

function signedByNobodyHere(error: unknown): undefined {
	if (!(error instanceof SigningError)) throw error;
	return undefined;
}

/** A revoked version is listed as a yanked one: a range never picks it, and whoever names it is told why it is refused. */
function withoutRevoked(index: IndexDocument, records: readonly RevokedRecord[]): IndexDocument {
	const versions = index.versions.map((listed) => {
		const found = revokedBy(records, { ...listed, name: index.name });
		if (found === undefined || listed.yanked !== null) return listed;
		return { ...listed, yanked: { at: found.issued, reason: `revoked: ${found.reason}` } };
	});
	return { ...index, versions };
}

export class TrustedSource implements Source {
	readonly description: string;
	readonly #host: Host;
	readonly #session: TrustSession;
	/** As the registry's files are fetched; nothing that comes is believed by itself. */
	readonly fetch: FetchFile;
	/** Where the archives are that an index named, by digest. */
	readonly #archives = new Map<string, { readonly name: string; readonly indexed: IndexVersion }>();

	constructor(host: Host, reader: RegistryReader, session: TrustSession) {
		this.#host = host;
		this.description = reader.base;
		this.fetch = reader.fetch;
		this.#session = session;
	}

	/** What this host trusts now: metadata, documents, checkpoint. */
	get set(): TrustSet {
		return this.#session.set;
	}

	async index(name: string): Promise<IndexDocument> {
		const bytes = await this.#session.download(await this.#indexTarget(name));
		const index = parseIndexDocument(parseAnswer({ status: 200, body: bytes }), name);
		const versions = index.versions.map(({ version }) => version);
		demandStillListed(this.#host, name, versions);
		if (isNewlySeen(this.#host, name, versions)) {
			await withLock(this.#host, "trust refresh", (lock) => noteSeen(lock, name, versions));
		}
		for (const indexed of index.versions) this.#archives.set(indexed.sha256, { name, indexed });
		return withoutRevoked(index, await this.#revoked(name));
	}

	/** What this host remembers, and what the metadata lists now: an install must not wait for the next look at the recall list. */
	async #revoked(name: string): Promise<readonly RevokedRecord[]> {
		const known = readRevoked(this.#host);
		const map = publishersInForce(this.#host);
		const listed: OpenedRevocation[] = [];
		for (const envelope of await this.statements(name, REVOCATION_FORM)) {
			// Signed for the registry's map; whom this host trusts for the name decides here.
			const opened = await openRevocation(envelope, name, map).catch(signedByNobodyHere);
			if (opened !== undefined) listed.push(opened);
		}
		const merge = (before: readonly RevokedRecord[]) =>
			mergeRevoked(before, listed, this.#host.now().toISOString());
		if (merge(known) === known) return known;
		return withRecallLock(this.#host, (lock) => {
			const merged = merge(readRevoked(this.#host));
			writeRevoked(lock, merged);
			return merged;
		});
	}

	async statements(name: string, form: StatementForm): Promise<readonly DsseEnvelope[]> {
		const path = targetPaths.statements(name, form.kind);
		const target = await this.#session.find(path).catch((error: unknown) => {
			if (codeOf(error) === "TRUST_NO_TARGET") return undefined;
			throw error;
		});
		if (target === undefined) return [];
		const bytes = await this.#session.download(target);
		const values = parseStatementsDocument(parseAnswer({ status: 200, body: bytes }), name, form.kind);
		const map = publishersOfSet(this.#session.set) ?? { publishers: [] };
		const vendors = vendorsOfSet(this.#session.set);
		const sound: DsseEnvelope[] = [];
		for (const value of values) {
			try {
				const envelope = form.ofValue(value);
				await form.open(envelope, name, map, vendors);
				sound.push(envelope);
			} catch (error) {
				// One that was put among them must not keep the others from serving.
				if (!(error instanceof SigningError)) throw error;
			}
		}
		return sound;
	}

	/** An archive that an index of this source named: listed by the metadata with the same digest and size, and logged. */
	async blob(digest: string, size: number): Promise<Uint8Array> {
		const archive = this.#archives.get(digest);
		if (archive === undefined) throw new Error(`no index of this source names ${digest}`);
		const { name, indexed } = archive;
		const path = `${name}/${name}-${indexed.version}.kfn`;
		const target = await this.#session.find(path);
		if (target.hashes["sha256"] !== digest || target.length !== size) {
			throw new SigningError("TRUST_MISMATCH", `index and metadata name different bytes for ${path}`, {
				hint: "nothing was installed; the registry is broken or lying",
				details: {
					index: { digest, size },
					metadata: { digest: target.hashes["sha256"], size: target.length },
				},
			});
		}
		const bytes = await this.#session.download(target);
		await this.#demandAuthorised(bytes, name);
		await demandLogged(this.set, this.fetch, { name, indexed });
		return bytes;
	}

	async #indexTarget(name: string): Promise<Awaited<ReturnType<TrustSession["find"]>>> {
		try {
			return await this.#session.find(`${name}/index.json`);
		} catch (cause) {
			if (codeOf(cause) !== "TRUST_NO_TARGET") throw cause;
			throw new SigningError("TRUST_NO_TARGET", `the registry has no bundle ${name}`, {
				hint: "check the name, name the registry that has it (--registry URL), or give a .kfn file",
				details: { name },
				cause,
			});
		}
	}

	/** What comes through a registry satisfies the registry's map, whatever this host's own map says besides. */
	async #demandAuthorised(archive: Uint8Array, name: string): Promise<void> {
		const { manifest, manifestBytes, signatureBytes } = await openBundle(archive);
		const map = publishersOfSet(this.#session.set) ?? { publishers: [] };
		try {
			await verifyManifest(manifestBytes, signatureBytes, publisherFor(map, manifest.name));
		} catch (cause) {
			if (codeOf(cause) !== "PUBLISHERS_NO_MATCH") throw cause;
			throw new SigningError("PUBLISHERS_NO_MATCH", `the registry lets nobody publish ${name}`, {
				hint: "its targets signers say who may (kfn registry publisher add); this host cannot",
				details: { name },
				cause,
			});
		}
	}
}
