// The whole life of a function on the real kernel, seen through kfn and, independently, through bpftool.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { run } from "#test/harness/command.ts";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { LOADER, openRealWorld } from "#test/harness/loader-world.ts";
import { type Host, openHost } from "./host.ts";
import { install } from "./install.ts";
import { spawnLoader } from "./loader.ts";
import { withLock } from "./lock.ts";
import { emptyPlan } from "./plan.ts";
import { remove } from "./remove.ts";
import { replay } from "./replay.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeEach((context) => skipUnlessKernel(context));
beforeAll(async () => {
	samples = await makeSamples();
});

const add = (host: Host, scope: string, bundle = samples.v1.archive) =>
	withLock(host, "install", (lock) => install(lock, { bundle, scope }));

test("install, upgrade, roll back, remove --purge: bpftool sees each, and nothing is left", async () => {
	await using world = await openRealWorld(samples.key);
	const path = await world.addNamespace();
	const scope = `netns:${path}`;
	const host = openHost({ root: world.root, loader: LOADER });
	expect(await status(host)).toMatchObject({ generation: 0, health: "good", functions: [] });
	expect(await attached(path)).toEqual([]);
	expect(await add(host, scope)).toMatchObject({
		changed: true,
		generation: 1,
		functions: [{ step: "attach" }],
	});
	const first = await expectRunning(host, path, "1.0.0");
	expect(await add(host, scope)).toMatchObject({ changed: false, generation: 1 });
	expect(await attached(path)).toEqual([first]);
	const up = await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
	expect(up).toMatchObject({
		generation: 2,
		functions: [{ step: "replace", from: "1.0.0", verified: "loader" }],
	});
	expect(up.functions[0]?.nanoseconds).toBeGreaterThan(0);
	const second = await expectRunning(host, path, "1.1.0");
	expect(second).not.toBe(first);
	expect(await offsets(host)).toEqual([24]);
	const back = await withLock(host, "rollback", (lock) => rollback(lock));
	expect(back).toMatchObject({ generation: 3, functions: [{ step: "replace", version: "1.0.0" }] });
	await expectRunning(host, path, "1.0.0");
	expect(await offsets(host)).toEqual([20]);
	const gone = await withLock(host, "remove", (lock) => remove(lock, { name: "sample", purge: true }));
	expect(gone).toMatchObject({
		purged: true,
		generation: 0,
		detached: [{ bundle: "sample", version: "1.0.0" }],
	});
	expect(await attached(path)).toEqual([]);
	expect(existsSync(host.layout.state)).toBe(false);
	expect(existsSync(host.layout.pins)).toBe(false);
});

test("in a namespace, its name is the default scope", async () => {
	await using world = await openRealWorld(samples.key);
	const path = await world.addNamespace();
	const code = `import { defaultScope, kernelNamespaces } from ${JSON.stringify(join(import.meta.dirname, "scope.ts"))};
		try { console.log(defaultScope(kernelNamespaces)); } catch (error) { console.log(error.code); }`;
	const node = [process.execPath, "--input-type=module", "-e", code] as const;
	const named = await run("ip", ["netns", "exec", path.slice("/run/netns/".length), ...node]);
	expect(named.stdout).toBe(`netns:${path}\n`);
	expect((await run("unshare", ["--net", ...node])).stdout).toBe("HOST_SCOPE_UNNAMED\n");
	// In a process namespace of its own, the caller is pid 1.
	const asInit = ["--pid", "--fork", "--mount-proc", ...node];
	expect((await run("unshare", asInit)).stdout).toBe("netns:root\n");
});

test("a namespace that ended: drift, and neither other functions nor the way back are blocked", async () => {
	await using world = await openRealWorld(samples.key);
	const [blue, red] = [await world.addNamespace(), await world.addNamespace()];
	const host = openHost({ root: world.root, loader: LOADER });
	await add(host, `netns:${blue}`);
	await add(host, `netns:${red}`);
	await world.endNamespace(blue);
	const seen = await status(host);
	expect(seen).toMatchObject({
		health: "drift",
		drift: [{ kind: "namespace-gone", scope: `netns:${blue}` }],
	});
	const up = await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
	const stepOf = Object.fromEntries(up.functions.map((entry) => [entry.scope, entry.step]));
	expect(stepOf).toEqual({ [`netns:${blue}`]: "absent", [`netns:${red}`]: "replace" });
	await expectRunning(host, red, "1.1.0", 1);
	await withLock(host, "rollback", (lock) => rollback(lock));
	await expectRunning(host, red, "1.0.0", 1);
	const named = withLock(host, "upgrade", (lock) =>
		upgrade(lock, { bundle: samples.v2.archive, scope: `netns:${blue}` }),
	);
	await expect(named).rejects.toMatchObject({ code: "LOAD_NETNS_GONE", exit: 1 });
	await withLock(host, "remove", (lock) => remove(lock, { name: "sample", scope: `netns:${blue}` }));
	expect(await status(host)).toMatchObject({ health: "good", functions: [{ scope: `netns:${red}` }] });
	const fresh = add(host, "netns:/run/netns/kfn-host-never");
	await expect(fresh).rejects.toMatchObject({ code: "LOAD_NETNS_GONE", exit: 1 });
});

test("bpffs not mounted: the loader's code, before anything was changed", async () => {
	await using world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const host = openHost({ root: world.root, loader: LOADER });
	await world.unmountBpffs();
	await expect(add(host, scope)).rejects.toMatchObject({ code: "LOAD_BPFFS_NOT_MOUNTED", exit: 1 });
	expect(await status(host)).toMatchObject({ generation: 0, health: "good", drift: [] });
	expect(readdirSync(host.layout.generations)).toEqual([]);
	expect(existsSync(host.layout.journal)).toBe(false);
});

test("a foreign dissector: the loader's code, and status shows the program that holds the hook", async () => {
	await using world = await openRealWorld(samples.key);
	const path = await world.addNamespace();
	const scope = `netns:${path}`;
	const host = openHost({ root: world.root, loader: LOADER });
	await world.attachForeign(path);
	await expect(add(host, scope)).rejects.toMatchObject({ code: "LOAD_FOREIGN_PROGRAM", exit: 1 });
	expect(await status(host)).toMatchObject({ generation: 0, functions: [] });
	await run("ip", [
		"netns",
		"exec",
		path.slice(11),
		"bpftool",
		"prog",
		"detach",
		"id",
		String((await attached(path))[0]),
		"flow_dissector",
	]);
	await add(host, scope);
	// Somebody takes our program off and puts theirs there.
	await spawnLoader(LOADER, world.root).apply(emptyPlan(), 2);
	await world.attachForeign(path);
	const { health, functions, drift } = await status(host);
	expect({ health, running: functions[0]?.running }).toEqual({ health: "drift", running: false });
	expect(drift.map((entry) => entry.kind)).toEqual(["not-pinned", "foreign-program"]);
});

test("pins that something removed: drift, and installing the same bundle attaches it again", async () => {
	await using world = await openRealWorld(samples.key);
	const path = await world.addNamespace();
	const scope = `netns:${path}`;
	const host = openHost({ root: world.root, loader: LOADER });
	await add(host, scope);
	await spawnLoader(LOADER, world.root).apply(emptyPlan(), 2);
	expect(await status(host)).toMatchObject({ health: "drift", drift: [{ kind: "not-pinned" }] });
	expect(await add(host, scope)).toMatchObject({
		changed: false,
		generation: 1,
		functions: [{ step: "attach" }],
	});
	await expectRunning(host, path, "1.0.0");
});

test("a stored object that was tampered with never loads, and installing the same bundle repairs it", async () => {
	await using world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const host = openHost({ root: world.root, loader: LOADER });
	await add(host, scope);
	await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
	const object = join(host.layout.storeEntry(samples.v1.sha256), "obj/sample.bpf.o");
	const bytes = readFileSync(object);
	bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
	writeFileSync(object, bytes);
	const back = withLock(host, "rollback", (lock) => rollback(lock));
	await expect(back).rejects.toMatchObject({ code: "LOAD_FILE_DIGEST", exit: 3 });
	expect(await status(host)).toMatchObject({
		generation: 2,
		health: "good",
		functions: [{ version: "1.1.0" }],
	});
	rmSync(object);
	await withLock(host, "remove", (lock) => remove(lock, { name: "sample" }));
	await add(host, scope);
	expect(await status(host)).toMatchObject({
		generation: 4,
		health: "good",
		functions: [{ version: "1.0.0" }],
	});
});

/** Ids of the dissectors that bpftool finds attached in a namespace. */
async function attached(path: string): Promise<number[]> {
	const name = path.slice("/run/netns/".length);
	// Its JSON of this list is malformed up to 7.1; its text is not.
	const { stdout } = await run("ip", ["netns", "exec", name, "bpftool", "net", "show"]);
	const [, list] = stdout.split("flow_dissector:");
	return [...(list ?? "").matchAll(/^id (\d+)/gm)].map(([, id]) => Number(id));
}

/** Demands that status and bpftool agree on the one program that runs; returns its id. */
async function expectRunning(host: Host, path: string, version: string, drift = 0): Promise<number> {
	const seen = await status(host);
	expect(seen.drift).toHaveLength(drift);
	const entry = seen.functions.find((candidate) => candidate.scope === `netns:${path}`);
	expect(entry).toMatchObject({ version, running: true, verified: "loader", bundle: "sample" });
	const ids = await attached(path);
	expect(entry?.programs.map((program) => program.id)).toEqual(ids);
	return ids[0]!;
}

/** What the running program says of one packet: its transport offset minus its network offset. */
async function offsets(host: Host): Promise<number[]> {
	const data = Buffer.alloc(64);
	data.writeUInt16BE(0x0800, 12);
	const found: number[] = [];
	for await (const { retval, out } of replay(host, { function: "flow-dissector", packets: [{ data }] })) {
		expect(retval).toBe(0);
		found.push(out.readUInt16LE(2) - out.readUInt16LE(0));
	}
	return found;
}
