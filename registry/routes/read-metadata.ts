// GET /v1/metadata/FILE: TUF metadata, shaped like static files. All but the timestamp never change.
import type { FastifyInstance } from "fastify";
import { authorizeRead } from "../ops/authorize.ts";
import { readMetadata } from "../ops/read-metadata.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, FOR_EVER, param, SOON, sendCacheableBytes } from "./route.ts";

export function readMetadataRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "readMetadata", {
		handler: async (request, reply) => {
			// Any token that may read: metadata names every bundle, and without all of it a client can verify none.
			await authorizeRead(registry, { authorization: request.headers.authorization });
			const { bytes, immutable } = await readMetadata(registry, param(request, "file"));
			const policy = immutable ? FOR_EVER : SOON;
			return sendCacheableBytes(registry, { request, reply }, { bytes, policy });
		},
	});
}
