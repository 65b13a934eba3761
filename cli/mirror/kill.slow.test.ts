// kfn import ended at every write, the writes of what the host trusts among them: the same host still reads the folder, old state
// or new, and the next run ends what was begun. By a failure at each point; by kill -9, with the real command line, at some.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHost } from "#host/host.ts";
import { run } from "#test/harness/command.ts";
import { TreeRegistry } from "#test/harness/tree-registry.ts";
import { pin } from "#test/harness/trust-world.ts";
import { exportTree } from "../ops/export.ts";
import { importTree } from "../ops/import.ts";
import { FolderTree } from "./folder-tree.ts";
import { codeOf, contextOf, copyOf, LOADER } from "./testing/copying.ts";
import { TIMESTAMP_PATH } from "./tree-path.ts";
import { rehearsedHead } from "./verified-head.ts";

const CLI = join(import.meta.dirname, "../../node_modules/.bin/kfn");

let folder: string;
let timestamps: readonly Uint8Array[];

const at = (name: string) => join(folder, name);
const treeOf = (root: string) => join(root, "var/lib/kfn/registry");
const doImport = (root: string, file: string, fault?: string) =>
	importTree(contextOf(root, { fault }), { file: at(file), to: undefined, prune: false });

/** Two states of a registry as exports, and a host, `template`, that has imported the first. */
beforeAll(async () => {
	folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kfn-kill-"));
	const made = await TreeRegistry.make();
	await made.publish("alpha", "1.0.0");
	for (const root of ["outside", "template"]) pin(at(root), made.files.get("v1/metadata/1.root.json")!);
	made.repository.writeTo(at("served"));
	const registry = `file://${at("served")}`;
	const outside = contextOf(at("outside"));
	await exportTree(outside, { file: at("first.tar"), since: undefined, registry });
	await doImport(at("template"), "first.tar");
	const first = made.files.get(TIMESTAMP_PATH)!;
	await made.publish("alpha", "1.1.0");
	made.repository.writeTo(at("served"));
	await exportTree(outside, { file: at("second.tar"), since: at("first.tar"), registry });
	timestamps = [first, made.files.get(TIMESTAMP_PATH)!];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Which of the two states the host has after `end`; it reads all of it by its own trust, and the next import ends it. */
async function stateAfter(root: string, end: () => Promise<unknown>): Promise<number> {
	rmSync(root, { recursive: true, force: true });
	cpSync(at("template"), root, { recursive: true, verbatimSymlinks: true });
	await end();
	const tree = new FolderTree(treeOf(root));
	const now = readFileSync(join(tree.folder, TIMESTAMP_PATH));
	const state = timestamps.findIndex((bytes) => now.equals(bytes));
	await copyOf(await rehearsedHead(openHost({ root, loader: LOADER }), tree), tree);
	await doImport(root, "second.tar");
	expect(readFileSync(join(tree.folder, TIMESTAMP_PATH)).equals(timestamps[1]!)).toBe(true);
	expect(tree.leftovers()).toEqual([]);
	return state;
}

test("a failure at each point", async () => {
	const seen = new Set<number>();
	let code = "";
	let point = 0;
	for (point = 1; code !== "no error"; point++) {
		const root = at("failing");
		const end = async () => {
			code = await codeOf(doImport(root, "second.tar", `${point}:fail`));
		};
		const state = await stateAfter(root, end);
		expect(state, `point ${point}`).toBeGreaterThanOrEqual(0);
		if (code !== "no error") seen.add(state);
	}
	expect(point).toBeGreaterThan(60);
	expect([...seen].sort()).toEqual([0, 1]);
}, 300_000);

test("kill -9 at some points", async () => {
	const states: number[] = [];
	for (let point = 5; point <= 65; point += 12) {
		const root = at("killed");
		const env = { ...process.env, KFN_ROOT: root, KFN_FAULT: `${point}:kill-before` };
		const end = async () => {
			const { signal } = await run(CLI, ["import", at("second.tar")], { env, allowFailure: true });
			expect(signal, `point ${point}`).toBe("SIGKILL");
		};
		states.push(await stateAfter(root, end));
	}
	expect(Math.min(...states)).toBe(0);
}, 300_000);
