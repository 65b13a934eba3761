// PUT /v1/permits/NAME/ID: authorises before a byte of the body is read. The name stands in the path for that.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RegistryError } from "../api/errors.ts";
import { MAX_PERMIT_BYTES, PERMIT_MEDIA_TYPE } from "../api/wire.ts";
import { authorizeWrite, type WriterScope } from "../ops/authorize.ts";
import { publishPermit } from "../ops/publish-permit.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { auditDenied } from "./audit-denied.ts";
import { defineRoute, nameParam, permitParam } from "./route.ts";

export function publishPermitRoute(app: FastifyInstance, registry: RegistryContext): void {
	const scopes = new WeakMap<FastifyRequest, WriterScope<"publish">>();
	app.removeAllContentTypeParsers();
	const parser = { parseAs: "buffer", bodyLimit: MAX_PERMIT_BYTES } as const;
	// The bytes as they are: they are what is stored, and their spelling is part of the format.
	app.addContentTypeParser(PERMIT_MEDIA_TYPE, parser, (_request, bytes, done) => done(null, bytes));
	defineRoute(app, "publishPermit", {
		onRequest: async (request) => {
			const name = nameParam(request);
			permitParam(request);
			scopes.set(
				request,
				await auditDenied(registry, { verb: "permit", name, version: null }, () =>
					authorizeWrite(registry, { authorization: request.headers.authorization, verb: "publish", name }),
				),
			);
		},
		handler: async (request, reply) => {
			const scope = scopes.get(request);
			if (scope === undefined) throw new Error("a permit reached its handler without a scope");
			if (!(request.body instanceof Uint8Array)) throw noBody();
			const { created, published } = await publishPermit(registry, scope, {
				id: permitParam(request),
				bytes: request.body,
			});
			return reply.code(created ? 201 : 200).send(published);
		},
	});
}

function noBody(): RegistryError {
	return new RegistryError("REGISTRY_MEDIA_TYPE", "the request has no body", {
		hint: `send the permit's file with content-type: ${PERMIT_MEDIA_TYPE}`,
	});
}
