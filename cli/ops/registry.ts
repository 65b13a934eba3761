// kfn registry: runs a registry and hands out its tokens. The server itself is registry/; this only wires it to a terminal.

import { serve, type TokenVerb, tokenCreate, tokenList, tokenRevoke } from "#registry/main.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { columns } from "../output/columns.ts";
import { printable } from "../printable.ts";

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
	let address = "";
	await serve({
		dataDir: input.data,
		host: input.host,
		port: input.port,
		private: input.private,
		signal: context.signal,
		onListening({ url }) {
			address = url;
			process.stdout.write(input.json ? `${JSON.stringify({ url })}\n` : `kfn registry on ${url}\n`);
		},
		report: (event) => process.stderr.write(`${printable(JSON.stringify(event))}\n`),
	});
	return { json: { url: address, stopped: true }, text: "stopped" };
}

export interface TokenInput {
	readonly data: string;
	readonly label: string;
	readonly names: string;
	readonly verbs: readonly string[];
	readonly days: number;
}

export async function createToken(_context: Context, input: TokenInput): Promise<Output> {
	const { label, names } = input;
	const expiresAt = new Date(Date.now() + input.days * DAY_MS).toISOString();
	const verbs = input.verbs as readonly TokenVerb[];
	const { id, token } = await tokenCreate(input.data, { label, names, verbs, expiresAt });
	return {
		json: { id, token, label, names, verbs, expiresAt },
		text: `${token}\n# id ${id}: may ${verbs.join(" and ")} ${names} until ${expiresAt}; shown this once`,
	};
}

export async function listTokens(_context: Context, input: { data: string }): Promise<Output> {
	const tokens = await tokenList(input.data);
	const rows = tokens.map((token) => [
		token.id,
		token.label,
		token.names,
		token.verbs.join(","),
		token.revokedAt === null ? token.expiresAt : `revoked ${token.revokedAt}`,
	]);
	return { json: { tokens }, text: columns([["ID", "LABEL", "NAMES", "VERBS", "UNTIL"], ...rows]) };
}

export async function revokeToken(_context: Context, input: { data: string; id: string }): Promise<Output> {
	await tokenRevoke(input.data, input.id);
	return { json: { id: input.id, revoked: true }, text: `revoked ${input.id}` };
}
