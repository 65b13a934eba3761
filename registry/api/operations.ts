// The closed list of the API's operations: method, path, and every status and error code each can answer.
// Routes are built from it and openapi.json is tested against it; refuses to hold behaviour.
import { REGISTRY_ERRORS, type RegistryErrorCode } from "./errors.ts";

export interface Operation {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	/** OpenAPI spelling: `{name}` stands for one path segment (or the part of it before `.json`). */
	readonly path: string;
	/** True: the path's last parameter is several segments. OpenAPI has no spelling for it; it is `x-kfn-slashes` there. */
	readonly slashes?: boolean;
	readonly success: readonly number[];
	readonly errors: readonly RegistryErrorCode[];
}

/** What the server can answer to anything, before or besides the operation itself. */
const COMMON_ERRORS = [
	"REGISTRY_REQUEST_INVALID",
	"REGISTRY_REQUEST_TIMEOUT",
	"REGISTRY_HEADERS_TOO_LARGE",
	"REGISTRY_INTERNAL",
] as const satisfies readonly RegistryErrorCode[];

const TOKEN_ERRORS = [
	"REGISTRY_TOKEN_MISSING",
	"REGISTRY_TOKEN_INVALID",
	"REGISTRY_TOKEN_EXPIRED",
	"REGISTRY_TOKEN_REVOKED",
	"REGISTRY_TOKEN_SCOPE",
] as const satisfies readonly RegistryErrorCode[];

const YANK_ERRORS = [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND", "REGISTRY_LOG_DAMAGED", "REGISTRY_BUSY"] as const;

export const OPERATIONS = {
	health: { method: "GET", path: "/healthz", success: [200], errors: ["REGISTRY_METADATA_EXPIRED"] },
	metrics: { method: "GET", path: "/metrics", success: [200], errors: [] },
	openapi: { method: "GET", path: "/openapi.json", success: [200, 304], errors: [] },
	listNames: { method: "GET", path: "/v1/names.json", success: [200, 304], errors: TOKEN_ERRORS },
	readMetadata: {
		method: "GET",
		path: "/v1/metadata/{file}",
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND"],
	},
	readTarget: {
		method: "GET",
		path: "/v1/targets/{folder}/{file}",
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND", "REGISTRY_BLOB_CORRUPT"],
	},
	readRecallList: {
		method: "GET",
		path: "/v1/recall.json",
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND"],
	},
	readCheckpoint: {
		method: "GET",
		path: "/v1/log/checkpoint",
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND"],
	},
	readLatestCheckpoint: {
		method: "GET",
		path: "/v1/log/latest",
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND"],
	},
	readLogTile: {
		method: "GET",
		path: "/v1/log/tile/{tile}",
		slashes: true,
		success: [200, 304],
		errors: [...TOKEN_ERRORS, "REGISTRY_NOT_FOUND", "REGISTRY_LOG_DAMAGED"],
	},
	cosign: {
		method: "POST",
		path: "/v1/log/cosignatures",
		success: [200],
		errors: [
			...TOKEN_ERRORS,
			"REGISTRY_NOT_FOUND",
			"REGISTRY_COSIGNATURE_REFUSED",
			"REGISTRY_CHECKPOINT_UNKNOWN",
			"REGISTRY_TOO_LARGE",
			"REGISTRY_MEDIA_TYPE",
			"REGISTRY_BUSY",
		],
	},
	publish: {
		method: "PUT",
		path: "/v1/bundles/{name}/{version}",
		success: [200, 201],
		errors: [
			...TOKEN_ERRORS,
			"REGISTRY_UPLOAD_INTERRUPTED",
			"REGISTRY_BUNDLE_REFUSED",
			"REGISTRY_BUNDLE_MISMATCH",
			"REGISTRY_SIGNATURE_MISSING",
			"REGISTRY_UNAUTHORISED",
			"REGISTRY_VERSION_EXISTS",
			"REGISTRY_TOO_LARGE",
			"REGISTRY_MEDIA_TYPE",
			"REGISTRY_LOG_DAMAGED",
			"REGISTRY_BUSY",
		],
	},
	publishStatement: {
		method: "PUT",
		path: "/v1/statements/{kind}/{name}/{id}",
		success: [200, 201],
		errors: [
			...TOKEN_ERRORS,
			"REGISTRY_STATEMENT_REFUSED",
			"REGISTRY_STATEMENT_EXISTS",
			"REGISTRY_UNAUTHORISED",
			"REGISTRY_NOT_FOUND",
			"REGISTRY_TOO_LARGE",
			"REGISTRY_MEDIA_TYPE",
			"REGISTRY_LOG_DAMAGED",
			"REGISTRY_BUSY",
		],
	},
	yank: {
		method: "POST",
		path: "/v1/bundles/{name}/{version}/yank",
		success: [200],
		errors: [...YANK_ERRORS, "REGISTRY_TOO_LARGE", "REGISTRY_MEDIA_TYPE"],
	},
	unyank: {
		method: "DELETE",
		path: "/v1/bundles/{name}/{version}/yank",
		success: [200],
		errors: YANK_ERRORS,
	},
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;

/** Every error code that `operation` can answer, grouped by HTTP status. */
export function errorsByStatus(operation: Operation): Map<number, RegistryErrorCode[]> {
	const groups = new Map<number, RegistryErrorCode[]>();
	for (const code of new Set<RegistryErrorCode>([...COMMON_ERRORS, ...operation.errors])) {
		const status = REGISTRY_ERRORS[code].status ?? 500;
		groups.set(status, [...(groups.get(status) ?? []), code]);
	}
	return groups;
}
