// Hides a version from ranges, and shows it again. Refuses to delete anything: exact requests still get a yanked version.
import { RegistryError } from "../api/errors.ts";
import type { YankedDocument } from "../api/wire.ts";
import { recordInLog } from "../log/record.ts";
import type { MetadataTransaction, VersionRecord } from "../ports/metadata-store.ts";
import { indexDocument, indexTarget } from "../trust/index-document.ts";
import { publishTargets } from "../trust/repository.ts";
import { auditRefusal } from "./audit.ts";
import { stillAuthorized, type WriterScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

/** Marks the version as yanked. Yanking it again with another reason keeps the first time and takes the new reason. */
export function yank(
	registry: RegistryContext,
	scope: WriterScope<"yank">,
	request: { version: string; reason: string },
): Promise<YankedDocument> {
	const at = registry.now().toISOString();
	return change(registry, scope, { verb: "yank", version: request.version }, (record) => ({
		at: record.yankedAt ?? at,
		reason: request.reason,
	}));
}

/** Takes the mark away; harmless on a version that has none. */
export function unyank(
	registry: RegistryContext,
	scope: WriterScope<"yank">,
	request: { version: string },
): Promise<YankedDocument> {
	return change(registry, scope, { verb: "unyank", version: request.version }, () => null);
}

async function change(
	registry: RegistryContext,
	scope: WriterScope<"yank">,
	request: { verb: "yank" | "unyank"; version: string },
	next: (record: VersionRecord) => YankedDocument["yanked"],
): Promise<YankedDocument> {
	const { name, tokenId } = scope;
	const { version, verb } = request;
	try {
		const keyring = await registry.keyring();
		return await registry.metadata.transaction(async (tx) => {
			await stillAuthorized(tx, scope, registry.now());
			const record = await requireVersion(tx, name, version);
			const yanked = next(record);
			if (!(await tx.swapYank({ name, version, expectedRevision: record.revision }, yanked)))
				throw overtaken(name);
			const at = registry.now().toISOString();
			const { sha256 } = record;
			// Undoing what was not done, or saying why in other words, is no event.
			if ((yanked === null) !== (record.yankedAt === null)) {
				await recordInLog(tx, { at, type: verb, name, version, sha256 }, { keyring });
			}
			const index = indexTarget(await indexDocument(tx, name));
			await publishTargets(tx, { documents: [index] }, { keyring, now: registry.now() });
			await tx.appendAudit({ at, tokenId, verb, name, version, sha256, outcome: "done" });
			return { schema: "kfn.yanked/1", name, version, yanked } as const;
		});
	} catch (error) {
		await auditRefusal(registry, { tokenId, verb, name, version, sha256: null }, error);
		throw error;
	}
}

async function requireVersion(
	tx: MetadataTransaction,
	name: string,
	version: string,
): Promise<VersionRecord> {
	const record = await tx.findVersion(name, version);
	if (record !== undefined) return record;
	throw new RegistryError("REGISTRY_NOT_FOUND", `${name} ${version} is not published here`, {
		hint: "its index lists the versions",
	});
}

// Cannot happen where transactions are serial (SQLite); elsewhere the swap is what notices a concurrent change.
function overtaken(name: string): RegistryError {
	return new RegistryError("REGISTRY_BUSY", `${name} was changed at the same moment`, { hint: "try again" });
}
