// A host whose device is one of our own making (nic.ts), with packages/tso built for it, in a namespace that goes with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { type NetworkNamespace, openNamespace } from "../harness/namespace.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { buildNic, DEVICE, type NicTools, openNic } from "./nic.ts";

const TOP = join(import.meta.dirname, "../..");
export const KFN = join(TOP, "node_modules/.bin/kfn");

export interface OffloadWorld extends AsyncDisposable {
	readonly folder: string;
	readonly root: KfnRoot;
	readonly netns: NetworkNamespace;
	readonly tools: NicTools;
	/** Runs the command line in `folder`; never throws for an exit code. */
	kfn(...args: string[]): Promise<CommandResult>;
}

/** With `tso` installed at the device, which is not there yet: `openNic` brings it. */
export async function openOffloadWorld(purpose: string): Promise<OffloadWorld> {
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), `kfn-${purpose}-`));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const root = stack.use(await openRoot(purpose));
	const netns = stack.use(await openNamespace(purpose));
	const env = { ...process.env, KFN_ROOT: root.path, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env, allowFailure: true });
	const tools = await buildNic(folder);
	await using _nic = await openNic(tools, netns);
	for (const command of [
		["key", "generate", "--out", "publisher.key"],
		["build", join(TOP, "packages/tso"), "--key", "publisher.key"],
		["trust", "add", "tso", "--key", "publisher.key.pub"],
		["install", "tso-1.0.0.kfn", "--scope", `dev:${DEVICE}@${netns.path}`],
	]) {
		const { code, stderr } = await kfn(...command);
		if (code !== 0) throw new Error(`kfn ${command.join(" ")}: ${stderr}`);
	}
	const owned = stack.move();
	return { folder, root, netns, tools, kfn, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
