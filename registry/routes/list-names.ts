// GET /v1/names.json: the names of all bundles, page by page.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RegistryError } from "../api/errors.ts";
import { MAX_NAMES_PER_PAGE } from "../api/wire.ts";
import { authorizeRead } from "../ops/authorize.ts";
import { listNames } from "../ops/list-names.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, sendCacheableJson } from "./route.ts";

export function listNamesRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "listNames", {
		handler: async (request, reply) => {
			const page = pageOf(request);
			const scope = await authorizeRead(registry, { authorization: request.headers.authorization });
			return sendCacheableJson(registry, { request, reply }, await listNames(registry, scope, page));
		},
	});
}

function pageOf(request: FastifyRequest): { after: string; limit: number } {
	const { after = "", limit = String(MAX_NAMES_PER_PAGE) } = request.query as Record<string, unknown>;
	if (typeof after !== "string" || !/^[a-z0-9-]{0,64}$/.test(after)) throw invalid("after", "a bundle name");
	if (typeof limit !== "string" || !/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MAX_NAMES_PER_PAGE) {
		throw invalid("limit", `a number from 1 to ${MAX_NAMES_PER_PAGE}`);
	}
	return { after, limit: Number(limit) };
}

function invalid(parameter: string, form: string): RegistryError {
	return new RegistryError("REGISTRY_REQUEST_INVALID", `the parameter ${parameter} must be ${form}, once`);
}
