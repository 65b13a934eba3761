// Shapes of the registry's HTTP API as TypeScript types, and how its paths are spelled.
// Client-safe: refuses to import anything outside this folder. openapi.json is the same in JSON Schema; a test holds the two together.
import type { RegistryErrorCode } from "./errors.ts";

/** Media type of a bundle archive, in uploads and downloads. */
export const BUNDLE_MEDIA_TYPE = "application/vnd.kfn.bundle";
/** Media type of a statement: a DSSE envelope (docs/formats/statements.md). */
export const STATEMENT_MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json";
/** Upper limit of any statement's file in bytes; kinds have lower ones. */
export const MAX_STATEMENT_BYTES = 128 * 1024;
/** Upper limit of an archive in bytes, the same as the bundle format's. */
export const MAX_ARCHIVE_BYTES = 16 * 1024 * 1024;
/** Upper limit of a page of names. */
export const MAX_NAMES_PER_PAGE = 1000;

export interface RoleHealth {
	readonly version: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly expires: string;
	/** By the registry's clock. */
	readonly secondsLeft: number;
}

export interface HealthDocument {
	readonly schema: "kfn.health/1";
	/** `warning`: something expires soon, and whoever must renew it has time to. */
	readonly status: "ok" | "warning";
	/** For all bins together: the one that expires first. */
	readonly trust: Readonly<Record<"root" | "targets" | "bins" | "snapshot" | "timestamp", RoleHealth>>;
}

export interface RequiresDocument {
	readonly kernel: string;
	readonly features: readonly string[];
}

/** One published version. Everything but `yanked` never changes. */
export interface IndexVersion {
	readonly version: string;
	/** Archive digest: 64 lowercase hex. */
	readonly sha256: string;
	/** Archive size in bytes. */
	readonly size: number;
	readonly manifestSha256: string;
	readonly tag: string;
	readonly function: { readonly name: string; readonly abi: number };
	/** One per variant, in the manifest's order (newest first). */
	readonly requires: readonly RequiresDocument[];
	/** ISO 8601 UTC, milliseconds. */
	readonly publishedAt: string;
	/** Set: a range never picks this version, an exact request still gets it. */
	readonly yanked: null | { readonly at: string; readonly reason: string };
	/** Where the log has its publication; null in a registry without a log. */
	readonly log: null | { readonly index: number };
}

/** The target `NAME/index.json`: every version of a bundle, newest first by semver. */
export interface IndexDocument {
	readonly schema: "kfn.index/1";
	readonly name: string;
	readonly versions: readonly IndexVersion[];
}

/** The target `NAME/KIND.json`: what was stated about a name and had not expired when this was written. */
export interface StatementsDocument {
	readonly schema: "kfn.statements/1";
	readonly kind: string;
	readonly name: string;
	/** DSSE envelopes, in byte order of their ids (docs/formats/statements.md). */
	readonly statements: readonly object[];
}

/** `GET /v1/names.json`: a page of names in byte order; `next` is the `after` of the following page. */
export interface NamesDocument {
	readonly schema: "kfn.names/1";
	readonly names: readonly string[];
	readonly next: string | null;
}

/** Answer to an upload: what is now published. The same for the first upload (201) and a repeated one (200). */
export interface PublishedDocument {
	readonly schema: "kfn.published/1";
	readonly name: string;
	readonly version: string;
	readonly sha256: string;
	readonly manifestSha256: string;
	readonly tag: string;
}

/** Answer to a statement's upload: the same for the first one (201) and a repeated one (200). */
export interface StatementPublishedDocument {
	readonly schema: "kfn.statement-published/1";
	readonly kind: string;
	readonly name: string;
	readonly id: string;
	/** Grows with each statement that takes the place of the one before; 0 for kinds that have no successors. */
	readonly serial: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`; null for one that stays. */
	readonly expires: string | null;
	/** Of the envelope's bytes. */
	readonly sha256: string;
}

export interface YankRequest {
	readonly reason: string;
}

/** Answer to yank and unyank: the version's state afterwards. */
export interface YankedDocument {
	readonly schema: "kfn.yanked/1";
	readonly name: string;
	readonly version: string;
	readonly yanked: null | { readonly at: string; readonly reason: string };
}

/** Answer to a witness's cosignatures: the checkpoint's witnesses so far, and how many hosts ask for. */
export interface CosignedDocument {
	readonly schema: "kfn.cosigned/1";
	readonly size: number;
	readonly cosigners: readonly string[];
	readonly quorum: number;
}

/** Every answer with a status of 400 or more. */
export interface ErrorDocument {
	readonly error: {
		readonly code: RegistryErrorCode;
		readonly message: string;
		readonly hint?: string;
		readonly details?: Readonly<Record<string, unknown>>;
	};
}

/** Target paths of a bundle, as the bins list them (TUF 1.0.34 §4.5). Every target path has exactly one folder. */
export const targetPaths = {
	index: (name: string): string => `${name}/index.json`,
	archive: (name: string, version: string): string => `${name}/${name}-${version}.kfn`,
	statements: (name: string, kind: string): string => `${name}/${kind}.json`,
} as const;

/** Paths relative to the registry's base URL; values are escaped, not validated. */
export const paths = {
	/** `role` is a top-level role or a bin. Without a version only for `timestamp`. */
	metadata: (role: string, version?: number): string =>
		`/v1/metadata/${version === undefined ? "" : `${version}.`}${encodeURIComponent(role)}.json`,
	/** A target in the consistent-snapshot spelling: `DIR/SHA256.BASE` for the target path `DIR/BASE`. */
	target: (path: string, sha256: string): string => {
		const [folder = "", base = ""] = path.split("/");
		return `/v1/targets/${encodeURIComponent(folder)}/${encodeURIComponent(sha256)}.${encodeURIComponent(base)}`;
	},
	names: (page: { after?: string; limit?: number } = {}): string => {
		const query = new URLSearchParams();
		if (page.after !== undefined) query.set("after", page.after);
		if (page.limit !== undefined) query.set("limit", String(page.limit));
		return query.size === 0 ? "/v1/names.json" : `/v1/names.json?${query}`;
	},
	bundle: (name: string, version: string): string =>
		`/v1/bundles/${encodeURIComponent(name)}/${encodeURIComponent(version)}`,
	statement: (kind: string, name: string, id: string): string =>
		`/v1/statements/${encodeURIComponent(kind)}/${encodeURIComponent(name)}/${encodeURIComponent(id)}`,
	cosignatures: (): string => "/v1/log/cosignatures",
	yank: (name: string, version: string): string => `${paths.bundle(name, version)}/yank`,
} as const;
