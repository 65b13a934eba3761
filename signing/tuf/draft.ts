// A draft of root or targets metadata on its way through its signers' hands, and its file kfn.draft/1 (docs/formats/trust.md):
// all that a signer needs to see what is signed, on a machine that has nothing else. Refuses a file whose parts do not fit
// together; who has signed is draft-signatures.ts.
import { SigningError } from "../errors.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "../strict-json.ts";
import {
	type Envelope,
	parseEnvelope,
	type RootSigned,
	signedBytes,
	type TargetsSigned,
} from "./metadata.ts";
import type { OfflineRole } from "./next-root.ts";
import {
	checkDocuments,
	type Documents,
	demandReadable,
	documentsIn,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	VENDORS_TARGET,
} from "./next-targets.ts";

export interface RootDraft {
	readonly role: "root";
	readonly metadata: Envelope<RootSigned>;
	/** The live version that this one follows; null for version 1. */
	readonly previous: { readonly metadata: Envelope<RootSigned> } | null;
}

export interface TargetsDraft {
	readonly role: "targets";
	readonly metadata: Envelope<TargetsSigned>;
	readonly documents: Documents;
	readonly previous: { readonly metadata: Envelope<TargetsSigned>; readonly documents: Documents } | null;
	/** The root that names the signers; itself a draft when both go live together. */
	readonly root: Envelope<RootSigned>;
}

export type Draft = RootDraft | TargetsDraft;

export const DRAFT_SCHEMA = "kfn.draft/1";
/** Bytes: two versions of the documents and their metadata, with room. */
export const DRAFT_LIMIT = 16 * 1024 * 1024;

/** The file's bytes: two spaces of indentation, a final newline, so that it can be read and compared as text. */
export function serializeDraft(draft: Draft): Uint8Array {
	const { role, metadata, previous } = draft;
	const file =
		role === "root"
			? { schema: DRAFT_SCHEMA, role, metadata, previous }
			: {
					schema: DRAFT_SCHEMA,
					role,
					metadata,
					documents: texts(draft.documents),
					previous: previous && { metadata: previous.metadata, documents: texts(draft.previous!.documents) },
					root: draft.root,
				};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/**
 * Parses a draft's file. DRAFT_MALFORMED: not that format, or parts that do not belong together (a version that does not follow
 * the previous one, documents that the metadata does not list), with the cause. Verifies no signature.
 */
export function parseDraft(bytes: Uint8Array): Draft {
	const text = decodeUtf8(bytes, DRAFT_LIMIT);
	const file = text === undefined ? undefined : parseStrictJson(text);
	try {
		if (hasExactly(file, ["schema", "role", "metadata", "previous"])) return rootDraft(file);
		if (hasExactly(file, ["schema", "role", "metadata", "documents", "previous", "root"]))
			return targetsDraft(file);
	} catch (error) {
		if (!(error instanceof SigningError) || error.code === "DRAFT_MALFORMED") throw error;
		throw malformed(error.message, error);
	}
	throw malformed("it does not have the fields of one");
}

/** True when the bytes are meant to be a draft, whether or not they are a good one. */
export function isDraftFile(bytes: Uint8Array): boolean {
	return /^\s*\{\s*"schema"\s*:\s*"kfn\.draft\//.test(Buffer.from(bytes.subarray(0, 256)).toString("latin1"));
}

/** What names a draft for people: `root 2`. */
export function draftTitle({ role, metadata }: Draft): string {
	return `${role} ${metadata.signed.version}`;
}

function rootDraft(file: Record<"schema" | "role" | "metadata" | "previous", unknown>): RootDraft {
	demandKind(file, "root");
	const metadata = envelopeOf(file.metadata, "root");
	const previous = file.previous === null ? null : previousRoot(file.previous);
	demandFollows(metadata.signed.version, previous?.metadata.signed.version);
	return { role: "root", metadata, previous };
}

function targetsDraft(
	file: Record<"schema" | "role" | "metadata" | "documents" | "previous" | "root", unknown>,
): TargetsDraft {
	demandKind(file, "targets");
	const current = targetsVersion({ metadata: file.metadata, documents: file.documents });
	const previous = file.previous === null ? null : targetsVersion(file.previous);
	demandFollows(current.metadata.signed.version, previous?.metadata.signed.version);
	return { role: "targets", ...current, previous, root: envelopeOf(file.root, "root") };
}

function previousRoot(value: unknown): { metadata: Envelope<RootSigned> } {
	if (!hasExactly(value, ["metadata"]))
		throw malformed("the previous version does not have the field of one");
	return { metadata: envelopeOf(value.metadata, "root") };
}

function targetsVersion(value: unknown): { metadata: Envelope<TargetsSigned>; documents: Documents } {
	if (!hasExactly(value, ["metadata", "documents"]))
		throw malformed("a version does not have the two fields of one");
	const metadata = envelopeOf(value.metadata, "targets");
	const documents = documentsOf(value.documents);
	checkDocuments(metadata.signed, documents);
	demandReadable(documents);
	return { metadata, documents };
}

function documentsOf(value: unknown): Documents {
	const always = [PUBLISHERS_TARGET, REGISTRY_TARGET] as const;
	const withVendors = hasExactly(value, [...always, VENDORS_TARGET]);
	if (!withVendors && !hasExactly(value, always))
		throw malformed("its documents are not those that there are");
	const bytes = (text: unknown) => {
		if (typeof text === "string") return new TextEncoder().encode(text);
		throw malformed("a document is not text");
	};
	return {
		[PUBLISHERS_TARGET]: bytes(value[PUBLISHERS_TARGET]),
		[REGISTRY_TARGET]: bytes(value[REGISTRY_TARGET]),
		...(withVendors ? { [VENDORS_TARGET]: bytes(value[VENDORS_TARGET]) } : {}),
	};
}

function texts(documents: Documents): Record<string, string> {
	return Object.fromEntries(
		documentsIn(documents).map(({ path, bytes }) => {
			const text = decodeUtf8(bytes, DRAFT_LIMIT);
			if (text === undefined) throw malformed(`${path} is not UTF-8`);
			return [path, text];
		}),
	);
}

/** Fields that our tools do not write are refused: what a signer is shown must be all that there is. */
const FIELDS = {
	root: ["_type", "spec_version", "version", "expires", "consistent_snapshot", "keys", "roles"],
	targets: ["_type", "spec_version", "version", "expires", "targets", "delegations"],
} as const;

function envelopeOf<R extends OfflineRole>(value: unknown, role: R): ReturnType<typeof parseEnvelope<R>> {
	const envelope = parseEnvelope(new TextEncoder().encode(JSON.stringify(value)), role);
	if (!hasExactly(envelope.signed, FIELDS[role]))
		throw malformed(`the ${role} metadata has a field too many`);
	try {
		signedBytes(envelope.signed);
	} catch (cause) {
		throw malformed(`the ${role} metadata has a value that canonical JSON cannot hold`, cause);
	}
	return envelope;
}

function demandKind(file: { schema: unknown; role: unknown }, role: OfflineRole): void {
	if (file.schema !== DRAFT_SCHEMA) throw malformed(`its schema is not ${DRAFT_SCHEMA}`);
	if (file.role !== role) throw malformed("its fields are not those of its role");
}

function demandFollows(version: number, previous: number | undefined): void {
	// TUF 1.0.34 §5.3.5: exactly one higher; the same rule for targets, so that no version is ever skipped unseen.
	if (version === (previous ?? 0) + 1) return;
	throw malformed(`version ${version} does not follow ${previous ?? "nothing"}`);
}

function malformed(why: string, cause?: unknown): SigningError {
	return new SigningError("DRAFT_MALFORMED", `the draft is malformed: ${why}`, {
		hint: "do not sign it; get it again from who made it",
		cause,
	});
}
