// A host's reading of its registry (host/trust-state) under the command line that the public client conformance suite asks
// for (its CLIENT-CLI.md: init, refresh, download). Takes keys of every kind, as the suite signs with ECDSA and RSA; refuses
// whatever else a host refuses.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openTrustSession, type TrustSession } from "#host/trust-state/session.ts";
import { openArtifactFolder } from "./artifact-folder.ts";
import { type ClientHost, openClientHost } from "./client-host.ts";
import { httpFetch } from "./http-fetch.ts";

interface Arguments {
	readonly command: string | undefined;
	readonly operands: readonly string[];
	readonly values: Readonly<Record<string, string | string[] | undefined>>;
}

function parse(argv: readonly string[]): Arguments {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			"metadata-dir": { type: "string" },
			"metadata-url": { type: "string" },
			"target-name": { type: "string", multiple: true },
			"target-dir": { type: "string" },
			"target-base-url": { type: "string" },
		},
	});
	const [command, ...operands] = positionals;
	return { command, operands, values };
}

async function run(args: Arguments): Promise<void> {
	const host = openClientHost(required(args, "metadata-dir"));
	switch (args.command) {
		case "init":
			return init(host, args.operands);
		case "refresh":
			return refreshed(host, args, async () => {});
		case "download":
			return refreshed(host, args, (session) => download(session, args));
		default:
			throw new Error("the commands are init, refresh and download");
	}
}

function init(host: ClientHost, operands: readonly string[]): void {
	const [file] = operands;
	if (file === undefined) throw new Error("init takes the file of a trusted root");
	host.pin(new Uint8Array(readFileSync(file)));
}

/** The suite reads what is trusted also after a refusal. */
async function refreshed(
	{ host, publish }: ClientHost,
	args: Arguments,
	then: (session: TrustSession) => Promise<void>,
): Promise<void> {
	const fetch = httpFetch(required(args, "metadata-url"), optional(args, "target-base-url"));
	try {
		// A repository that is not kfn's has none of the documents that a host keeps beside the roles.
		const companions = async () => new Map<string, Uint8Array>();
		await then(await openTrustSession(host, { fetch, policy: "any", companions, keepDelegated: true }));
	} finally {
		publish();
	}
}

async function download(session: TrustSession, args: Arguments): Promise<void> {
	const artifacts = openArtifactFolder(required(args, "target-dir"));
	const names = args.values["target-name"];
	if (!Array.isArray(names)) throw new Error("download takes --target-name");
	for (const name of names) {
		const target = await session.find(name);
		if (await artifacts.holds(target)) continue;
		artifacts.keep(target, await session.download(target));
	}
}

function required(args: Arguments, name: string): string {
	const value = optional(args, name);
	if (value === undefined) throw new Error(`--${name} is needed`);
	return value;
}

function optional({ values }: Arguments, name: string): string | undefined {
	const value = values[name];
	return typeof value === "string" ? value : undefined;
}

async function main(): Promise<void> {
	try {
		await run(parse(process.argv.slice(2)));
	} catch (error) {
		const { code, message } = error as { code?: string; message: string };
		process.stderr.write(`kfn conformance client: ${code === undefined ? "" : `${code}: `}${message}\n`);
		process.exitCode = 1;
	}
}

await main();
