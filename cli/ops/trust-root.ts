// kfn trust root, kfn trust recover: the registry's root that this host has pinned, and starting again from it. Refuses to take
// a root that nobody vouched for: a file that the operator names, or a fingerprint.
import { withLock } from "#host/lock.ts";
import { loggedDocuments } from "#host/trust-state/log.ts";
import { readPin } from "#host/trust-state/pin.ts";
import { fetchRootOf, pinRoot, recoverTrust } from "#host/trust-state/pinning.ts";
import { trustStatus } from "#host/trust-state/report.ts";
import { openRegistryReader } from "../client/registry-fetch.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";
import { trustText } from "../output/trust.ts";

const ROOT_LIMIT = 512_000;

export async function trustRootPin(
	context: Context,
	input: {
		file: string | undefined;
		fingerprint: string | undefined;
		replace: boolean;
		registry: string | undefined;
	},
): Promise<Output> {
	const bytes = await namedRoot(context, input);
	const { changed, pin } = await withLock(openContextHost(context), "trust root pin", (lock) =>
		pinRoot(lock, bytes, { replace: input.replace }),
	);
	const { version, expires, fingerprint } = pin.root;
	const document = { changed, path: pin.path, version, expires, fingerprint };
	const done = changed ? "pinned" : "already pinned:";
	return { json: document, text: `${done} root ${version}, fingerprint ${fingerprint}` };
}

async function namedRoot(
	context: Context,
	{
		file,
		fingerprint,
		registry,
	}: { file: string | undefined; fingerprint: string | undefined; registry: string | undefined },
): Promise<Uint8Array> {
	if ((file === undefined) === (fingerprint === undefined)) {
		throw new CliError("CLI_USAGE", "name the root's file, or its fingerprint", {
			hint: "kfn trust root pin FILE, or kfn trust root pin --fingerprint HEX --registry URL",
		});
	}
	if (file !== undefined) return readInput(file, ROOT_LIMIT);
	const hex = fingerprint!.toLowerCase();
	if (!/^[0-9a-f]{64}$/.test(hex)) {
		throw new CliError("CLI_USAGE", "a fingerprint is the 64 hex digits of a root's sha256");
	}
	return fetchRootOf(hex, await openRegistryReader(context, registry));
}

export async function trustRootShow(context: Context): Promise<Output> {
	const host = openContextHost(context);
	const pin = readPin(host);
	const { version, expires, fingerprint, roles } = pin.root;
	const status = trustStatus(host);
	const document = { path: pin.path, pinnedBy: pin.by, version, expires, fingerprint, roles, trust: status };
	const rows = columns([
		["file", pin.path],
		["fingerprint", fingerprint],
		["version", `${version}, expires ${expires}`],
		...Object.entries(roles).map(([role, { keyids, threshold }]) => [
			role,
			`${threshold} of ${keyids.length}: ${keyids.join(" ")}`,
		]),
	]);
	return { json: document, text: [rows, trustText(status)].join("\n") };
}

export async function trustRecover(
	context: Context,
	input: { registry: string | undefined },
): Promise<Output> {
	const { fetch } = await openRegistryReader(context, input.registry);
	const host = openContextHost(context);
	await recoverTrust(host, { fetch, policy: "ed25519", companions: loggedDocuments(fetch) });
	const status = trustStatus(host);
	return { json: { trust: status }, text: trustText(status) };
}
