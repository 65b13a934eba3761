// PUT /v1/statements/KIND/NAME/ID: authorises before a byte of the body is read. The name stands in the path for that.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RegistryError } from "../api/errors.ts";
import { MAX_STATEMENT_BYTES, STATEMENT_MEDIA_TYPE } from "../api/wire.ts";
import { authorizeWrite, type WriterScope } from "../ops/authorize.ts";
import { publishStatement } from "../ops/publish-statement.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { isStatementKind, STATEMENT_KINDS, type StatementKindName } from "../statements/kinds.ts";
import { auditDenied } from "./audit-denied.ts";
import { defineRoute, nameParam, param } from "./route.ts";

export function publishStatementRoute(app: FastifyInstance, registry: RegistryContext): void {
	const scopes = new WeakMap<FastifyRequest, WriterScope<"publish">>();
	app.removeAllContentTypeParsers();
	const parser = { parseAs: "buffer", bodyLimit: MAX_STATEMENT_BYTES } as const;
	// The bytes as they are: they are what is stored, and their spelling is part of the format.
	app.addContentTypeParser(STATEMENT_MEDIA_TYPE, parser, (_request, bytes, done) => done(null, bytes));
	defineRoute(app, "publishStatement", {
		onRequest: async (request) => {
			const name = nameParam(request);
			kindParam(request);
			idParam(request);
			scopes.set(
				request,
				await auditDenied(registry, { verb: "statement", name, version: null }, () =>
					authorizeWrite(registry, { authorization: request.headers.authorization, verb: "publish", name }),
				),
			);
		},
		handler: async (request, reply) => {
			const scope = scopes.get(request);
			if (scope === undefined) throw new Error("a statement reached its handler without a scope");
			if (!(request.body instanceof Uint8Array)) throw noBody();
			const { created, published } = await publishStatement(registry, scope, {
				kind: kindParam(request),
				id: idParam(request),
				bytes: request.body,
			});
			return reply.code(created ? 201 : 200).send(published);
		},
	});
}

function kindParam(request: FastifyRequest): StatementKindName {
	const kind = param(request, "kind");
	if (isStatementKind(kind)) return kind;
	throw new RegistryError("REGISTRY_REQUEST_INVALID", "this registry knows no such kind of statement", {
		hint: `kinds are ${Object.keys(STATEMENT_KINDS).join(", ")}; a newer kfn may know more`,
	});
}

function idParam(request: FastifyRequest): string {
	const text = param(request, "id");
	if (/^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/.test(text)) return text;
	throw new RegistryError(
		"REGISTRY_REQUEST_INVALID",
		"a statement's id is 1 to 100 letters, digits, dots, hyphens and underscores",
	);
}

function noBody(): RegistryError {
	return new RegistryError("REGISTRY_MEDIA_TYPE", "the request has no body", {
		hint: `send the statement's file with content-type: ${STATEMENT_MEDIA_TYPE}`,
	});
}
