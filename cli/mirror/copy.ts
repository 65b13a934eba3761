// Copies a registry's tree from anywhere to anywhere: origin to folder (kfn mirror), to a file (kfn export), and from a file
// into a folder (kfn import). Refuses to place a byte that the signed metadata does not name, and to replace the files that
// readers start from before all that they lead to is durable.
import { SigningError } from "#signing/errors.ts";
import { type LogTrust, openCheckpoint } from "#signing/log/checkpoint.ts";
import type { TreeHead } from "#signing/log/merkle.ts";
import { openRecallList } from "#signing/recall-list.ts";
import { logTrustOf, parseRegistryDocument } from "#signing/registry-document.ts";
import {
	type Envelope,
	parseEnvelope,
	type RootSigned,
	type SnapshotSigned,
	type TargetFile,
	type TargetsSigned,
	type TimestampSigned,
} from "#signing/tuf/metadata.ts";
import { signersOf } from "#signing/tuf/sign.ts";
import { binsOf, verifyBin, verifyRootBefore, verifyTarget } from "#signing/tuf/verify-tree.ts";
import { CliError } from "../errors.ts";
import { inOrder } from "./in-order.ts";
import { copyLog, demandExtendsLog } from "./log-copy.ts";
import { atMost, type Had, type TreeReader, type TreeWriter } from "./tree.ts";
import {
	CHECKPOINT_PATH,
	metadataPath,
	NAMES_PATH,
	RECALL_PATH,
	TIMESTAMP_PATH,
	targetTreePath,
	treeLimit,
} from "./tree-path.ts";

/** Requests under way at a time; as many files are in memory, of at most 16 MiB each. */
const WIDTH = 8;

/** The top-level metadata of one moment, verified by the host's trust: exact bytes. */
export interface VerifiedHead {
	readonly root: Uint8Array;
	readonly timestamp: Uint8Array;
	readonly snapshot: Uint8Array;
	readonly targets: Uint8Array;
	/** Undefined: where the registry keeps a log, the origin is asked for it. */
	readonly checkpoint?: Uint8Array | undefined;
	/** The time that expiries are held to. */
	readonly now: Date;
}

export interface CopyJob {
	readonly head: VerifiedHead;
	readonly origin: TreeReader;
	readonly out: TreeWriter;
	/** Trees that the reader of `out` has as well: what is in one of them is not placed again. */
	readonly bases: readonly TreeReader[];
	/** The error for a file that neither origin nor bases have. */
	missing(path: string): CliError;
	onFile(path: string): void;
}

export interface CopyReport {
	/** Files placed now, and their bytes. */
	readonly placed: number;
	readonly bytes: number;
	/** Files that were there, in `out` or a base. */
	readonly kept: number;
	/** All files that the state consists of. */
	readonly paths: ReadonlySet<string>;
	readonly names: readonly string[];
	readonly timestamp: { readonly version: number; readonly expires: string };
	/** Null: the registry keeps none. */
	readonly log: { readonly origin: string; readonly size: number } | null;
}

/** kfn.registry/1: which log is the registry's. */
const REGISTRY_TARGET = "kfn/registry.json";

interface Head {
	readonly root: Envelope<RootSigned>;
	readonly timestamp: TimestampSigned;
	readonly snapshot: SnapshotSigned;
	readonly targets: TargetsSigned;
}

/** A file that the metadata names; `check` throws for any other bytes. */
interface Named {
	readonly path: string;
	/** Bytes, the most that may come. */
	readonly limit: number;
	check(bytes: Uint8Array): Promise<void> | void;
}

/**
 * Copies one state as a whole. When it is done, `out` together with the bases has every file that the head leads to.
 *
 * A reader of `out` sees the state before or this one at every moment, also where the copy ends halfway; the next one goes
 * on from there. Errors: those of verification (TRUST_…), of origin and writer, and `missing`. TRUST_ROLLBACK: `out` has a
 * newer state. Files placed by a copy that failed are verified ones that nothing names yet.
 */
export async function copyTree(job: CopyJob): Promise<CopyReport> {
	const head = parseHead(job.head);
	await demandNewer(job.out, head);
	return new Copy(job, head).run();
}

class Copy {
	readonly #job: CopyJob;
	readonly #origin: TreeReader;
	readonly #head: Head;
	readonly #paths = new Set<string>();
	#registryDocument: Uint8Array = Buffer.alloc(0);
	#placed = 0;
	#kept = 0;
	#bytes = 0;

	constructor(job: CopyJob, head: Head) {
		this.#job = job;
		this.#origin = atMost(WIDTH, job.origin);
		this.#head = head;
	}

	async run(): Promise<CopyReport> {
		const { head, out } = this.#job;
		await this.#roots();
		await this.#given(metadataPath("snapshot", this.#head.snapshot.version), head.snapshot);
		await this.#given(metadataPath("targets", this.#head.targets.version), head.targets);
		const targets = await this.#bins();
		await this.#files(targets);
		const checkpoint = await this.#log();
		const recall = await this.#recallList();
		await out.settle();
		const names = bundleNames(targets.keys());
		await this.#replace(NAMES_PATH, namesDocument(names));
		// What was recalled first of all: it must not wait for the rest.
		if (recall !== undefined) await this.#replace(RECALL_PATH, recall);
		// Before the timestamp: what new metadata says of the log must be in the log that a reader then finds.
		if (checkpoint !== undefined) await this.#replace(CHECKPOINT_PATH, checkpoint.bytes);
		await this.#replace(TIMESTAMP_PATH, head.timestamp);
		const { version, expires } = this.#head.timestamp;
		return {
			placed: this.#placed,
			bytes: this.#bytes,
			kept: this.#kept,
			paths: this.#paths,
			names,
			timestamp: { version, expires },
			log: checkpoint === undefined ? null : { origin: checkpoint.origin, size: checkpoint.size },
		};
	}

	/** From the trusted one down to the first, each tied to the one after it. */
	async #roots(): Promise<void> {
		let next = this.#head.root;
		await this.#given(metadataPath("root", next.signed.version), this.#job.head.root);
		for (let version = next.signed.version - 1; version > 0; version--) {
			let root: Envelope<RootSigned> | undefined;
			const had = await this.#have({
				...limited(metadataPath("root", version)),
				check: async (bytes) => {
					root = await verifyRootBefore(bytes, next);
				},
			});
			await this.#put(had);
			next = root!;
		}
	}

	/** All bins; answers what they and the top-level targets list. */
	async #bins(): Promise<Map<string, TargetFile>> {
		const { targets, snapshot } = this.#head;
		const trust = { targets, snapshot, now: this.#job.head.now };
		const listed = new Map(Object.entries(targets.targets));
		const have = async (bin: { name: string; version: number }) => {
			let lists: ReadonlyMap<string, TargetFile> = new Map();
			const had = await this.#have({
				...limited(metadataPath(bin.name, bin.version)),
				check: async (bytes) => {
					lists = await verifyBin(bytes, bin, trust);
				},
			});
			return { had, lists };
		};
		await inOrder(binsOf(trust), WIDTH, have, async ({ had, lists }) => {
			for (const [path, file] of lists) listed.set(path, file);
			await this.#put(had);
		});
		return listed;
	}

	async #files(targets: ReadonlyMap<string, TargetFile>): Promise<void> {
		const named = [...targets].map(([target, file]): Named => {
			const path = targetTreePath(target, file.hashes.sha256);
			if (path === undefined) throw strangeTarget(target);
			return { path, limit: file.length, check: (bytes) => verifyTarget(bytes, target, file) };
		});
		const registry = targets.get(REGISTRY_TARGET);
		const document = registry && targetTreePath(REGISTRY_TARGET, registry.hashes.sha256);
		await inOrder(
			named,
			WIDTH,
			(file) => this.#have(file),
			(had) => {
				if (had.path === document) this.#registryDocument = had.bytes;
				return this.#put(had);
			},
		);
	}

	/** All of the log that the offline keys name, up to its checkpoint; undefined where they name none. */
	async #log(): Promise<{ bytes: Uint8Array; origin: string; size: number } | undefined> {
		const trust = logTrustOf(parseRegistryDocument(this.#registryDocument));
		if (trust === undefined) return undefined;
		const { path, limit } = limited(CHECKPOINT_PATH);
		const { out, bases } = this.#job;
		const bytes = this.#job.head.checkpoint ?? (await this.#origin.read(path, limit));
		if (bytes === undefined) throw this.#job.missing(path);
		const head = await openCheckpoint(bytes, trust);
		const missing = (file: string) => this.#job.missing(file);
		const source = { head, origin: this.#origin, held: [out, ...bases], missing };
		const before = await openedBefore(out, trust);
		if (before !== undefined) await demandExtendsLog(source, before);
		await copyLog({ ...source, put: (file) => this.#put(file) });
		return { bytes, origin: trust.origin, size: head.size };
	}

	/** The recall list with every document that it names; undefined where the offline keys name no key for one, or the copy has a newer. */
	async #recallList(): Promise<Uint8Array | undefined> {
		const key = parseRegistryDocument(this.#registryDocument).recall?.key;
		if (key === undefined) return undefined;
		const { path, limit } = limited(RECALL_PATH);
		const bytes = await this.#origin.read(path, limit);
		if (bytes === undefined) throw this.#job.missing(path);
		const { sequence, names } = await openRecallList(bytes, key);
		// The list may be from after this state of the metadata.
		for (const { name, sha256, size } of names) {
			const target = `${name}/revocation.json`;
			const at = targetTreePath(target, sha256)!;
			if (this.#paths.has(at)) continue;
			const file: TargetFile = { length: size, hashes: { sha256 } };
			await this.#put(
				await this.#have({ path: at, limit: size, check: (found) => verifyTarget(found, target, file) }),
			);
		}
		const there = await this.#job.out.read(path, limit).catch(() => undefined);
		const before = there && (await openRecallList(there, key).catch(signedByOthers));
		return before !== undefined && before.sequence > sequence ? undefined : bytes;
	}

	/** The file's bytes, checked: where they are already, or else from the origin. */
	async #have(named: Named): Promise<Had> {
		const { path, limit } = named;
		for (const tree of [this.#job.out, ...this.#job.bases]) {
			const bytes = await readGood(tree, named);
			if (bytes !== undefined) return { path, bytes, isNew: false };
		}
		const bytes = await this.#origin.read(path, limit);
		if (bytes === undefined) throw this.#job.missing(path);
		await named.check(bytes);
		return { path, bytes, isNew: true };
	}

	async #put({ path, bytes, isNew }: Had): Promise<void> {
		this.#paths.add(path);
		this.#job.onFile(path);
		if (!isNew) {
			this.#kept++;
			return;
		}
		await this.#job.out.place(path, bytes);
		this.#count(bytes);
	}

	/** A file whose bytes the head has. */
	async #given(path: string, bytes: Uint8Array): Promise<void> {
		const same = (other: Uint8Array) => {
			if (Buffer.compare(other, bytes) !== 0) throw new SigningError("TRUST_MISMATCH", path);
		};
		const named = { ...limited(path), check: same };
		const held = await Promise.all([this.#job.out, ...this.#job.bases].map((tree) => readGood(tree, named)));
		await this.#put({ path, bytes, isNew: held.every((other) => other === undefined) });
	}

	/** A file that readers start from; also where a base has it, since it is what makes `out` a state. */
	async #replace(path: string, bytes: Uint8Array): Promise<void> {
		this.#paths.add(path);
		const there = await this.#job.out.read(path, limited(path).limit).catch(() => undefined);
		if (there !== undefined && Buffer.compare(there, bytes) === 0) {
			this.#kept++;
			return;
		}
		await this.#job.out.replace(path, bytes);
		this.#count(bytes);
	}

	#count(bytes: Uint8Array): void {
		this.#placed++;
		this.#bytes += bytes.byteLength;
	}
}

/** What a tree has under the name, when it is that; a damaged file counts as none and is fetched again. */
async function readGood(tree: TreeReader, { path, limit, check }: Named): Promise<Uint8Array | undefined> {
	try {
		const bytes = await tree.read(path, limit);
		if (bytes === undefined) return undefined;
		await check(bytes);
		return bytes;
	} catch (error) {
		if (error instanceof SigningError || error instanceof CliError) return undefined;
		throw error;
	}
}

/** A copy must never take back what its readers have seen. What is not signed by today's keys says nothing. */
async function demandNewer(out: TreeReader, { root, timestamp }: Head): Promise<void> {
	const bytes = await out.read(TIMESTAMP_PATH, limited(TIMESTAMP_PATH).limit).catch(() => undefined);
	if (bytes === undefined) return;
	const there = parsedOrNothing(bytes);
	if (there === undefined || there.signed.version <= timestamp.version) return;
	const role = root.signed.roles.timestamp;
	if ((await signersOf(there, role, root.signed.keys)).length < role.threshold) return;
	throw new SigningError(
		"TRUST_ROLLBACK",
		`${out.description} has version ${there.signed.version} of the timestamp, and this is version ${timestamp.version}`,
		{
			hint: "nothing was changed there; copy from a registry or a file that is as new",
			details: { there: there.signed.version, offered: timestamp.version },
		},
	);
}

/** The log that `out` holds, where it is this one. */
async function openedBefore(out: TreeReader, trust: LogTrust): Promise<TreeHead | undefined> {
	const { path, limit } = limited(CHECKPOINT_PATH);
	const bytes = await out.read(path, limit).catch(() => undefined);
	if (bytes === undefined) return undefined;
	try {
		return await openCheckpoint(bytes, trust);
	} catch (error) {
		if (error instanceof SigningError) return undefined;
		throw error;
	}
}

/** What today's key did not sign says nothing. */
function signedByOthers(error: unknown): undefined {
	if (error instanceof SigningError) return undefined;
	throw error;
}

function parsedOrNothing(bytes: Uint8Array): Envelope<TimestampSigned> | undefined {
	try {
		return parseEnvelope(bytes, "timestamp");
	} catch (error) {
		if (error instanceof SigningError) return undefined;
		throw error;
	}
}

function parseHead(head: VerifiedHead): Head {
	return {
		root: parseEnvelope(head.root, "root"),
		timestamp: parseEnvelope(head.timestamp, "timestamp").signed,
		snapshot: parseEnvelope(head.snapshot, "snapshot").signed,
		targets: parseEnvelope(head.targets, "targets").signed,
	};
}

function limited(path: string): { path: string; limit: number } {
	const limit = treeLimit(path);
	if (limit === undefined) throw new Error(`no path of a tree: ${path}`);
	return { path, limit };
}

/** Bundles are what has an index; all on one page, since a file server gives the same page whatever is asked after it. */
function bundleNames(targets: Iterable<string>): string[] {
	const names = [...targets].flatMap((path) => /^([a-z0-9-]+)\/index\.json$/.exec(path)?.[1] ?? []);
	return names.sort();
}

function namesDocument(names: readonly string[]): Uint8Array {
	return Buffer.from(JSON.stringify({ schema: "kfn.names/1", names, next: null }));
}

function strangeTarget(target: string): SigningError {
	return new SigningError(
		"TRUST_MALFORMED",
		"the metadata lists a target under a name that no tree can hold",
		{
			hint: "the registry is newer than this kfn, or its signing keys are in wrong hands",
			details: { target },
		},
	);
}
