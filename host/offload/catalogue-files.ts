// Catalogues on this host: the operator's files and what a registry had (docs/formats/catalogue.md). Refuses to believe either: each
// is read and taken apart here, and judged where a device asks.
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { catalogueOfValue, parseCatalogueFile, unverifiedCatalogue } from "#signing/catalogue.ts";
import { CATALOGUE_LIMITS, type Catalogue } from "#signing/catalogue-payload.ts";
import { type DsseEnvelope, envelopeValue } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "#signing/strict-json.ts";
import { fileError, isTemporary } from "../durable.ts";
import { codeOf, HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { readIfThere } from "../state-file.ts";

const SCHEMA = "kfn.statements/1";
const FIELDS = ["schema", "kind", "name", "statements"] as const;
const MOST = 64;
const DOCUMENT_BYTES = MOST * CATALOGUE_LIMITS.envelopeBytes;

/** A catalogue that somebody put here; nothing in it is verified. */
export interface CatalogueFile {
	/** Where it lies. */
	readonly path: string;
	readonly envelope: DsseEnvelope;
	/** What it claims of itself. */
	readonly unverified: Catalogue;
}

/** A file, or a part of one, that is no catalogue; of which device it would be cannot be told. */
export interface BrokenCatalogue {
	readonly path: string;
	readonly error: SigningError;
}

export interface CatalogueFiles {
	readonly found: readonly CatalogueFile[];
	readonly broken: readonly BrokenCatalogue[];
}

/** All that is there, in the order of paths; HOST_IO and its like where a folder or file cannot be read. */
export function readCatalogues(host: Host): CatalogueFiles {
	const found: CatalogueFile[] = [];
	const broken: BrokenCatalogue[] = [];
	for (const { path, open } of places(host)) {
		try {
			for (const envelope of open()) {
				found.push({ path, envelope, unverified: unverifiedCatalogue(envelope) });
			}
		} catch (error) {
			if (!(error instanceof SigningError)) throw error;
			broken.push({ path, error });
		}
	}
	return { found, broken };
}

/** Keeps what a registry had under a name, durably, in place of what it had before. Whoever calls this read it through verified metadata. */
export function storeCatalogues(lock: HostLock, name: string, envelopes: readonly DsseEnvelope[]): void {
	const { durable, layout } = lock.host;
	const statements = envelopes.map(envelopeValue);
	durable.makeFolder(layout.fetchedCatalogues);
	const document = { schema: SCHEMA, kind: "catalogue", name, statements };
	durable.writeFile(join(layout.fetchedCatalogues, `${name}.json`), `${JSON.stringify(document, null, 2)}\n`);
}

function* places({ layout }: Host): Generator<{ path: string; open: () => readonly DsseEnvelope[] }> {
	for (const path of jsonFiles(layout.catalogues))
		yield { path, open: () => [parseCatalogueFile(bytes(path))] };
	for (const path of jsonFiles(layout.fetchedCatalogues))
		yield { path, open: () => statementsIn(bytes(path), basename(path, ".json")) };
}

/** A file that goes away between listing and reading is an empty one, and so a broken one: the next look shows what is there. */
function bytes(path: string): Uint8Array {
	return readIfThere(path) ?? new Uint8Array();
}

function statementsIn(file: Uint8Array, name: string): DsseEnvelope[] {
	const text = decodeUtf8(file, DOCUMENT_BYTES);
	const value = text === undefined ? undefined : parseStrictJson(text);
	const ours = hasExactly(value, FIELDS) && value.schema === SCHEMA && value.kind === "catalogue";
	if (!ours || value.name !== name || !Array.isArray(value.statements) || value.statements.length > MOST)
		throw new SigningError("CATALOGUE_MALFORMED", `it is not a document of ${SCHEMA} with catalogues`);
	return value.statements.map(catalogueOfValue);
}

function jsonFiles(folder: string): string[] {
	try {
		const names = readdirSync(folder).filter((name) => name.endsWith(".json") && !isTemporary(name));
		if (names.length > 4096) throw new HostError("HOST_IO", `${folder} has ${names.length} files`);
		return names.sort().map((name) => join(folder, name));
	} catch (error) {
		if (codeOf(error) === "ENOENT") return [];
		throw fileError(error, folder);
	}
}
