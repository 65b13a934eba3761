// Builds the Fastify app over a registry's ports: routes, limits, and JSON for every error. Refuses to open stores or sockets.
import type { Socket } from "node:net";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from "fastify";
import { REGISTRY_ERRORS, RegistryError } from "./api/errors.ts";
import type { RegistryContext } from "./ops/registry-context.ts";
import { aboutRoutes } from "./routes/about.ts";
import { listNamesRoute } from "./routes/list-names.ts";
import { cosignRoute, readLogRoutes } from "./routes/log.ts";
import { publishRoute } from "./routes/publish.ts";
import { publishStatementRoute } from "./routes/publish-statement.ts";
import { readMetadataRoute } from "./routes/read-metadata.ts";
import { readRecallListRoute } from "./routes/read-recall-list.ts";
import { readTargetRoute } from "./routes/read-target.ts";
import { errorDocument } from "./routes/route.ts";
import { yankRoutes } from "./routes/yank.ts";

/** All in milliseconds. Together they bound how long a client that sends slowly, or not at all, holds a connection. */
export interface TimeLimits {
	/** Until the headers are complete. */
	readonly headers: number;
	/** Until the whole request is complete: 16 MiB at 56 kB/s. */
	readonly request: number;
	/** Without a byte in either direction. */
	readonly idle: number;
	/** How often the two first are looked at. */
	readonly checkEvery: number;
}

const TIME_LIMITS: TimeLimits = { headers: 15_000, request: 300_000, idle: 30_000, checkEvery: 5_000 };

const MAX_JSON_BYTES = 16 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
// Longer than any valid name, version or digest, so that a wrong one gets an answer that says so.
const MAX_PARAM_CHARS = 512;

/** What the operator must hear of, besides the client. */
const REPORTED: ReadonlySet<string> = new Set([
	"REGISTRY_INTERNAL",
	"REGISTRY_BLOB_CORRUPT",
	"REGISTRY_LOG_DAMAGED",
]);

export interface AppOptions {
	readonly limits?: TimeLimits | undefined;
	/** Told `METHOD /path` of every route. */
	readonly onRoute?: (route: string) => void;
}

export function buildApp(registry: RegistryContext, options: AppOptions = {}): FastifyInstance {
	const { limits = TIME_LIMITS, onRoute } = options;
	const app = Fastify({
		logger: false,
		bodyLimit: MAX_JSON_BYTES,
		routerOptions: { maxParamLength: MAX_PARAM_CHARS },
		exposeHeadRoutes: false,
		requestTimeout: limits.request,
		connectionTimeout: limits.idle,
		forceCloseConnections: "idle",
		// Fastify's own 503 is not in our shape; what still comes in on an open connection while closing is answered.
		return503OnClosing: false,
		http: {
			maxHeaderSize: MAX_HEADER_BYTES,
			headersTimeout: limits.headers,
			connectionsCheckingInterval: limits.checkEvery,
		},
		// Strict: nothing coerced, dropped or filled in.
		ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
		frameworkErrors: (error, _request, reply) => void sendError(registry, reply, error),
		clientErrorHandler: answerBrokenRequest,
	});
	app.setErrorHandler((error: FastifyError, _request, reply) => sendError(registry, reply, error));
	app.setNotFoundHandler((_request, reply) => sendError(registry, reply, notFound()));
	app.addHook("onRequest", async (_request, reply) => {
		reply.header("x-content-type-options", "nosniff");
	});
	app.addHook("onResponse", async (request, reply) => {
		const { operation = "none" } = request.routeOptions.config as { operation?: string };
		registry.metrics.request(operation, reply.statusCode);
	});
	closeConnectionsWhenClosing(app);
	if (onRoute !== undefined) app.addHook("onRoute", ({ method, url }) => onRoute(`${method} ${url}`));
	registerRoutes(app, registry);
	return app;
}

// A connection that was busy when closing began would otherwise stay open, idle, until the grace period ends.
function closeConnectionsWhenClosing(app: FastifyInstance): void {
	let closing = false;
	app.addHook("preClose", async () => {
		closing = true;
	});
	app.addHook("onSend", async (_request, reply) => {
		if (closing) reply.header("connection", "close");
	});
}

function registerRoutes(app: FastifyInstance, registry: RegistryContext): void {
	aboutRoutes(app, registry);
	listNamesRoute(app, registry);
	readMetadataRoute(app, registry);
	readTargetRoute(app, registry);
	readRecallListRoute(app, registry);
	readLogRoutes(app, registry);
	// In scopes of their own, since they take bodies of different types.
	app.register(async (scope) => publishRoute(scope, registry));
	app.register(async (scope) => cosignRoute(scope, registry));
	app.register(async (scope) => publishStatementRoute(scope, registry));
	app.register(async (scope) => {
		scope.removeContentTypeParser("text/plain");
		yankRoutes(scope, registry);
	});
}

function sendError(registry: RegistryContext, reply: FastifyReply, error: Error): FastifyReply {
	const known = travelling(error);
	if (REPORTED.has(known.code)) {
		const cause = known.cause instanceof Error ? known.cause.stack : undefined;
		registry.report({
			event: "request-failed",
			message: known.message,
			details: { code: known.code, cause },
		});
	}
	if (known.status === 401) reply.header("www-authenticate", 'Bearer realm="kfn"');
	if (known.code === "REGISTRY_BUSY") reply.header("retry-after", "1");
	reply.removeHeader("etag").removeHeader("content-length");
	reply.header("cache-control", "no-store").header("x-content-type-options", "nosniff");
	return reply.code(known.status).type("application/json; charset=utf-8").send(errorDocument(known));
}

/** A code without a status is for the admin's eyes: it may speak of files. */
function travelling(error: Error): RegistryError {
	if (!(error instanceof RegistryError)) return translate(error as FastifyError);
	return REGISTRY_ERRORS[error.code].status === null ? internal(error) : error;
}

// Fastify's own refusals, under our codes. Whatever is left is a bug of ours, and its text may hold paths: not sent.
function translate(error: FastifyError): RegistryError {
	switch (error.code) {
		case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
		case "FST_ERR_CTP_INVALID_CONTENT_TYPE":
			return new RegistryError("REGISTRY_MEDIA_TYPE", "the body's content type is not taken here", {
				hint: "an upload is application/vnd.kfn.bundle, a statement application/vnd.dsse.envelope.v1+json, a yank application/json",
			});
		case "FST_ERR_CTP_BODY_TOO_LARGE":
			return new RegistryError("REGISTRY_TOO_LARGE", "the body is larger than this operation takes");
	}
	if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
		return new RegistryError("REGISTRY_REQUEST_INVALID", error.message);
	}
	return internal(error);
}

function internal(cause: Error): RegistryError {
	return new RegistryError("REGISTRY_INTERNAL", "the registry failed", {
		hint: "try again; if it stays so, the registry's log has the cause",
		cause,
	});
}

function notFound(): RegistryError {
	return new RegistryError("REGISTRY_NOT_FOUND", "there is nothing at this path for this method", {
		hint: "/openapi.json lists the operations",
	});
}

// The parser gave up before there was a request: no reply object exists, so the answer is written by hand.
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	const known = brokenRequest(error.code);
	const body = JSON.stringify(errorDocument(known));
	const head = [
		`HTTP/1.1 ${known.status} Refused`,
		"content-type: application/json; charset=utf-8",
		"cache-control: no-store",
		"connection: close",
		`content-length: ${Buffer.byteLength(body)}`,
	];
	socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

function brokenRequest(code: string | undefined): RegistryError {
	if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
		return new RegistryError("REGISTRY_REQUEST_TIMEOUT", "the request took too long to arrive");
	}
	if (code === "HPE_HEADER_OVERFLOW") {
		return new RegistryError(
			"REGISTRY_HEADERS_TOO_LARGE",
			`the headers are larger than ${MAX_HEADER_BYTES} bytes`,
		);
	}
	return new RegistryError("REGISTRY_REQUEST_INVALID", "the request is not valid HTTP/1.1");
}
