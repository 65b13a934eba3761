// GET /healthz and GET /openapi.json: is it up, and what does it speak. Refuses to tell anything about what is stored.
import type { FastifyInstance } from "fastify";
import document from "../api/openapi.json" with { type: "json" };
import type { HealthDocument } from "../api/wire.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, sendCacheableJson } from "./route.ts";

export function aboutRoutes(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "health", {
		handler: async (_request, reply) => {
			// A registry whose store does not answer is not healthy: the error handler answers 500.
			await registry.metadata.read((reads) => reads.listNames("", 1));
			const health: HealthDocument = { schema: "kfn.health/1", status: "ok" };
			return reply.header("cache-control", "no-store").send(health);
		},
	});
	defineRoute(app, "openapi", {
		handler: async (request, reply) => sendCacheableJson(registry, { request, reply }, document),
	});
}
