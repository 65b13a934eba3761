// Asks the registry what was revoked, and remembers it: one conditional request where nothing has changed. Refuses to forget what it
// learnt before, and to believe anything but what the recall key and the publishers of this host signed.
import { createHash } from "node:crypto";
import { SigningError } from "#signing/errors.ts";
import type { PublicKey } from "#signing/public-key.ts";
import type { Publishers } from "#signing/publishers.ts";
import {
	demandCurrentList,
	type OpenedRecallList,
	openRecallList,
	type RecalledName,
} from "#signing/recall-list.ts";
import { type OpenedRevocation, openRevocation, revocationOfValue } from "#signing/revocation.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { publishersInForce } from "../publishers.ts";
import {
	isExpired,
	type RecallListState,
	readListState,
	recallKeyInForce,
	recallTime,
	writeListState,
} from "./list-state.ts";
import { type RecallLock, withRecallLock } from "./lock.ts";
import { mergeRevoked, type RevokedRecord, readRevoked, writeRevoked } from "./revoked.ts";

/** How the list and what it names are read; nothing that comes is believed by itself. */
export interface RecallSource {
	/** The list, unless the registry still calls it `etag`. `missing`: there is none. */
	list(
		etag: string | null,
	): Promise<{ readonly bytes: Uint8Array; readonly etag: string | null } | "unchanged" | "missing">;
	/** The statements of the document `NAME/revocation.json` of this digest, as values; TRUST_MISMATCH for other bytes. */
	statements(document: RecalledName): Promise<readonly unknown[]>;
	/** Brings the registry's metadata up to date: a key that this host does not know yet may be in it. */
	refresh(): Promise<void>;
}

export interface Learnt {
	/** `unchanged`: the registry said so, or it has no recall list and never had. */
	readonly list: "read" | "unchanged" | "none";
	/** What this host did not know. */
	readonly news: readonly RevokedRecord[];
	/** What the registry leaves out although this host knows it, and what it shows that nobody entitled signed. */
	readonly warnings: readonly string[];
}

export interface LearnOptions {
	/** Reads everything anew, and replaces a memory that is damaged. */
	readonly relearn?: boolean;
	/** Who signs the list; the key that the registry's verified document names unless given. */
	readonly key?: () => PublicKey | undefined;
}

/**
 * Learns what was revoked. RECALL_LIST_ROLLBACK, RECALL_LIST_EXPIRED, RECALL_LIST_NOT_YET, RECALL_LIST_MALFORMED, SIGNATURE_ codes: the
 * list; HOST_RECALL_NONE: it is withheld altogether; HOST_LOCKED: another one learns.
 */
export function learn(host: Host, source: RecallSource, options: LearnOptions = {}): Promise<Learnt> {
	return withRecallLock(host, (lock) => new Lesson(lock, source, options).take());
}

class Lesson {
	readonly #lock: RecallLock;
	readonly #host: Host;
	readonly #source: RecallSource;
	readonly #relearn: boolean;
	readonly #key: () => PublicKey | undefined;
	#refreshed = false;

	constructor(lock: RecallLock, source: RecallSource, { relearn = false, key }: LearnOptions) {
		this.#lock = lock;
		this.#host = lock.host;
		this.#source = source;
		this.#relearn = relearn;
		this.#key = key ?? (() => recallKeyInForce(lock.host));
	}

	async take(): Promise<Learnt> {
		const before = readListState(this.#host);
		const answer = await this.#source.list(this.#relearn ? null : (before?.etag ?? null));
		if (answer === "missing") return this.#without(before);
		if (answer === "unchanged") return this.#unchanged(before);
		const list = await this.#open(answer.bytes);
		this.#demandCurrent(list, answer.bytes, before);
		return this.#read(list, answer, before);
	}

	/** A registry without recall lists says so under its offline keys. */
	async #without(before: RecallListState | undefined): Promise<Learnt> {
		if (this.#key() === undefined) await this.#refresh();
		if (this.#key() === undefined && before === undefined) return { list: "none", news: [], warnings: [] };
		this.#noteStale(before);
		throw new HostError("HOST_RECALL_NONE", "the registry shows no recall list, and must have one", {
			hint: "the registry or mirror is broken, or withholds a recall; ask its admin",
		});
	}

	#unchanged(before: RecallListState | undefined): Learnt {
		if (before === undefined || before.etag === null)
			throw new HostError(
				"HOST_RECALL_NONE",
				"the registry says that nothing has changed, and was not asked for that",
				{
					hint: "the registry or mirror is broken, or withholds a recall; ask its admin",
				},
			);
		const now = recallTime(this.#host, before);
		this.#noteStale(before);
		demandCurrentList(listOf(before), undefined, now);
		if (before.stale !== null) throw stale(before);
		writeListState(this.#lock, { ...before, checked: now.toISOString() });
		return { list: "unchanged", news: [], warnings: [] };
	}

	async #open(bytes: Uint8Array): Promise<OpenedRecallList> {
		const key = this.#key();
		try {
			if (key !== undefined) return await openRecallList(bytes, key);
		} catch (error) {
			if (!(error instanceof SigningError) || error.code !== "SIGNATURE_UNKNOWN_KEY") throw error;
		}
		await this.#refresh();
		const fresh = this.#key();
		if (fresh !== undefined) return openRecallList(bytes, fresh);
		throw new SigningError(
			"SIGNATURE_UNKNOWN_KEY",
			"the registry's offline keys name no key for a recall list",
			{
				hint: "the registry or mirror shows a list that nobody vouches for; ask its admin",
			},
		);
	}

	#demandCurrent(list: OpenedRecallList, bytes: Uint8Array, before: RecallListState | undefined): void {
		this.#noteStale(before);
		demandCurrentList(list, before, recallTime(this.#host, before));
		const other = before?.sequence === list.sequence && before.sha256 !== digestOf(bytes);
		if (other) {
			throw new SigningError(
				"RECALL_LIST_ROLLBACK",
				`another recall list of sequence ${list.sequence} was seen before`,
				{
					hint: "the registry signs different lists for different hosts; ask its admin",
					details: { sequence: list.sequence },
				},
			);
		}
		if (before?.sequence === list.sequence && before.stale !== null) throw stale(before);
	}

	async #read(
		list: OpenedRecallList,
		{ bytes, etag }: { readonly bytes: Uint8Array; readonly etag: string | null },
		before: RecallListState | undefined,
	): Promise<Learnt> {
		const known = this.#known();
		const had = new Map(
			(this.#relearn ? [] : (before?.names ?? [])).map(({ name, sha256 }) => [name, sha256]),
		);
		const warnings: string[] = omittedNames(known, list);
		const verified: OpenedRevocation[] = [];
		const done: { name: string; sha256: string }[] = [];
		for (const document of list.names) {
			const { name, sha256 } = document;
			const isNew = had.get(name) !== sha256;
			const found = isNew ? await this.#documentOf(document) : { revocations: [], warnings: [] };
			verified.push(...found.revocations);
			warnings.push(...found.warnings, ...(isNew ? omittedIds(known, name, found.revocations) : []));
			if (found.warnings.length === 0) done.push({ name, sha256 });
		}
		const now = recallTime(this.#host, before).toISOString();
		const merged = mergeRevoked(known, verified, this.#host.now().toISOString());
		// What was learnt before that it was: a kill between the two learns it again.
		writeRevoked(this.#lock, merged);
		writeListState(this.#lock, {
			...{
				schema: "kfn.recall-state/1",
				sequence: list.sequence,
				issued: list.issued,
				expires: list.expires,
			},
			sha256: digestOf(bytes),
			// What could not be believed is looked at again.
			etag: done.length === list.names.length ? etag : null,
			...{ names: done, checked: now, stale: null },
		});
		return { list: "read", news: merged.filter((record) => !known.includes(record)), warnings };
	}

	#known(): readonly RevokedRecord[] {
		try {
			return readRevoked(this.#host);
		} catch (error) {
			if (!this.#relearn || !(error instanceof HostError)) throw error;
			return [];
		}
	}

	/** All that is signed by whom this host trusts for the name; with what is not, the registry's metadata is asked once more. */
	async #documentOf(
		document: RecalledName,
	): Promise<{ revocations: readonly OpenedRevocation[]; warnings: readonly string[] }> {
		const values = await this.#source.statements(document);
		const first = await opened(values, document.name, publishersInForce(this.#host));
		if (first.warnings.length === 0 || this.#refreshed) return first;
		await this.#refresh();
		return opened(values, document.name, publishersInForce(this.#host));
	}

	async #refresh(): Promise<void> {
		if (this.#refreshed) return;
		this.#refreshed = true;
		await this.#source.refresh();
	}

	/** Once found expired, a list stays so: a clock that is set back afterwards makes nothing fresh. */
	#noteStale(before: RecallListState | undefined): void {
		const now = recallTime(this.#host, before);
		if (before === undefined || before.stale !== null || !isExpired(before, now)) return;
		writeListState(this.#lock, { ...before, stale: now.toISOString() });
	}
}

async function opened(
	values: readonly unknown[],
	name: string,
	publishers: Publishers,
): Promise<{ revocations: OpenedRevocation[]; warnings: string[] }> {
	const revocations: OpenedRevocation[] = [];
	const warnings: string[] = [];
	for (const value of values) {
		try {
			revocations.push(await openRevocation(revocationOfValue(value), name, publishers));
		} catch (error) {
			// One that nobody entitled signed must not keep the others from counting.
			if (!(error instanceof SigningError)) throw error;
			warnings.push(
				`the registry shows a revocation of ${name} that does not count here: ${error.message} [${error.code}]`,
			);
		}
	}
	return { revocations, warnings };
}

function omittedNames(known: readonly RevokedRecord[], list: OpenedRecallList): string[] {
	const listed = new Set(list.names.map(({ name }) => name));
	return known.filter(({ name, state }) => state === "revoked" && !listed.has(name)).map(omission);
}

function omittedIds(
	known: readonly RevokedRecord[],
	name: string,
	shown: readonly OpenedRevocation[],
): string[] {
	const ids = new Set(shown.map(({ id }) => id));
	return known
		.filter((record) => record.name === name && record.state === "revoked" && !ids.has(record.id))
		.map(omission);
}

function omission({ id, name }: RevokedRecord): string {
	return `the registry leaves out revocation ${id} of ${name}, which this host remembers: it still counts`;
}

function listOf(state: RecallListState) {
	return { sequence: state.sequence, issued: state.issued, expires: state.expires, names: [] };
}

function stale({ expires, stale: since }: RecallListState): SigningError {
	return new SigningError(
		"RECALL_LIST_EXPIRED",
		`the recall list expired at ${expires}, as was found at ${since}`,
		{
			hint: "only a newer list ends this: the registry or mirror may be withholding a recall",
			details: { expires, since },
		},
	);
}

function digestOf(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}
