// The transparency log (C2SP tlog-tiles): checkpoint and tiles shaped like static files, and where witnesses send cosignatures.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { authorizeRead } from "../ops/authorize.ts";
import { cosign, readCheckpoint, readLatestCheckpoint, readLogTile } from "../ops/read-log.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import { defineRoute, FOR_EVER, param, sendCacheableBytes } from "./route.ts";

/** A checkpoint that lags behind the index would make a new version look unlogged: ask each time, by ETag. */
const EACH_TIME = "no-cache";
const CHECKPOINT_TYPE = "text/plain; charset=utf-8";
const TILE_TYPE = "application/octet-stream";

export function readLogRoutes(app: FastifyInstance, registry: RegistryContext): void {
	const checkpoint =
		(read: typeof readCheckpoint) => async (request: FastifyRequest, reply: FastifyReply) => {
			await authorizeRead(registry, { authorization: request.headers.authorization });
			const answer = { bytes: await read(registry), policy: EACH_TIME, type: CHECKPOINT_TYPE };
			return sendCacheableBytes(registry, { request, reply }, answer);
		};
	defineRoute(app, "readCheckpoint", { handler: checkpoint(readCheckpoint) });
	defineRoute(app, "readLatestCheckpoint", { handler: checkpoint(readLatestCheckpoint) });
	defineRoute(app, "readLogTile", {
		handler: async (request, reply) => {
			// Any token that may read, entries included: they say no more than the bins, which every client needs.
			await authorizeRead(registry, { authorization: request.headers.authorization });
			const bytes = await readLogTile(registry, `tile/${param(request, "*")}`);
			return sendCacheableBytes(registry, { request, reply }, { bytes, policy: FOR_EVER, type: TILE_TYPE });
		},
	});
}

/** In a scope of its own: its body is a checkpoint, which is text. */
export function cosignRoute(app: FastifyInstance, registry: RegistryContext): void {
	app.removeAllContentTypeParsers();
	app.addContentTypeParser("text/plain", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
	defineRoute(app, "cosign", {
		onRequest: async (request) => {
			await authorizeRead(registry, { authorization: request.headers.authorization });
		},
		handler: async (request) => cosign(registry, request.body as Uint8Array),
	});
}
