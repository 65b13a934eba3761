// The registry as a Source (reads) and as a place to publish to (writes). Which registry and token: flag, then
// environment, then etc/kfn/config.json. Refuses to guess an address.

import { readFile } from "node:fs/promises";
import { BUNDLE_MEDIA_TYPE, type IndexDocument, paths } from "#registry/api/wire.ts";
import { type Context, configPath } from "../context.ts";
import { CliError } from "../errors.ts";
import { checkDigest, exchange, type HttpOptions, parseAnswer, registryBase } from "./http.ts";
import { parseIndexDocument } from "./index-document.ts";
import type { Source } from "./source.ts";

/** Settings of etc/kfn/config.json; a missing file is an empty configuration. */
async function configuredRegistry(context: Context): Promise<string | undefined> {
	const path = configPath(context);
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
	try {
		const { registry } = JSON.parse(text) as { registry?: unknown };
		if (registry === undefined || typeof registry === "string") return registry;
	} catch {
		// Falls through to the same refusal: a damaged configuration is not an empty one.
	}
	throw new CliError("CLI_USAGE", `${path} is not a configuration: expected {"registry": "http(s)://…"}`);
}

/** Opens the registry that flag, environment or configuration name. */
export async function openRegistryClient(
	context: Context,
	flag: string | undefined,
): Promise<RegistryClient> {
	const text = flag ?? context.env.registry ?? (await configuredRegistry(context));
	if (text === undefined) {
		throw new CliError("CLI_NO_REGISTRY", "no registry is configured", {
			hint: `give --registry URL, set KFN_REGISTRY, or write {"registry": "URL"} into ${configPath(context)}`,
		});
	}
	return new RegistryClient({
		base: registryBase(text),
		token: context.env.token,
		signal: context.signal,
		userAgent: `kfn/${context.version}`,
	});
}

export class RegistryClient implements Source {
	readonly #options: HttpOptions;

	constructor(options: HttpOptions) {
		this.#options = options;
	}

	get description(): string {
		return this.#options.base;
	}

	async index(name: string): Promise<IndexDocument> {
		const answer = await exchange(this.#options, "GET", paths.index(name));
		return parseIndexDocument(parseAnswer(answer), name);
	}

	async blob(digest: string, size: number): Promise<Uint8Array> {
		const answer = await exchange(this.#options, "GET", paths.blob(digest), { limit: size });
		if (answer.status !== 200) parseAnswer(answer);
		checkDigest(answer.body, digest, size);
		return answer.body;
	}

	/** Publishes an archive; the same bytes again are fine, other bytes under the same version are refused. */
	async publish(name: string, version: string, archive: Uint8Array): Promise<{ created: boolean }> {
		this.#requireToken("publish");
		const answer = await exchange(this.#options, "PUT", paths.bundle(name, version), {
			body: archive,
			type: BUNDLE_MEDIA_TYPE,
		});
		parseAnswer(answer);
		return { created: answer.status === 201 };
	}

	/** Hides a version from ranges (`reason` given) or shows it again (`reason` undefined); never deletes. */
	async yank(name: string, version: string, reason: string | undefined): Promise<void> {
		this.#requireToken("yank");
		const path = paths.yank(name, version);
		const answer =
			reason === undefined
				? await exchange(this.#options, "DELETE", path)
				: await exchange(this.#options, "POST", path, { body: Buffer.from(JSON.stringify({ reason })) });
		parseAnswer(answer);
	}

	#requireToken(verb: string): void {
		if (this.#options.token !== undefined) return;
		throw new CliError("CLI_NO_TOKEN", `to ${verb}, the registry wants a token`, {
			hint: "put it into KFN_TOKEN (kfn registry token create makes one)",
		});
	}
}
