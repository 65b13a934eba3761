// The recall list as a host asks for it: one conditional request, at a registry or a mirror. Refuses to believe anything: what
// comes is verified by host/recall/learn.ts.
import { createHash } from "node:crypto";
import type { RecallSource } from "#host/recall/learn.ts";
import { paths, targetPaths } from "#registry/api/wire.ts";
import { SigningError } from "#signing/errors.ts";
import { RECALL_LIST_LIMITS } from "#signing/recall-list.ts";
import type { Context } from "../context.ts";
import { parseAnswer, registryBase } from "./http.ts";
import { registryAddress } from "./registry.ts";
import { conditionalRead, openRegistryReader } from "./registry-fetch.ts";
import { parseStatementsDocument } from "./statements-document.ts";
import { openTrustedSource } from "./trusted-source.ts";

/** Reads nothing yet. CLI_NO_REGISTRY, CLI_USAGE. */
export async function openRecallSource(
	context: Context,
	flag: string | undefined,
): Promise<RecallSource & { readonly description: string }> {
	const reader = await openRegistryReader(context, flag);
	const address = await registryAddress(context, flag);
	const options = address.startsWith("file:")
		? undefined
		: {
				base: registryBase(address),
				token: context.env.token,
				signal: context.signal,
				userAgent: `kfn/${context.version}`,
			};
	return {
		description: reader.base,
		async list(etag) {
			const limit = RECALL_LIST_LIMITS.envelopeBytes;
			if (options !== undefined) return conditionalRead(options, "recall.json", { etag, limit });
			// A tree of files is at hand: nothing is saved by asking whether it changed.
			const bytes = await reader.fetch("recall.json", limit);
			return bytes === "missing" ? bytes : { bytes, etag: null };
		},
		async statements({ name, sha256, size }) {
			const path = targetPaths.statements(name, "revocation");
			const bytes = await reader.fetch(paths.target(path, sha256).slice("/v1/".length), size);
			if (bytes === "missing" || createHash("sha256").update(bytes).digest("hex") !== sha256) {
				throw new SigningError(
					"TRUST_MISMATCH",
					`the registry has not the ${path} that its recall list names`,
					{
						hint: "the registry or mirror is broken, or withholds a recall; ask its admin",
						details: { path, sha256 },
					},
				);
			}
			return parseStatementsDocument(parseAnswer({ status: 200, body: bytes }), name, "revocation");
		},
		async refresh() {
			await openTrustedSource(context, flag);
		},
	};
}
