// The demo's throw-away world: a folder, a KFN root with a bpffs of its own, two namespaces with a wire between them, and
// the registry as a process of its own. All of it is gone when the demo ends, also when it fails.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialiseTestTrust } from "#registry/testing/trust.ts";
import { parsePublicKeyFile } from "#signing/public-key.ts";
import { registerUndo } from "../harness/cleanup.ts";
import { endChild, waitForLine } from "../harness/command.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";
import { type Kfn, kfnIn } from "./kfn.ts";

export const TOP = join(import.meta.dirname, "../..");
const BINARY = join(TOP, "node_modules/.bin/kfn");

export interface World extends AsyncDisposable {
	readonly folder: string;
	readonly root: KfnRoot;
	readonly pair: VethPair;
	/** Where the functions go: the receiving end of the wire. */
	readonly scope: string;
	readonly kfn: Kfn;
	/** Starts the registry and lets `kfn` know its address. */
	startRegistry(): Promise<string>;
}

export async function openWorld(): Promise<World> {
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), "kfn-demo-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const root = stack.use(await openRoot("demo", { window: true }));
	const pair = stack.use(await openVethPair("demo"));
	const kfn = kfnIn(folder, BINARY, { KFN_ROOT: root.path, KFN_PASSPHRASE: "correct horse battery staple" });
	const owned = stack.move();
	return {
		folder,
		root,
		pair,
		scope: `netns:${pair.right.netns.path}`,
		kfn,
		async startRegistry() {
			const publisher = parsePublicKeyFile(readFileSync(join(folder, "publisher.key.pub"), "utf8"));
			const trust = await initialiseTestTrust(join(folder, "registry"), { publishers: [publisher] });
			writeFileSync(join(folder, "1.root.json"), trust.rootBytes);
			const args = ["registry", "serve", "--data", "registry", "--port", "0", "--json"];
			const child = spawn(BINARY, args, { cwd: folder, env: kfn.env, stdio: ["ignore", "pipe", "inherit"] });
			owned.defer(() => endChild(child));
			const { url } = JSON.parse(await waitForLine(child, /"url"/)) as { url: string };
			kfn.env["KFN_REGISTRY"] = url;
			return url;
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}
