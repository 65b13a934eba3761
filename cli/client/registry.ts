// The registry as a place to publish to; it is read through trusted-source.ts. Which registry and token: flag, then
// environment, then etc/kfn/config.json. Refuses to guess an address.

import { BUNDLE_MEDIA_TYPE, type CosignedDocument, paths, STATEMENT_MEDIA_TYPE } from "#registry/api/wire.ts";
import { readConfiguration } from "../config-file.ts";
import { type Context, configPath } from "../context.ts";
import { CliError } from "../errors.ts";
import { exchange, type HttpOptions, parseAnswer, registryBase } from "./http.ts";

/** The address that flag, environment or configuration name, as it was written; CLI_NO_REGISTRY where none does. */
export async function registryAddress(context: Context, flag: string | undefined): Promise<string> {
	const text = flag ?? context.env.registry ?? readConfiguration(context).registry;
	if (text !== undefined) return text;
	throw new CliError("CLI_NO_REGISTRY", "no registry is configured", {
		hint: `give --registry URL, set KFN_REGISTRY, or write {"registry": "URL"} into ${configPath(context)}`,
	});
}

/** Opens the registry for writing: to publish, and to yank. */
export async function openRegistryClient(
	context: Context,
	flag: string | undefined,
): Promise<RegistryClient> {
	return new RegistryClient({
		base: registryBase(await registryAddress(context, flag)),
		token: context.env.token,
		signal: context.signal,
		userAgent: `kfn/${context.version}`,
	});
}

export class RegistryClient {
	readonly #options: HttpOptions;

	constructor(options: HttpOptions) {
		this.#options = options;
	}

	get description(): string {
		return this.#options.base;
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

	/** Publishes a statement's file; the same bytes again are fine. */
	async publishStatement(
		{ kind, name, id }: { kind: string; name: string; id: string },
		file: Uint8Array,
	): Promise<{ created: boolean }> {
		this.#requireToken("publish");
		const sent = { body: file, type: STATEMENT_MEDIA_TYPE };
		const answer = await exchange(this.#options, "PUT", paths.statement(kind, name, id), sent);
		parseAnswer(answer);
		return { created: answer.status === 201 };
	}

	/** Sends a checkpoint with a witness's cosignature back to its log. */
	async cosign(checkpoint: Uint8Array): Promise<CosignedDocument> {
		const sent = { body: checkpoint, type: "text/plain" };
		return parseCosigned(parseAnswer(await exchange(this.#options, "POST", paths.cosignatures(), sent)));
	}

	#requireToken(verb: string): void {
		if (this.#options.token !== undefined) return;
		throw new CliError("CLI_NO_TOKEN", `to ${verb}, the registry wants a token`, {
			hint: "put it into KFN_TOKEN (kfn registry token create makes one)",
		});
	}
}

function parseCosigned(answer: unknown): CosignedDocument {
	const { schema, size, cosigners, quorum } = (answer ?? {}) as Partial<CosignedDocument>;
	const isList = Array.isArray(cosigners) && cosigners.every((name) => typeof name === "string");
	if (schema === "kfn.cosigned/1" && Number.isInteger(size) && isList && Number.isInteger(quorum)) {
		return { schema, size: size!, cosigners: cosigners!, quorum: quorum! };
	}
	throw new CliError("CLI_REGISTRY_ANSWER", "the registry did not say what it made of the cosignature");
}
