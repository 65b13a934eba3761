// kfn registry: runs a registry and hands out its tokens. The server itself is registry/; this only wires it to a terminal.

import { openRegistry, type TokenVerb } from "#registry/main.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { columns } from "../output/columns.ts";

const DAY_MS = 86_400_000;

export interface ServeInput {
	readonly data: string;
	readonly host: string;
	readonly port: number;
	readonly private: boolean;
	readonly json: boolean;
}

/** Serves until SIGINT or SIGTERM; says its address on stdout as soon as it listens. */
export async function serveRegistry(context: Context, input: ServeInput): Promise<Output> {
	const registry = await openRegistry({ dataDir: input.data, private: input.private });
	const { url } = await registry.listen({ host: input.host, port: input.port });
	process.stdout.write(input.json ? `${JSON.stringify({ url })}\n` : `kfn registry on ${url}\n`);
	await new Promise<void>((resolve) => {
		if (context.signal.aborted) resolve();
		else context.signal.addEventListener("abort", () => resolve(), { once: true });
	});
	await registry.close();
	return { json: { url, stopped: true }, text: "stopped" };
}

export interface TokenInput {
	readonly data: string;
	readonly label: string;
	readonly names: string;
	readonly verbs: readonly string[];
	readonly days: number;
}

export async function createToken(_context: Context, input: TokenInput): Promise<Output> {
	const registry = await openRegistry({ dataDir: input.data });
	try {
		const expiresAt = new Date(Date.now() + input.days * DAY_MS).toISOString();
		const verbs = input.verbs as readonly TokenVerb[];
		const { id, token } = await registry.tokens.create({
			label: input.label,
			names: input.names,
			verbs,
			expiresAt,
		});
		return {
			json: { id, token, label: input.label, names: input.names, verbs, expiresAt },
			text: `${token}\n# id ${id}, may ${verbs.join(" and ")} ${input.names}, until ${expiresAt}; shown this once`,
		};
	} finally {
		await registry.close();
	}
}

export async function listTokens(_context: Context, input: { data: string }): Promise<Output> {
	const registry = await openRegistry({ dataDir: input.data });
	try {
		const tokens = await registry.tokens.list();
		const rows = tokens.map((t) => [
			t.id,
			t.label,
			t.names,
			t.verbs.join(","),
			t.revokedAt === null ? t.expiresAt : `revoked ${t.revokedAt}`,
		]);
		return { json: { tokens }, text: columns([["ID", "LABEL", "NAMES", "VERBS", "UNTIL"], ...rows]) };
	} finally {
		await registry.close();
	}
}

export async function revokeToken(_context: Context, input: { data: string; id: string }): Promise<Output> {
	const registry = await openRegistry({ dataDir: input.data });
	try {
		await registry.tokens.revoke(input.id);
		return { json: { id: input.id, revoked: true }, text: `revoked ${input.id}` };
	} finally {
		await registry.close();
	}
}
