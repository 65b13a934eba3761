// Binds an operation of the API to a Fastify route, and holds what all routes share: params, caching, error answers.
// Refuses routes that are not in the closed list of operations.
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from "fastify";
import { BundleError } from "#bundle/errors.ts";
import { type BundleName, parseBundleName, parseVersion, type Version } from "#bundle/name.ts";
import { RegistryError } from "../api/errors.ts";
import { OPERATIONS, type Operation, type OperationName } from "../api/operations.ts";
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
	const operation: Operation = OPERATIONS[name];
	app.route({
		method: operation.method,
		url: fastifyPath(operation),
		handler: parts.handler,
		config: { operation: name },
		...(parts.onRequest === undefined ? {} : { onRequest: parts.onRequest }),
		...(parts.body === undefined ? {} : { schema: { body: parts.body } }),
	});
}

/** `/a/{b}` in OpenAPI's spelling is `/a/:b` in Fastify's, and a parameter that takes slashes `*`. */
export function fastifyPath({ path, slashes = false }: Pick<Operation, "path" | "slashes">): string {
	return (slashes ? path.replace(/\{\w+\}$/, "*") : path).replace(/\{(\w+)\}/g, ":$1");
}

export function nameParam(request: FastifyRequest): BundleName {
	return reading(() => parseBundleName(param(request, "name")));
}

export function versionParam(request: FastifyRequest): Version {
	return reading(() => parseVersion(param(request, "version")));
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
	return sendCacheableBytes(registry, exchange, {
		bytes: Buffer.from(JSON.stringify(document)),
		policy: SOON,
	});
}

/** Cache-Control of what changes, and of what never does. */
export const SOON = "max-age=10, must-revalidate";
export const FOR_EVER = "max-age=31536000, immutable";
const JSON_TYPE = "application/json; charset=utf-8";

/** Answers these exact bytes, JSON unless told otherwise, with a strong ETag over them, or 304 when the client has them. */
export function sendCacheableBytes(
	registry: RegistryContext,
	{ request, reply }: { request: FastifyRequest; reply: FastifyReply },
	{ bytes, policy, type = JSON_TYPE }: { bytes: Uint8Array; policy: string; type?: string },
): FastifyReply {
	const etag = `"${createHash("sha256").update(bytes).digest("hex")}"`;
	setCaching(registry, reply, policy).header("etag", etag);
	if (hasEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
	return reply.type(type).send(Buffer.from(bytes));
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

/** A path parameter as it came; empty when the route has none of this name. */
export function param(request: FastifyRequest, key: string): string {
	return (request.params as Record<string, string | undefined>)[key] ?? "";
}

/** What `parse` gives; its BundleError is answered as REGISTRY_REQUEST_INVALID. */
export function reading<T>(parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (!(error instanceof BundleError)) throw error;
		throw new RegistryError("REGISTRY_REQUEST_INVALID", error.message, { hint: error.hint, cause: error });
	}
}
