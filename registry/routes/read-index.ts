// GET /v1/index/NAME.json: all versions of a bundle, shaped like a static file.
import type { FastifyInstance } from "fastify";
import { authorizeRead } from "../ops/authorize.ts";
import { readIndex } from "../ops/read-index.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, nameParam, sendCacheableJson } from "./route.ts";

export function readIndexRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "readIndex", {
		handler: async (request, reply) => {
			const name = nameParam(request);
			await authorizeRead(registry, { authorization: request.headers.authorization, name });
			return sendCacheableJson(registry, { request, reply }, await readIndex(registry, name));
		},
	});
}
