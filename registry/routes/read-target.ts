// GET /v1/targets/FOLDER/SHA256.BASE: archives and documents under the names that TUF clients ask for, cacheable for ever.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { BUNDLE_MEDIA_TYPE } from "../api/wire.ts";
import { authorizeRead } from "../ops/authorize.ts";
import { parseTargetName, readTarget } from "../ops/read-target.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, FOR_EVER, hasEtag, param, reading, sendCacheableBytes, setCaching } from "./route.ts";

export function readTargetRoute(app: FastifyInstance, registry: RegistryContext): void {
	defineRoute(app, "readTarget", {
		handler: async (request, reply) => {
			const name = reading(() => parseTargetName(param(request, "folder"), param(request, "file")));
			const { authorization } = request.headers;
			// By the folder alone, before any look-up: the answer does not depend on what exists.
			await authorizeRead(registry, {
				authorization,
				...(name.bundle === undefined ? {} : { name: name.bundle }),
			});
			const target = await readTarget(registry, name);
			if (target.kind === "document") {
				return sendCacheableBytes(registry, { request, reply }, { bytes: target.bytes, policy: FOR_EVER });
			}
			const etag = `"${name.sha256}"`;
			const fresh = hasEtag(request.headers["if-none-match"], etag);
			const bytes = fresh ? undefined : await target.open();
			setCaching(registry, reply, FOR_EVER).header("etag", etag);
			if (bytes === undefined) return reply.code(304).send();
			reply.type(BUNDLE_MEDIA_TYPE).header("content-length", target.size);
			return reply.send(Readable.from(bytes, { objectMode: false }));
		},
	});
}
