// The fetch port over a registry or a mirror: http, https, or a tree of files. Refuses redirects, other answers than a file
// or "no such file", more bytes than asked for, and files outside the tree.
import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type FetchFile, tooLarge } from "#signing/tuf/fetch-port.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { type HttpOptions, openAnswer, parseAnswer, registryBase } from "./http.ts";
import { type Body, PACE, type Pace, readPaced } from "./paced-body.ts";
import { registryAddress } from "./registry.ts";

/** A registry to read: `base` names it in messages. */
export interface RegistryReader {
	readonly base: string;
	readonly fetch: FetchFile;
}

const ERROR_LIMIT = 64 * 1024;

/** The registry that flag, environment or configuration name; `file:///DIR` is a tree as `kfn mirror` writes it. */
export async function openRegistryReader(
	context: Context,
	flag: string | undefined,
): Promise<RegistryReader> {
	const address = await registryAddress(context, flag);
	if (address.startsWith("file:")) return folderReader(folderOf(address));
	return httpReader({
		base: registryBase(address),
		token: context.env.token,
		signal: context.signal,
		userAgent: `kfn/${context.version}`,
	});
}

export function httpReader(options: HttpOptions, pace: Pace = PACE): RegistryReader {
	const fetch: FetchFile = async (path, limit) => {
		const url = `${options.base}/v1/${path}`;
		const { statusCode, body } = await openAnswer(options, "GET", url);
		if (statusCode === 200)
			return readPaced(body as Body, url, limit, { pace, tooMuch: () => tooLarge(path, limit) });
		const answer = await readPaced(body as Body, url, ERROR_LIMIT, {
			pace,
			tooMuch: () => tooLarge(path, ERROR_LIMIT),
		});
		// Object stores say 403 of a file that is not there to somebody who may not list; a kfn registry's own 403 is a refusal.
		if (statusCode === 404 || (statusCode === 403 && !isRefusal(answer))) return missing(options.base, path);
		parseAnswer({ status: statusCode, body: answer });
		throw new CliError("CLI_REGISTRY_ANSWER", `the registry answered ${statusCode}`, { details: { url } });
	};
	return { base: options.base, fetch };
}

/** One file, unless the server still calls it `etag`: then "unchanged", a request and an answer of a few hundred bytes. */
export async function conditionalRead(
	options: HttpOptions,
	path: string,
	{ etag, limit }: { readonly etag: string | null; readonly limit: number },
): Promise<{ readonly bytes: Uint8Array; readonly etag: string | null } | "unchanged" | "missing"> {
	const url = `${options.base}/v1/${path}`;
	const { statusCode, headers, body } = await openAnswer(
		options,
		"GET",
		url,
		etag === null ? {} : { ifNoneMatch: etag },
	);
	if (statusCode === 304 && etag !== null) {
		await body.dump();
		return "unchanged";
	}
	const tooMuch = () => tooLarge(path, limit);
	const bytes = await readPaced(body as Body, url, Math.max(limit, ERROR_LIMIT), { pace: PACE, tooMuch });
	if (statusCode === 200) {
		if (bytes.byteLength > limit) throw tooMuch();
		const { etag: named } = headers;
		return {
			bytes,
			etag: typeof named === "string" && /^(W\/)?"[\x21\x23-\x7e]{1,200}"$/.test(named) ? named : null,
		};
	}
	if (statusCode === 404 || (statusCode === 403 && !isRefusal(bytes))) return "missing";
	parseAnswer({ status: statusCode, body: bytes });
	throw new CliError("CLI_REGISTRY_ANSWER", `the registry answered ${statusCode}`, { details: { url } });
}

/** The tree `DIR/v1/metadata/…`, `DIR/v1/targets/…`. */
export function folderReader(folder: string): RegistryReader {
	const base = `file://${folder}`;
	return {
		base,
		fetch: async (path, limit) => {
			const names = path.split("/").map(decodeURIComponent);
			if (names.some((name) => name === "" || name === "." || name === ".." || /[/\0]/.test(name))) {
				throw new CliError("CLI_REGISTRY_ANSWER", `the metadata names a file outside the mirror: ${path}`);
			}
			const file = join(folder, "v1", ...names);
			const found = statSync(file, { throwIfNoEntry: false });
			if (found === undefined) return missing(base, path);
			if (!found.isFile()) throw new CliError("CLI_REGISTRY_ANSWER", `${file} is not a file`);
			return readLimited(file, path, limit);
		},
	};
}

async function readLimited(file: string, path: string, limit: number): Promise<Uint8Array> {
	const chunks: Buffer[] = [];
	let size = 0;
	// `end` is inclusive: one byte more than may be there tells the two cases apart.
	for await (const chunk of createReadStream(file, { start: 0, end: limit })) {
		chunks.push(chunk as Buffer);
		size += (chunk as Buffer).length;
	}
	if (size > limit) throw tooLarge(path, limit);
	return Buffer.concat(chunks);
}

/** Every registry has a timestamp: where there is none, the address is wrong, and nobody attacks. */
function missing(base: string, path: string): "missing" {
	if (path !== "metadata/timestamp.json") return "missing";
	throw new CliError("CLI_REGISTRY_ANSWER", `${base} has no registry metadata`, {
		hint: "is this the address of a kfn registry or of a mirror of one?",
		details: { path: `v1/${path}` },
	});
}

function isRefusal(body: Uint8Array): boolean {
	try {
		const { error } = JSON.parse(Buffer.from(body).toString("utf8")) as { error?: { code?: unknown } };
		return typeof error?.code === "string" && error.code.startsWith("REGISTRY_");
	} catch {
		return false;
	}
}

function folderOf(address: string): string {
	try {
		return fileURLToPath(address).replace(/(?<=.)\/+$/, "");
	} catch (cause) {
		throw new CliError("CLI_USAGE", `not the address of a folder: ${address}`, {
			hint: "give file:///DIR",
			cause,
		});
	}
}
