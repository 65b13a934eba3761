// GET /healthz, /metrics and /openapi.json: is it up, how long does its metadata count, and what does it speak. Refuses to tell
// what is published: they need no token.
import type { FastifyInstance } from "fastify";
import document from "../api/openapi.json" with { type: "json" };
import { readHealth } from "../ops/health.ts";
import { metricsText } from "../ops/metrics-page.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, sendCacheableJson } from "./route.ts";

export function aboutRoutes(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "health", {
		handler: async (_request, reply) => {
			// A registry whose store does not answer is not healthy either: the error handler answers 500.
			return reply.header("cache-control", "no-store").send(await readHealth(registry));
		},
	});
	defineRoute(app, "metrics", {
		handler: async (_request, reply) => {
			reply.header("cache-control", "no-store").type("text/plain; version=0.0.4; charset=utf-8");
			return reply.send(await metricsText(registry));
		},
	});
	defineRoute(app, "openapi", {
		handler: async (request, reply) => sendCacheableJson(registry, { request, reply }, document),
	});
}
