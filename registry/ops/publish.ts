// Publishes one archive under its name and version: bytes durable first, then the metadata that names and lists them.
// Refuses other bytes for a version that exists, and bundles that are malformed, misnamed, unsigned, or signed by others than
// the authorisation map says. Hosts check the same again, so that a stolen registry decides nothing.
import { type Bundle, openBundle } from "#bundle/bundle.ts";
import { BundleError } from "#bundle/errors.ts";
import { programDigests } from "#bundle/instructions.ts";
import { SigningError } from "#signing/errors.ts";
import { parseKernelSignatures } from "#signing/kernel/signature-file.ts";
import { parseSignatureFile } from "#signing/signature-file.ts";
import { RegistryError } from "../api/errors.ts";
import { MAX_ARCHIVE_BYTES, type PublishedDocument } from "../api/wire.ts";
import { recordVersion } from "../log/record.ts";
import type { StagedBlob } from "../ports/blob-store.ts";
import type { MetadataTransaction, VersionRecord } from "../ports/metadata-store.ts";
import { archiveTarget, indexDocument, indexTarget } from "../trust/index-document.ts";
import type { Keyring } from "../trust/online-keys.ts";
import { publishTargets } from "../trust/repository.ts";
import { auditRefusal } from "./audit.ts";
import { type AuthorisedBy, authoriseBundle, stillAuthorised } from "./authorised.ts";
import { stillAuthorized, type WriterScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface PublishRequest {
	/** Version of the URL; the name is the scope's. Both must equal the manifest's. */
	readonly version: string;
	/** The archive, at most 16 MiB. What it throws is what publish throws. */
	readonly archive: AsyncIterable<Uint8Array>;
}

/**
 * Publishes; `created` is false when the same bytes were there already, so that a retry is harmless.
 *
 * A failure at any point, a kill included, leaves the version either absent or whole, and a retry succeeds.
 */
export async function publish(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	request: PublishRequest,
): Promise<{ created: boolean; published: PublishedDocument }> {
	let staged: StagedBlob | undefined;
	try {
		const upload = await registry.blobs.stage(request.archive, { maxBytes: MAX_ARCHIVE_BYTES });
		staged = upload;
		const { record, authorised } = await registry.examinations.run(() =>
			examine(registry, scope, request.version, upload),
		);
		const created = await commit(registry, scope, { record, authorised, upload });
		return { created, published: publishedDocument(record) };
	} catch (error) {
		const { tokenId, name } = scope;
		const subject = {
			verb: "publish",
			name,
			version: request.version,
			sha256: staged?.sha256 ?? null,
		} as const;
		await auditRefusal(registry, { tokenId, ...subject }, error);
		throw error;
	} finally {
		await discard(registry, staged);
	}
}

// What cannot be dropped now is dropped at the next start: no reason to call a finished upload failed.
async function discard(registry: RegistryContext, staged: StagedBlob | undefined): Promise<void> {
	try {
		await staged?.discard();
	} catch (cause) {
		registry.report({ event: "discard-failed", message: String(cause) });
	}
}

async function examine(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	version: string,
	staged: StagedBlob,
): Promise<{ record: VersionRecord; authorised: AuthorisedBy }> {
	const bundle = await openUpload(staged);
	const { manifest, manifestDigest, signatureBytes } = bundle;
	if (manifest.name !== scope.name || manifest.version !== version) {
		throw new RegistryError(
			"REGISTRY_BUNDLE_MISMATCH",
			`the bundle is ${manifest.name} ${manifest.version}, the URL says ${scope.name} ${version}`,
			{ hint: "upload it under the name and version of its manifest" },
		);
	}
	requireSignature(signatureBytes);
	requireKernelSignatures(bundle);
	const authorised = await authoriseBundle(registry, bundle);
	const record: VersionRecord = {
		name: manifest.name,
		version: manifest.version,
		sha256: staged.sha256,
		size: staged.size,
		manifestSha256: manifestDigest,
		tag: manifest.tag.value,
		functionName: manifest.function.name,
		functionAbi: manifest.function.abi,
		requires: manifest.variants.map((variant) => variant.requires),
		publishedAt: registry.now().toISOString(),
		publishedBy: scope.tokenId,
		yankedAt: null,
		yankReason: null,
		revision: 0,
	};
	return { record, authorised };
}

async function openUpload(staged: StagedBlob): Promise<Bundle> {
	try {
		return await openBundle(staged.bytes());
	} catch (error) {
		if (!(error instanceof BundleError)) throw error;
		throw new RegistryError("REGISTRY_BUNDLE_REFUSED", error.message, {
			hint: error.hint ?? "kfn inspect shows the same error on the file",
			details: { bundleCode: error.code },
			cause: error,
		});
	}
}

function requireSignature(signatureBytes: Uint8Array): void {
	try {
		if (parseSignatureFile(signatureBytes).length > 0) return;
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw new RegistryError("REGISTRY_SIGNATURE_MISSING", error.message, {
			hint: "sign the bundle again (kfn sign)",
			details: { signatureCode: error.code },
			cause: error,
		});
	}
	throw new RegistryError("REGISTRY_SIGNATURE_MISSING", "the bundle lists no signature", {
		hint: "sign it first (kfn sign): no host would install it unsigned",
	});
}

/** There need be none; what is there must be what hosts take. */
function requireKernelSignatures({ kernelSignatureBytes, manifest }: Bundle): void {
	try {
		parseKernelSignatures(kernelSignatureBytes, programDigests(manifest));
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw new RegistryError("REGISTRY_BUNDLE_REFUSED", error.message, {
			hint: "sign the bundle again (kfn sign --kernel)",
			details: { bundleCode: error.code },
			cause: error,
		});
	}
}

async function commit(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	{ record, authorised, upload }: { record: VersionRecord; authorised: AuthorisedBy; upload: StagedBlob },
): Promise<boolean> {
	const keyring = await registry.keyring();
	return registry.metadata.transaction(async (tx) => {
		await stillAuthorized(tx, scope, registry.now());
		await stillAuthorised(tx, authorised);
		const created = await tx.insertVersion(record);
		if (created) await listVersion(tx, record, { keyring, now: registry.now() });
		else await requireSameBytes(tx, record);
		const { name, version, sha256, publishedBy: tokenId, publishedAt: at } = record;
		const outcome = created ? "created" : "same";
		await tx.appendAudit({ at, tokenId, verb: "publish", name, version, sha256, outcome });
		// Inside the transaction and last: whoever loses a race never stores its bytes, and the row becomes visible
		// only after they are durable. A repeated upload stores them too, which heals a blob that was lost or has rotted.
		await upload.commit();
		return created;
	});
}

/** The log entry, the archive and the new index of its name, in what hosts verify. */
async function listVersion(
	tx: MetadataTransaction,
	record: VersionRecord,
	signing: { keyring: Keyring; now: Date },
): Promise<void> {
	await recordVersion(tx, record, signing);
	const { path, file } = archiveTarget(record);
	const index = indexTarget(await indexDocument(tx, record.name));
	await publishTargets(tx, { archives: new Map([[path, file]]), documents: [index] }, signing);
}

async function requireSameBytes(tx: MetadataTransaction, record: VersionRecord): Promise<void> {
	const existing = await tx.findVersion(record.name, record.version);
	if (existing?.sha256 === record.sha256) return;
	throw new RegistryError(
		"REGISTRY_VERSION_EXISTS",
		`${record.name} ${record.version} is already published with other bytes`,
		{
			hint: "a version never changes: publish under a new one",
			details: { published: existing?.sha256, uploaded: record.sha256 },
		},
	);
}

function publishedDocument(record: VersionRecord): PublishedDocument {
	const { name, version, sha256, manifestSha256, tag } = record;
	return { schema: "kfn.published/1", name, version, sha256, manifestSha256, tag };
}
