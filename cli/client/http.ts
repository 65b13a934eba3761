// HTTP to a registry (undici): one request, one answer, every failure under its own code. Refuses answers larger than
// asked for, and redirects to anywhere; whether the bytes are the right ones is for who asked.

import { type Dispatcher, request } from "undici";
import { isRegistryErrorCode, REGISTRY_ERRORS, type RegistryErrorCode } from "#registry/api/errors.ts";
import type { ErrorDocument } from "#registry/api/wire.ts";
import { CliError } from "../errors.ts";
import { type Body, PACE, readPaced } from "./paced-body.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const BODY_IDLE_MS = 30_000;
const JSON_LIMIT = 8 * 1024 * 1024;

export interface HttpOptions {
	readonly base: string;
	readonly token: string | undefined;
	readonly signal: AbortSignal;
	readonly userAgent: string;
}

export interface Answer {
	readonly status: number;
	readonly body: Uint8Array;
}

/** Base URL without credentials, query and trailing slash: what may be shown, and what paths are added to. */
export function registryBase(text: string): string {
	let url: URL;
	try {
		url = new URL(text);
	} catch (cause) {
		throw new CliError("CLI_USAGE", `not a registry URL: ${text}`, {
			hint: "give http(s)://HOST[:PORT]",
			cause,
		});
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new CliError("CLI_USAGE", `a registry is read over http or https, not ${url.protocol}`);
	}
	if (url.username !== "" || url.password !== "") {
		throw new CliError("CLI_USAGE", "a registry URL carries no credentials", {
			hint: "put the token into KFN_TOKEN",
		});
	}
	return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** Sends one request and reads its whole body: at most `limit` bytes of what was asked for, JSON_LIMIT of a refusal. */
export async function exchange(
	options: HttpOptions,
	method: "GET" | "PUT" | "POST" | "DELETE",
	path: string,
	sent: { body?: Uint8Array; type?: string; limit?: number } = {},
): Promise<Answer> {
	const url = `${options.base}${path}`;
	const response = await openAnswer(options, method, url, sent);
	// A small file's limit is no limit for the words in which a server says that it has no such file.
	const limit = response.statusCode < 300 ? (sent.limit ?? JSON_LIMIT) : JSON_LIMIT;
	const body = await readPaced(response.body as Body, url, limit, {
		pace: PACE,
		tooMuch: () => tooMuch(url, limit),
	});
	return { status: response.statusCode, body };
}

function tooMuch(url: string, limit: number): CliError {
	return new CliError("CLI_REGISTRY_ANSWER", `the registry sends more than the ${limit} bytes it may`, {
		details: { url, limit },
	});
}

/** Sends one request; its answer's body is the caller's to read. CLI_REGISTRY_UNREACHABLE. Follows no redirect. */
export async function openAnswer(
	options: HttpOptions,
	method: "GET" | "PUT" | "POST" | "DELETE",
	url: string,
	sent: { body?: Uint8Array; type?: string; ifNoneMatch?: string } = {},
): Promise<Dispatcher.ResponseData> {
	try {
		return await request(url, {
			method,
			headers: {
				accept: "application/json, application/vnd.kfn.bundle",
				"user-agent": options.userAgent,
				...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
				...(sent.ifNoneMatch === undefined ? {} : { "if-none-match": sent.ifNoneMatch }),
				...(sent.body === undefined ? {} : { "content-type": sent.type ?? "application/json" }),
			},
			...(sent.body === undefined ? {} : { body: sent.body }),
			headersTimeout: CONNECT_TIMEOUT_MS,
			bodyTimeout: BODY_IDLE_MS,
			signal: options.signal,
		});
	} catch (cause) {
		throw new CliError("CLI_REGISTRY_UNREACHABLE", `the registry at ${options.base} does not answer`, {
			hint: "check the URL (--registry, KFN_REGISTRY, config.json) and that it is up",
			details: { reason: (cause as { code?: string }).code ?? (cause as Error).message },
			cause,
		});
	}
}

/** A registry's refusal, under the registry's own code (REGISTRY_…), so that callers compare one vocabulary. */
export class RegistryAnswerError extends Error {
	readonly code: RegistryErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(status: number, answer: ErrorDocument["error"]) {
		super(answer.message);
		this.name = "RegistryAnswerError";
		this.code = answer.code;
		this.hint = answer.hint;
		this.details = { ...answer.details, status };
	}

	get exit(): number {
		return REGISTRY_ERRORS[this.code].exit;
	}
}

/** Parses an answer's JSON; a refusal becomes RegistryAnswerError, anything not in the documented form CliError. */
export function parseAnswer(answer: Answer): unknown {
	let document: unknown;
	try {
		document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(answer.body));
	} catch (cause) {
		throw new CliError("CLI_REGISTRY_ANSWER", `the registry answered ${answer.status} without JSON`, {
			hint: "is this the address of a kfn registry?",
			cause,
		});
	}
	if (answer.status >= 200 && answer.status < 300) return document;
	const refusal = refusalOf(document);
	if (refusal !== undefined) throw new RegistryAnswerError(answer.status, refusal);
	throw new CliError("CLI_REGISTRY_ANSWER", `the registry answered ${answer.status} in an unknown form`, {
		hint: "is this the address of a kfn registry, and is this kfn recent enough for it?",
	});
}

function refusalOf(document: unknown): ErrorDocument["error"] | undefined {
	const error = (document as { error?: Record<string, unknown> } | null)?.error;
	if (typeof error !== "object" || error === null) return undefined;
	const { code, message, hint, details } = error;
	if (typeof code !== "string" || !isRegistryErrorCode(code) || typeof message !== "string") return undefined;
	return {
		code,
		message,
		...(typeof hint === "string" ? { hint } : {}),
		...(typeof details === "object" && details !== null
			? { details: details as Record<string, unknown> }
			: {}),
	};
}
