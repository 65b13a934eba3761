// A host to run the real command line on: a root with a bpffs, two namespaces with a wire, a registry that has both
// versions of the flow dissector, and their publisher's key, which may speak for hardware, too. Everything goes when it is disposed of.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePcap } from "#host/capture/pcap.ts";
import { openRegistry } from "#registry/main.ts";
import { initialiseTestTrust } from "#registry/testing/trust.ts";
import { parsePublicKeyFile } from "#signing/public-key.ts";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { encapsulatedFrames } from "../harness/traffic.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";
import { CLI, PASSPHRASE } from "../sessions/world.ts";

export interface HostWorld extends AsyncDisposable {
	readonly folder: string;
	readonly root: KfnRoot;
	readonly pair: VethPair;
	/** The receiving end of the wire. */
	readonly scope: string;
	readonly registry: string;
	readonly env: NodeJS.ProcessEnv;
	/** Runs the command line in `folder`; never throws for an exit code. */
	kfn(...args: string[]): Promise<CommandResult>;
}

/** `pinned: false` leaves it to the test to pin the registry's root, which lies in the folder as 1.root.json. */
export async function openHostWorld(
	purpose: string,
	options: { readonly pinned?: boolean } = {},
): Promise<HostWorld> {
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), `kfn-${purpose}-`));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const root = stack.use(await openRoot(purpose));
	const pair = stack.use(await openVethPair(purpose));
	const env: NodeJS.ProcessEnv = { ...process.env, KFN_ROOT: root.path, KFN_PASSPHRASE: PASSPHRASE };
	const kfn = (...args: string[]) => run(CLI, args, { cwd: folder, env, allowFailure: true });
	await kfn("key", "generate", "--out", "publisher.key");
	const publisher = parsePublicKeyFile(readFileSync(join(folder, "publisher.key.pub"), "utf8"));
	const hardware = { issuer: "example", bus: "pci", vendor: "e9a1", devices: "all" } as const;
	const vendors = { vendors: [{ ...hardware, threshold: 1, keys: [publisher] }] };
	const trust = await initialiseTestTrust(join(folder, "registry"), { publishers: [publisher], vendors });
	writeFileSync(join(folder, "1.root.json"), trust.rootBytes);
	if (options.pinned !== false) await kfn("trust", "root", "pin", "1.root.json");
	const registry = await openRegistry({ dataDir: join(folder, "registry") });
	stack.defer(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
	const { token } = await registry.tokens.create({
		label: "test",
		names: "*",
		verbs: ["publish", "yank"],
		expiresAt,
	});
	Object.assign(env, { KFN_REGISTRY: url, KFN_TOKEN: token });
	await publishVersions(folder, kfn);
	writeFileSync(join(folder, "gre.pcap"), capture(pair));
	const owned = stack.move();
	const scope = `netns:${pair.right.netns.path}`;
	return {
		folder,
		root,
		pair,
		scope,
		registry: url,
		env,
		kfn,
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

async function publishVersions(folder: string, kfn: HostWorld["kfn"]): Promise<void> {
	const { before, after } = await layDissectorVersions(folder);
	const commands = [
		["build", before, "--key", "publisher.key"],
		["build", after, "--key", "publisher.key"],
		["publish", "flow-dissector-1.0.0.kfn"],
		["publish", "flow-dissector-1.0.1.kfn"],
	];
	for (const command of commands) {
		const { code, stderr } = await kfn(...command);
		if (code !== 0) throw new Error(`kfn ${command.join(" ")}: ${stderr}`);
	}
}

function capture(pair: VethPair): Uint8Array {
	const packets = encapsulatedFrames(pair).map(({ bytes }) => ({
		timestampNs: 0n,
		bytes,
		originalLength: bytes.length,
	}));
	return writePcap({ linkType: 1, packets });
}
