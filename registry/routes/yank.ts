// POST and DELETE /v1/bundles/NAME/VERSION/yank: hide a version from ranges, show it again.
import type { FastifyInstance, FastifyRequest } from "fastify";
import document from "../api/openapi.json" with { type: "json" };
import type { YankRequest } from "../api/wire.ts";
import { authorizeWrite, type WriterScope } from "../ops/authorize.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { unyank, yank } from "../ops/yank.ts";
import { auditDenied } from "./audit-denied.ts";
import { defineRoute, nameParam, versionParam } from "./route.ts";

export function yankRoutes(app: FastifyInstance, registry: RegistryContext): void {
	const scopes = new WeakMap<FastifyRequest, WriterScope<"yank">>();
	const authorize = (verb: "yank" | "unyank") => async (request: FastifyRequest) => {
		const name = nameParam(request);
		const version = versionParam(request);
		scopes.set(
			request,
			await auditDenied(registry, { verb, name, version }, () =>
				authorizeWrite(registry, { authorization: request.headers.authorization, verb: "yank", name }),
			),
		);
	};
	const scopeOf = (request: FastifyRequest): WriterScope<"yank"> => {
		const scope = scopes.get(request);
		if (scope === undefined) throw new Error("yank reached its handler without a scope");
		return scope;
	};
	defineRoute(app, "yank", {
		onRequest: authorize("yank"),
		body: document.components.schemas.YankRequest,
		handler: async (request) => {
			const { reason } = request.body as YankRequest;
			return yank(registry, scopeOf(request), { version: versionParam(request), reason });
		},
	});
	defineRoute(app, "unyank", {
		onRequest: authorize("unyank"),
		handler: async (request) => unyank(registry, scopeOf(request), { version: versionParam(request) }),
	});
}
