// A registry's whole static tree in memory, made by our own writers: TUF repository, bundles with their indexes, and the log.
// For tests of copying trees; refuses no lie: whoever holds its keys may sign anything.
import { createHash } from "node:crypto";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { signCheckpoint } from "#signing/log/checkpoint.ts";
import { serializeLogEntry } from "#signing/log/entry.ts";
import { verifierKey } from "#signing/log/note.ts";
import { GrowingLog } from "#signing/log/testing/growing-log.ts";
import { tilePath, tileWidth } from "#signing/log/tile.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { serializeRegistryDocument } from "#signing/registry-document.ts";
import { binOf } from "#signing/tuf/bins.ts";
import {
	type SignedByRole,
	serializeEnvelope,
	type TargetFile,
	TUF_SPEC_VERSION,
} from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { expiryAfter } from "#signing/tuf/time.ts";
import { type Signer, TufRepository } from "./tuf-repository.ts";

export const LOG_ORIGIN = "registry.test/log";
const BIN_BITS = 2;

export class TreeRegistry {
	readonly repository: TufRepository;
	log: GrowingLog;
	readonly logKey: SecretKey;
	readonly #targets = new Map<string, Uint8Array>();

	private constructor(parts: { repository: TufRepository; log: GrowingLog; logKey: SecretKey }) {
		this.repository = parts.repository;
		this.log = parts.log;
		this.logKey = parts.logKey;
	}

	/** With its two documents, a log, and no bundle. */
	static async make(now = new Date()): Promise<TreeRegistry> {
		const repository = await TufRepository.make({ now, bins: 2 ** BIN_BITS, threshold: 1 });
		const [log, logKey] = [await GrowingLog.of([]), await generateKeyPair()];
		const made = new TreeRegistry({ repository, log, logKey });
		const key = verifierKey(LOG_ORIGIN, "ed25519", logKey.publicKey);
		const document = serializeRegistryDocument({
			origin: LOG_ORIGIN,
			log: { key },
			witnesses: [],
			quorum: 0,
		});
		const publisher = (await generateKeyPair()).publicKey;
		const publishers = serializePublishers({
			publishers: [{ names: ["*"], threshold: 1, keys: [publisher] }],
		});
		await repository.publish("kfn/publishers.json", publishers);
		await repository.publish("kfn/registry.json", document);
		await made.signLog();
		return made;
	}

	get files(): Map<string, Uint8Array> {
		return this.repository.files;
	}

	/** Archive, index document, log entry, and everything signed anew. */
	async publish(
		name: string,
		version: string,
		archive: Uint8Array = Buffer.from(`${name} ${version}`),
	): Promise<void> {
		const paths = [`${name}/${name}-${version}.kfn`, `${name}/index.json`] as const;
		this.#place(paths[0], archive);
		this.#place(paths[1], Buffer.from(JSON.stringify({ name, newest: version })));
		const bins = new Map(paths.map((path) => [this.binOf(path), path]));
		for (const path of bins.values()) await this.repository.signTargetsOf(path);
		await this.#appendPublish(name, version, archive);
		await this.signLog();
		await this.seal();
	}

	/** New snapshot and timestamp over what the other roles say by now. */
	async seal(): Promise<void> {
		await this.repository.signSnapshot();
		await this.repository.signTimestamp();
	}

	/** Files all tiles of the log as it is, and signs its checkpoint. */
	async signLog(): Promise<void> {
		const head = await this.log.head();
		for (let level = 0; tileWidth(level, 0, head.size) > 0; level++) {
			for (let index = 0; tileWidth(level, index, head.size) > 0; index++) {
				const width = tileWidth(level, index, head.size);
				this.#file(tilePath({ level, index, width }), await this.log.tile(level, index, width));
				if (level > 0) continue;
				const bundle = tilePath({ level: "entries", index, width });
				this.#file(bundle, await this.log.entries(index, width));
			}
		}
		this.files.set("v1/log/checkpoint", await signCheckpoint(LOG_ORIGIN, head, this.logKey));
	}

	/** Fills the log, without publishing anything, up to `size` entries. */
	async fillLog(size: number): Promise<void> {
		while (this.log.size < size) await this.#appendPublish("filler", `1.0.${this.log.size}`, Buffer.of(0));
		await this.signLog();
	}

	/** Rewrites history: what is published from now on stands in a log that begins again. */
	async forgetLog(): Promise<void> {
		this.log = await GrowingLog.of([]);
	}

	/** Signs and files the next version of a role, whatever it says: `fields` come over the sound ones. */
	async forge(name: string, role: keyof SignedByRole, fields: object): Promise<Uint8Array> {
		const signer: Signer = name.startsWith("bin-") ? "bins" : (name as Signer);
		const version = (this.repository.versions.get(name) ?? 0) + 1;
		const signed = {
			_type: role,
			spec_version: TUF_SPEC_VERSION,
			version,
			expires: expiryAfter(this.repository.now, 30),
			...fields,
		};
		const envelope = await signNew(
			signed as unknown as SignedByRole[typeof role],
			this.repository.keys[signer],
		);
		const bytes = serializeEnvelope(envelope);
		this.repository.versions.set(name, version);
		this.files.set(`v1/metadata/${version}.${name}.json`, bytes);
		return bytes;
	}

	/** The newest file of a role. */
	pathOfRole(name: string): string {
		return `v1/metadata/${this.repository.versions.get(name)}.${name}.json`;
	}

	/** Where the bytes of a target lie in the tree. */
	pathOf(target: string): string {
		const at = target.lastIndexOf("/") + 1;
		const digest = sha256(this.#targets.get(target)!);
		return `v1/targets/${target.slice(0, at)}${digest}.${target.slice(at)}`;
	}

	binOf(target: string): string {
		return binOf(target, { bit_length: BIN_BITS, name_prefix: "bin" });
	}

	#place(path: string, bytes: Uint8Array): void {
		this.#targets.set(path, bytes);
		this.repository.place(path, bytes);
	}

	#file(path: string, bytes: Uint8Array): void {
		this.files.set(`v1/log/${path}`, bytes);
	}

	async #appendPublish(name: string, version: string, archive: Uint8Array): Promise<void> {
		const digest = sha256(archive);
		const at = this.repository.now.toISOString();
		const tag = `kfn1:${digest}`;
		const entry = {
			type: "publish",
			at,
			name,
			version,
			sha256: digest,
			manifestSha256: digest,
			tag,
		} as const;
		await this.log.append(serializeLogEntry(entry));
	}
}

export function fileOf(bytes: Uint8Array): TargetFile {
	return { length: bytes.byteLength, hashes: { sha256: sha256(bytes) } };
}

function sha256(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}
