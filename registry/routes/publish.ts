// PUT /v1/bundles/NAME/VERSION: authorises before a byte of the body is read, then streams it into the operation.
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RegistryError } from "../api/errors.ts";
import { BUNDLE_MEDIA_TYPE, MAX_ARCHIVE_BYTES } from "../api/wire.ts";
import { authorizeWrite, type WriterScope } from "../ops/authorize.ts";
import { publish } from "../ops/publish.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { auditDenied } from "./audit-denied.ts";
import { defineRoute, nameParam, versionParam } from "./route.ts";

export function publishRoute(app: FastifyInstance, registry: RegistryContext): void {
	const scopes = new WeakMap<FastifyRequest, WriterScope<"publish">>();
	app.removeAllContentTypeParsers();
	app.addContentTypeParser(BUNDLE_MEDIA_TYPE, (_request, payload, done) => done(null, payload));
	defineRoute(app, "publish", {
		onRequest: async (request) => {
			const name = nameParam(request);
			const version = versionParam(request);
			scopes.set(
				request,
				await auditDenied(registry, { verb: "publish", name, version }, () =>
					authorizeWrite(registry, { authorization: request.headers.authorization, verb: "publish", name }),
				),
			);
			refuseDeclaredSize(request);
		},
		handler: async (request, reply) => {
			const scope = scopes.get(request);
			if (scope === undefined) throw new Error("publish reached its handler without a scope");
			if (!(request.body instanceof Readable)) throw noBody();
			try {
				const archive = received(request.body);
				const { created, published } = await publish(registry, scope, {
					version: versionParam(request),
					archive,
				});
				return reply.code(created ? 201 : 200).send(published);
			} finally {
				// What a refused client still sends is thrown away (the request's time limit bounds it), so that it can
				// read the answer: closing the connection under it would look like a network failure.
				request.raw.resume();
			}
		},
	});
}

// A declared size is refused before anything is sent; the limit while streaming holds for all others.
function refuseDeclaredSize(request: FastifyRequest): void {
	const declared = Number(request.headers["content-length"] ?? 0);
	if (declared <= MAX_ARCHIVE_BYTES) return;
	throw new RegistryError(
		"REGISTRY_TOO_LARGE",
		`the body is ${declared} bytes, the limit is ${MAX_ARCHIVE_BYTES}`,
		{
			details: { maxBytes: MAX_ARCHIVE_BYTES },
		},
	);
}

async function* received(body: Readable): AsyncGenerator<Uint8Array, void, undefined> {
	try {
		// Not destroyed on return: the request's socket carries the answer.
		for await (const chunk of body.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array;
	} catch (cause) {
		throw new RegistryError("REGISTRY_UPLOAD_INTERRUPTED", "the upload ended before it was complete", {
			hint: "nothing was stored; upload it again",
			cause,
		});
	}
}

function noBody(): RegistryError {
	return new RegistryError("REGISTRY_MEDIA_TYPE", "the request has no body", {
		hint: `send the archive with content-type: ${BUNDLE_MEDIA_TYPE}`,
	});
}
