// GET /v1/blobs/sha256/HEX: an archive's bytes under their digest, cacheable for ever.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { BUNDLE_MEDIA_TYPE } from "../api/wire.ts";
import { authorizeRead } from "../ops/authorize.ts";
import { readBlob } from "../ops/read-blob.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, digestParam, hasEtag, setCaching } from "./route.ts";

export function readBlobRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "readBlob", {
		handler: async (request, reply) => {
			const sha256 = digestParam(request);
			const scope = await authorizeRead(registry, { authorization: request.headers.authorization });
			const blob = await readBlob(registry, scope, sha256);
			const etag = `"${sha256}"`;
			const fresh = hasEtag(request.headers["if-none-match"], etag);
			const bytes = fresh ? undefined : await blob.open();
			setCaching(registry, reply, "max-age=31536000, immutable").header("etag", etag);
			if (bytes === undefined) return reply.code(304).send();
			reply.type(BUNDLE_MEDIA_TYPE).header("content-length", blob.size);
			return reply.send(Readable.from(bytes, { objectMode: false }));
		},
	});
}
