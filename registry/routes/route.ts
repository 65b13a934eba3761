// Binds an operation of the API to a Fastify route, and holds what all routes share: params, caching, error answers.
// Refuses routes that are not in the closed list of operations.
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import { BundleError } from "#bundle/errors.ts";
import { type BundleName, parseBundleName, parseVersion, type Version } from "#bundle/name.ts";
import { RegistryError } from "../api/errors.ts";
import { OPERATIONS, type OperationName } from "../api/operations.ts";
import type { ErrorDocument } from "../api/wire.ts";
import type { RegistryContext } from "../ops/registry-context.ts";

export interface RouteParts {
	readonly handler: RouteHandlerMethod;
	/** Runs before the body is read. */
	readonly onRequest?: (request: FastifyRequest) => Promise<void>;
	/** JSON Schema of the body. */
	readonly body?: object;
}

export function defineRoute(app: FastifyInstance, name: OperationName, parts: RouteParts): void {
	const { method, path } = OPERATIONS[name];
	app.route({
		method,
		url: fastifyPath(path),
		handler: parts.handler,
		...(parts.onRequest === undefined ? {} : { onRequest: parts.onRequest }),
		...(parts.body === undefined ? {} : { schema: { body: parts.body } }),
	});
}

/** `/a/{b}` in OpenAPI's spelling is `/a/:b` in Fastify's. */
export function fastifyPath(path: string): string {
	return path.replace(/\{(\w+)\}/g, ":$1");
}

export function nameParam(request: FastifyRequest): BundleName {
	return reading(() => parseBundleName(param(request, "name")));
}

export function versionParam(request: FastifyRequest): Version {
	return reading(() => parseVersion(param(request, "version")));
}

export function digestParam(request: FastifyRequest): string {
	const text = param(request, "sha256");
	if (/^[0-9a-f]{64}$/.test(text)) return text;
	throw new RegistryError("REGISTRY_REQUEST_INVALID", "a digest is 64 lowercase hex digits");
}

/**
 * Answers JSON with a strong ETag over its bytes, or 304 when the client has exactly those.
 *
 * Caches may keep it for ten seconds: a yank is seen everywhere soon, a fleet does not hammer the server.
 */
export function sendCacheableJson(
	registry: RegistryContext,
	exchange: { request: FastifyRequest; reply: FastifyReply },
	document: object,
): FastifyReply {
	const body = JSON.stringify(document);
	const etag = `"${createHash("sha256").update(body).digest("hex")}"`;
	const { request, reply } = exchange;
	setCaching(registry, reply, "max-age=10, must-revalidate").header("etag", etag);
	if (hasEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
	return reply.type("application/json; charset=utf-8").send(body);
}

/** A private registry's answers may stand in the reader's own cache only. */
export function setCaching(registry: RegistryContext, reply: FastifyReply, policy: string): FastifyReply {
	if (!registry.private) return reply.header("cache-control", policy);
	return reply.header("cache-control", `private, ${policy}`).header("vary", "authorization");
}

/** RFC 9110, 13.1.2: weak comparison, a list, or `*`. */
export function hasEtag(ifNoneMatch: string | undefined, etag: string): boolean {
	if (ifNoneMatch === undefined) return false;
	const listed = ifNoneMatch.split(",").map((item) => item.trim().replace(/^W\//, ""));
	return listed.includes("*") || listed.includes(etag);
}

export function errorDocument(error: RegistryError): ErrorDocument {
	const { code, message, hint, details } = error;
	return {
		error: {
			code,
			message,
			...(hint === undefined ? {} : { hint }),
			...(Object.keys(details).length === 0 ? {} : { details }),
		},
	};
}

function param(request: FastifyRequest, key: string): string {
	return (request.params as Record<string, string | undefined>)[key] ?? "";
}

function reading<T>(parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (!(error instanceof BundleError)) throw error;
		throw new RegistryError("REGISTRY_REQUEST_INVALID", error.message, { hint: error.hint, cause: error });
	}
}
