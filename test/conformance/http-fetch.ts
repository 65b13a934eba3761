// The client's port to a repository over real HTTP, with kfn's own HTTP code: one URL for metadata, another for targets.
// Refuses redirects, more bytes than were asked for, and to take any answer but 404 for "no such file".

import { exchange, registryBase } from "#cli/client/http.ts";
import { CliError } from "#cli/errors.ts";
import { type FetchFile, tooLarge } from "#signing/tuf/fetch-port.ts";

export function httpFetch(metadataUrl: string, targetsUrl: string | undefined): FetchFile {
	const bases: Readonly<Record<string, string | undefined>> = { metadata: metadataUrl, targets: targetsUrl };
	return async (path, maxLength) => {
		const [kind, name] = splitOnce(path, "/");
		const base = bases[kind];
		if (base === undefined) throw new Error(`no base URL for ${kind} was given`);
		const { status, body } = await get(registryBase(base), `/${name}`, maxLength);
		if (status === 404) return "missing";
		if (status !== 200) throw new Error(`the repository answered ${status} to ${path}`);
		return body;
	};
}

async function get(base: string, path: string, limit: number): ReturnType<typeof exchange> {
	const signal = new AbortController().signal;
	try {
		return await exchange({ base, token: undefined, signal, userAgent: "kfn-conformance" }, "GET", path, {
			limit,
		});
	} catch (error) {
		if (error instanceof CliError && error.code === "CLI_REGISTRY_ANSWER") throw tooLarge(path, limit);
		throw error;
	}
}

function splitOnce(text: string, at: string): readonly [string, string] {
	const index = text.indexOf(at);
	return [text.slice(0, index), text.slice(index + 1)];
}
