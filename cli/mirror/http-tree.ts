// A tree behind HTTP: a registry, or a mirror on any file server. Refuses what exchange() refuses: redirects, endless answers.
import { exchange, type HttpOptions, parseAnswer } from "../client/http.ts";
import { CliError } from "../errors.ts";
import type { TreeReader } from "./tree.ts";

export class HttpTree implements TreeReader {
	readonly #options: HttpOptions;

	constructor(options: HttpOptions) {
		this.#options = options;
	}

	get description(): string {
		return this.#options.base;
	}

	async read(path: string, limit: number): Promise<Uint8Array | undefined> {
		const answer = await exchange(this.#options, "GET", `/${path}`, { limit });
		if (answer.status === 200) return answer.body;
		if (answer.status === 404) return undefined;
		parseAnswer(answer);
		throw new CliError("CLI_REGISTRY_ANSWER", `${this.description} answers ${answer.status} to ${path}`);
	}
}
