// What the host relies on of kfn-load and the kernel, as one suite: run on the fake in fast tests and on the real ones in
// kernel tests. A rule that is not here must not be in the fake.
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import type { LoaderError } from "#host/errors.ts";
import { openHost } from "#host/host.ts";
import type { Loader } from "#host/loader.ts";
import { type HostLock, withLock } from "#host/lock.ts";
import { keyOf, mergeFunctions, type Plan, type PlanFunction } from "#host/plan.ts";
import { serializeRevoked } from "#host/recall/revoked.ts";
import { parseScope } from "#host/scope.ts";
import { importBundle } from "#host/store.ts";
import { planFunctionOf } from "#host/verified-bundle.ts";
import type { Revocation } from "#signing/revocation.ts";
import { type Samples, type SignedSample, signedSample, trustKeys } from "./host-world.ts";

/** A machine with one kfn root, fake or real. */
export interface LoaderWorld extends AsyncDisposable {
	readonly root: string;
	readonly loader: Loader;
	/** The same loader as a user without privileges starts it. */
	unprivileged(): Loader;
	/** Makes a named namespace and returns its file. */
	addNamespace(): Promise<string>;
	endNamespace(path: string): Promise<void>;
	attachForeign(path: string): Promise<void>;
	unmountBpffs(): Promise<void>;
}

/** Runs the contract; `samples` are signed by a key that the world's root trusts for the name "sample". */
export function loaderContract(
	name: string,
	open: () => Promise<LoaderWorld>,
	samplesOf: () => Samples,
): void {
	describe(`${name} keeps the contract with the host`, () => {
		test("attach, keep, replace, detach", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			const v1 = await stored(world, samplesOf().v1, blue);
			const v2 = await stored(world, samplesOf().v2, blue);
			expect(await steps(world, [v1])).toEqual(["attach"]);
			const [before] = (await world.loader.inspect([])).pins;
			expect(before).toMatchObject({
				function: "flow-dissector",
				scope: v1.scope,
				link: { alive: true, type: "netns" },
			});
			expect(before?.programs.map((program) => program.id)).toEqual([before?.pinnedProgramId]);
			expect(await steps(world, [v1])).toEqual(["keep"]);
			expect((await world.loader.inspect([])).pins).toMatchObject([
				{ pinnedProgramId: before?.pinnedProgramId },
			]);
			expect(await steps(world, [v2])).toEqual(["replace"]);
			const [after] = (await world.loader.inspect([])).pins;
			expect(after?.link).toMatchObject({ id: before?.link?.id, alive: true });
			expect(after?.pinnedProgramId).not.toBe(before?.pinnedProgramId);
			const gone = await world.loader.apply(plan([]), 2);
			expect(gone).toEqual({
				ok: true,
				functions: [],
				detached: [{ function: "flow-dissector", scope: v1.scope }],
				left: [],
			});
			expect(await world.loader.inspect([blue])).toEqual({ ok: true, pins: [], foreign: [] });
		});

		test("check answers like apply, and attaches nothing", async () => {
			await using world = await open();
			const { v1: sample } = samplesOf();
			const v1 = await stored(world, sample, await world.addNamespace());
			const { functions } = await world.loader.check(plan([v1]));
			expect(functions).toMatchObject([
				{
					...{ function: "flow-dissector", abi: 1, scope: v1.scope, tag: sample.tag, variant: "generic" },
					bundle: { name: "sample", version: "1.0.0", sha256: sample.sha256 },
					...{ verified: "loader", vectors: { run: 1 } },
				},
			]);
			expect((await world.loader.inspect([])).pins).toEqual([]);
			const [applied] = (await world.loader.apply(plan([v1]), 2)).functions;
			const { step, nanoseconds, ...same } = applied!;
			expect([same]).toEqual(functions);
			expect([step, typeof nanoseconds]).toEqual(["attach", "number"]);
			const [program] = functions[0]?.programs ?? [];
			expect(program?.insnsDigest?.slice(0, 16)).toBe(program?.kernelTag);
		});

		test("what is revoked is refused; where it may stay, it is taken off, and the others go on", async () => {
			await using world = await open();
			const [blue, red] = [await world.addNamespace(), await world.addNamespace()];
			const v1 = await stored(world, samplesOf().v1, blue);
			const v2 = await stored(world, samplesOf().v2, red);
			await steps(world, [v1, v2]);
			revoke(world, { ...v1, name: "another" }, { ...v1, state: "withdrawn" });
			expect(await steps(world, [v1, v2])).toEqual(["keep", "keep"]);
			revoke(world, { ...v1, name: "another" }, v1);
			await refuses(world.loader.check(plan([v1])), "LOAD_REVOKED", 3);
			await refuses(world.loader.apply(plan([v1, v2]), 2), "LOAD_REVOKED", 3);
			expect((await world.loader.inspect([])).pins).toHaveLength(2);
			const { functions, left } = await world.loader.apply(plan([v1, v2]), 2, [v1, v2]);
			expect(functions).toMatchObject([{ scope: v2.scope, step: "keep" }]);
			expect(left).toMatchObject([{ scope: v1.scope, running: false, error: { code: "LOAD_REVOKED" } }]);
			expect((await world.loader.inspect([])).pins).toMatchObject([{ scope: v2.scope }]);
			// Its namespace ended, or it was never attached: nothing to take off, and no reason to stop.
			await world.endNamespace(blue);
			expect((await world.loader.apply(plan([v1, v2]), 2, [v1, v2])).left).toHaveLength(1);
			const build = { builds: [{ version: "1.1.0", manifestSha256: v2.bundle.manifestSha256 }] };
			revoke(world, { ...v2, tag: `kfn1:${"0".repeat(64)}`, ...build });
			await refuses(world.loader.check(plan([v2])), "LOAD_REVOKED", 3);
		});

		test("a damaged memory of revocations lets nothing be loaded, and what runs stays", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			await steps(world, [v1]);
			revoke(world);
			writeFileSync(join(world.root, "var/lib/kfn/recall/revoked.json"), "{}\n");
			await refuses(world.loader.apply(plan([v1]), 2), "LOAD_REVOKED_INVALID", 3);
			const { left } = await world.loader.apply(plan([v1]), 2, [v1]);
			expect(left).toMatchObject([{ running: true, error: { code: "LOAD_REVOKED_INVALID" } }]);
			expect((await world.loader.apply(plan([]), 2)).detached).toHaveLength(1);
		});

		test("prove tells the verified program from another one, and from none", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			const v1 = await stored(world, samplesOf().v1, blue);
			const v2 = await stored(world, samplesOf().v2, blue);
			const proofOf = async (entry: PlanFunction) =>
				(await world.loader.prove(plan([entry]))).functions.map(({ proof, reason, error }) => [
					proof,
					reason ?? error?.code,
				]);
			expect(await proofOf(v1)).toEqual([["unknown", "LOAD_NOT_ACTIVE"]]);
			await steps(world, [v1]);
			expect(await proofOf(v1)).toEqual([["proved", undefined]]);
			expect(await proofOf(v2)).toEqual([["differs", "its kernel tag is another one"]]);
			expect((await world.loader.inspect([])).pins).toHaveLength(1);
		});

		test("watch counts while it hangs; what is not active cannot be watched", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			const v1 = await stored(world, samplesOf().v1, blue);
			await refuses(world.loader.watch([v1]), "LOAD_NOT_ACTIVE", 1);
			await steps(world, [v1]);
			const { functions } = await (await world.loader.watch([v1])).end();
			expect(functions).toMatchObject([{ function: "flow-dissector", scope: v1.scope, runs: 0 }]);
			expect([0, undefined]).toContain(functions[0]?.verdicts?.ok);
		});

		test("a link dies with its namespace, and its pin stays until the plan is applied", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			await steps(world, [await stored(world, samplesOf().v1, blue)]);
			await world.endNamespace(blue);
			// The kernel ends a namespace in a worker of its own (cleanup_net), some time after its last name is gone.
			const pins = async () => (await world.loader.inspect([])).pins;
			await expect.poll(pins, { timeout: 20_000 }).toMatchObject([{ link: { alive: false } }]);
			await world.loader.apply(plan([]), 2);
			expect((await world.loader.inspect([])).pins).toEqual([]);
		});

		test("one namespace that is gone fails the whole plan, and nothing changes", async () => {
			await using world = await open();
			const [blue, red] = [await world.addNamespace(), await world.addNamespace()];
			const v1 = await stored(world, samplesOf().v1, blue);
			await steps(world, [v1]);
			await world.endNamespace(red);
			const next = [await stored(world, samplesOf().v2, blue), await stored(world, samplesOf().v2, red)];
			await refuses(world.loader.apply(plan(next), 2), "LOAD_NETNS_GONE", 1);
			expect(await steps(world, [v1])).toEqual(["keep"]);
		});

		test("a foreign program is reported and never replaced", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			await world.attachForeign(blue);
			const v1 = await stored(world, samplesOf().v1, blue);
			await refuses(world.loader.apply(plan([v1]), 2), "LOAD_FOREIGN_PROGRAM", 1);
			const { pins, foreign } = await world.loader.inspect([blue]);
			expect(pins).toEqual([]);
			expect(foreign).toMatchObject([{ scope: `netns:${blue}`, hook: "flow_dissector", name: "foreign" }]);
		});

		test("without a bpffs only the empty plan applies", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			await world.unmountBpffs();
			await refuses(world.loader.apply(plan([v1]), 2), "LOAD_BPFFS_NOT_MOUNTED", 1);
			await refuses(world.loader.inspect([]), "LOAD_BPFFS_NOT_MOUNTED", 1);
			expect(await world.loader.apply(plan([]), 2)).toEqual({
				ok: true,
				functions: [],
				detached: [],
				left: [],
			});
		});

		test("without privileges nothing loads", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			await steps(world, [v1]);
			await refuses(world.unprivileged().check(plan([v1])), "LOAD_NO_PRIVILEGE", 1);
			await refuses(world.unprivileged().inspect([]), "LOAD_NO_PRIVILEGE", 1);
		});

		test("trust is checked again at loading: unsigned bundle, untrusted name", async () => {
			await using world = await open();
			const blue = await world.addNamespace();
			const unsigned = await stored(world, await signedSample({ version: "9.0.0" }), blue);
			await refuses(world.loader.check(plan([unsigned])), "LOAD_SIGNATURE_MISSING", 3);
			const v1 = await stored(world, samplesOf().v1, blue);
			trustKeys(world.root, ["other"], [samplesOf().key]);
			await refuses(world.loader.apply(plan([v1]), 2), "LOAD_PUBLISHERS_NO_MATCH", 3);
		});

		test("stored bytes are checked again at loading: object, manifest", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			const entry = join(world.root, "var/lib/kfn/store", v1.bundle.sha256);
			writeFileSync(join(entry, "obj/sample.bpf.o"), "not what was signed");
			await refuses(world.loader.check(plan([v1])), "LOAD_FILE_DIGEST", 3);
			rmSync(entry, { recursive: true });
			await stored(world, samplesOf().v1, v1.scope.slice("netns:".length));
			const other = { ...v1, bundle: { ...v1.bundle, manifestSha256: "0".repeat(64) } };
			await refuses(world.loader.check(plan([other])), "LOAD_MANIFEST_DIGEST", 3);
		});

		test("what may stay and cannot be proved runs on untouched; where it does not run, it is not loaded", async () => {
			await using world = await open();
			const [blue, red] = [await world.addNamespace(), await world.addNamespace()];
			const kept = await stored(world, samplesOf().v1, blue);
			await steps(world, [kept]);
			const [before] = (await world.loader.inspect([])).pins;
			const damaged = join(world.root, "var/lib/kfn/store", kept.bundle.sha256, "obj/sample.bpf.o");
			writeFileSync(damaged, "not what was signed");
			const other = await stored(world, samplesOf().v2, red);
			const next = plan([kept, other]);
			await refuses(world.loader.apply(next, 2), "LOAD_FILE_DIGEST", 3);
			await refuses(world.loader.apply(next, 2, [other]), "LOAD_FILE_DIGEST", 3);
			expect((await world.loader.check(next, [kept])).left).toMatchObject([
				{ scope: kept.scope, error: { code: "LOAD_FILE_DIGEST" } },
			]);
			const answer = await world.loader.apply(next, 2, [kept]);
			expect(answer.functions).toMatchObject([{ scope: other.scope, step: "attach" }]);
			expect(answer.left).toMatchObject([
				{ scope: kept.scope, running: true, error: { code: "LOAD_FILE_DIGEST" } },
			]);
			expect((await world.loader.inspect([])).pins).toContainEqual(before);
			await world.loader.apply(plan([other]), 2);
			const again = await world.loader.apply(next, 2, [kept, other]);
			expect(again.functions).toMatchObject([{ scope: other.scope, step: "keep" }]);
			expect(again.left).toMatchObject([{ scope: kept.scope, running: false }]);
			expect((await world.loader.inspect([blue])).pins).toMatchObject([{ scope: other.scope }]);
		});

		test("what may stay and meets a foreign program leaves it alone and does not stop the others", async () => {
			await using world = await open();
			const [blue, red] = [await world.addNamespace(), await world.addNamespace()];
			await world.attachForeign(blue);
			const blocked = await stored(world, samplesOf().v1, blue);
			const other = await stored(world, samplesOf().v1, red);
			const answer = await world.loader.apply(plan([blocked, other]), 2, [blocked]);
			expect(answer.functions).toMatchObject([{ scope: other.scope, step: "attach" }]);
			expect(answer.left).toMatchObject([
				{ scope: blocked.scope, running: false, error: { code: "LOAD_FOREIGN_PROGRAM" } },
			]);
			expect((await world.loader.inspect([blue])).foreign).toMatchObject([{ name: "foreign" }]);
		});

		test("no privilege is nobody's own failure: what may stay does not hide it", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			await refuses(world.unprivileged().check(plan([v1]), [v1]), "LOAD_NO_PRIVILEGE", 1);
		});

		test("replay answers each packet, and names a function that is not active", async () => {
			await using world = await open();
			const v1 = await stored(world, samplesOf().v1, await world.addNamespace());
			await steps(world, [v1]);
			const packet = Buffer.concat([Buffer.from([34, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(34, 0x45)]);
			const lines = await replayed(world, v1.function, v1.scope, packet);
			expect(lines.map((line) => Object.keys(JSON.parse(line)).sort())).toEqual([
				["out", "retval"],
				["ok", "packets"],
			]);
			expect(JSON.parse(lines[0]!).out).toMatch(/^[0-9a-f]{112}$/);
			await refuses(replayed(world, v1.function, "netns:/run/netns/none", packet), "LOAD_NOT_ACTIVE", 1);
		});

		test("the lock belongs to the open file, and a second one is refused", async () => {
			await using world = await open();
			const path = join(world.root, "lock");
			const [first, second] = [openSync(path, "w"), openSync(path, "w")];
			await world.loader.lock(first);
			await world.loader.lock(first);
			await refuses(world.loader.lock(second), "LOAD_LOCK_HELD", 1);
			closeSync(first);
			await world.loader.lock(second);
			closeSync(second);
		});
	});
}

async function replayed(world: LoaderWorld, fn: string, scope: string, input: Buffer): Promise<string[]> {
	const child = world.loader.replay(fn, scope);
	child.stdin.on("error", () => undefined);
	child.stdin.end(input);
	let text = "";
	for await (const chunk of child.stdout) text += String(chunk);
	const lines = text.split("\n").filter((line) => line !== "");
	await child.end(lines.at(-1) ?? "");
	return lines;
}

async function refuses(call: Promise<unknown>, code: string, exit: number): Promise<void> {
	const error = (await call.then(
		() => undefined,
		(thrown: unknown) => thrown,
	)) as LoaderError | undefined;
	expect({ code: error?.code, exit: error?.exit }).toEqual({ code, exit });
}

async function steps(world: LoaderWorld, functions: readonly PlanFunction[]): Promise<string[]> {
	return (await world.loader.apply(plan(functions), 2)).functions.map((entry) => entry.step);
}

/** Puts a sample into the store without asking whether it is trusted, and returns its line of a plan. */
async function stored(world: LoaderWorld, sample: SignedSample, namespace: string): Promise<PlanFunction> {
	const bundle = await openBundle(sample.archive);
	const host = openHost({ root: world.root, loader: world.loader });
	await withLock(host, "test", (lock: HostLock) => importBundle(lock, bundle));
	return planFunctionOf(bundle, parseScope(`netns:${namespace}`));
}

function plan(functions: readonly PlanFunction[]): Plan {
	const sorted = mergeFunctions([], new Map(functions.map((entry) => [keyOf(entry), entry])));
	return {
		schema: "kfn.plan/1",
		generation: 1,
		created: "2026-01-01T00:00:00.000Z",
		reason: "test",
		functions: sorted,
	};
}

/** What this host remembers is exactly this, by tag; of the sample's name unless given. */
function revoke(
	world: LoaderWorld,
	...revoked: readonly (Partial<Revocation> & { readonly tag: string })[]
): void {
	mkdirSync(join(world.root, "var/lib/kfn/recall"), { recursive: true });
	const records = revoked.map(({ name = "sample", state = "revoked", builds = [], tag }, i) => ({
		...{
			id: String(i).padStart(32, "0"),
			name,
			state,
			tags: [tag],
			builds,
			advisory: null,
			reason: "it is bad",
		},
		...{ issued: "2026-11-29T12:00:00Z", seen: "2026-11-29T12:00:01.000Z" },
	}));
	writeFileSync(join(world.root, "var/lib/kfn/recall/revoked.json"), serializeRevoked(records));
}
