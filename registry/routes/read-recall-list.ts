// GET /v1/recall.json: the signed recall list, shaped like a static file. Mostly answers 304: every host asks every few minutes.
import type { FastifyInstance } from "fastify";
import { RegistryError } from "../api/errors.ts";
import { authorizeRead } from "../ops/authorize.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { RECALL_LIST_PATH } from "../trust/repository.ts";
import { defineRoute, SOON, sendCacheableBytes } from "./route.ts";

export function readRecallListRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "readRecallList", {
		handler: async (request, reply) => {
			// Any token that may read, as for the metadata: it names no more than that does.
			await authorizeRead(registry, { authorization: request.headers.authorization });
			const found = await registry.metadata.read((reads) => reads.currentDocument(RECALL_LIST_PATH));
			if (found === undefined) {
				throw new RegistryError("REGISTRY_NOT_FOUND", "this registry has no recall list", {
					hint: "kfn root rotate --online gives it a key for one",
				});
			}
			return sendCacheableBytes(registry, { request, reply }, { bytes: found.bytes, policy: SOON });
		},
	});
}
