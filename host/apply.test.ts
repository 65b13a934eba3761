// kfn apply on a fake kernel: what stays, what comes, what goes, what is refused and of which entry, and that all of it is one change.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Config } from "#bundle/config.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { applyState, dryRun } from "./apply.ts";
import { type DesiredEntry, rangeToFetch } from "./apply-plan.ts";
import { parseDesiredState } from "./desired-state.ts";
import { currentGeneration, readCurrentPlan } from "./generations.ts";
import { hold } from "./holds.ts";
import { install } from "./install.ts";
import { rollback } from "./rollback.ts";
import { parseScope } from "./scope.ts";
import { status } from "./status.ts";
import { storedDigests } from "./store.ts";
import { readMark } from "./trust-state/mark.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/state.md"), "utf8");
const example = (name: string) => new RegExp(`\`\`\`json ${name}\n(.*?)\`\`\``, "s").exec(PAGE)?.[1] ?? "";
let key: SecretKey;
let v1: SignedSample;
let v2: SignedSample;
let rival: SignedSample;

beforeAll(async () => {
	key = await generateKeyPair("test");
	v1 = await signedSample({ version: "1.0.0", offset: 20, places: 2, signers: [key] });
	v2 = await signedSample({ version: "1.1.0", offset: 24, places: 2, signers: [key] });
	rival = await signedSample({ name: "rival", version: "3.0.0", offset: 28, signers: [key] });
});

function open(): FakeHost {
	const fake = openFakeHost({ key });
	trustKeys(fake.host.layout.root, ["sample", "rival"], [key]);
	return fake;
}

interface Wish {
	readonly scope: string;
	readonly version?: string;
	readonly set?: Config;
	/** What was fetched; nothing where the active version shall stay. */
	readonly of?: SignedSample;
	readonly raisesFloor?: boolean;
}

function wish({
	scope,
	of,
	set = {},
	version = of?.version ?? "*",
	raisesFloor = false,
}: Wish): DesiredEntry {
	const offered = of === undefined ? undefined : { archive: of.archive, permits: {}, raisesFloor };
	return { bundle: of?.name ?? "sample", version, scope: parseScope(scope), set, offered };
}

const apply = (fake: FakeHost, ...wishes: Wish[]) =>
	fake.locked((lock) => applyState(lock, { entries: wishes.map(wish) }));
const dry = (fake: FakeHost, ...wishes: Wish[]) => dryRun(fake.host, { entries: wishes.map(wish) });
const add = (fake: FakeHost, bundle: SignedSample, scope: string) =>
	fake.locked((lock) => install(lock, { bundle: bundle.archive, scope }));

test("additions, swaps and removals are one change, and the same state again is none", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	await add(fake, v1, "netns:/run/netns/red");
	fake.kernel.addNamespace("/run/netns/green");
	const report = await apply(fake, { scope: BLUE, of: v2 }, { scope: "netns:/run/netns/green", of: v1 });
	expect(report).toMatchObject({
		...{ changed: true, previous: 2, generation: 3, reason: "apply a state: 1 added, 1 changed, 1 removed" },
		functions: [
			{ scope: BLUE, version: "1.1.0", step: "replace", from: "1.0.0" },
			{ scope: "netns:/run/netns/green", step: "attach" },
		],
		detached: [{ scope: RED, version: "1.0.0" }],
	});
	const again = await apply(fake, { scope: BLUE }, { scope: "netns:/run/netns/green", version: "1.0.0" });
	expect(again).toMatchObject({
		changed: false,
		generation: 3,
		functions: [{ step: "keep" }, { step: "keep" }],
	});
	expect(await apply(fake)).toMatchObject({ generation: 4, reason: "apply a state: 2 removed" });
	expect(fake.kernel.running()).toEqual([]);
});

test("parameters become those of the state, the defaults included, from what is stored", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	expect(await apply(fake, { scope: BLUE, set: { ports: [7], depth: 2 } })).toMatchObject({ generation: 2 });
	expect(readCurrentPlan(fake.host).functions[0]?.config).toEqual({ depth: 2, ports: [7] });
	expect(await apply(fake, { scope: BLUE, set: { ports: [7] } })).toMatchObject({ generation: 3 });
	expect(readCurrentPlan(fake.host).functions[0]?.config).toEqual({ depth: 1, ports: [7] });
	for (const set of [{ prots: [7] }, { ports: [1, 2, 3] }]) {
		await expect(apply(fake, { scope: BLUE, set })).rejects.toMatchObject({
			code: expect.stringMatching(/^BUNDLE_CONFIG_/),
			message: expect.stringMatching(/^functions\[0\], sample in netns:\/run\/netns\/blue: /),
			details: { entry: { index: 0, bundle: "sample", scope: BLUE } },
		});
	}
	expect(currentGeneration(fake.host)).toBe(3);
});

test("what something else detached is attached again without a new generation", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	fake.kernel.reboot();
	expect(await apply(fake, { scope: BLUE })).toMatchObject({
		changed: false,
		functions: [{ step: "attach" }],
	});
	expect(await status(fake.host)).toMatchObject({ health: "good", generation: 1 });
});

test("a dry run says the same as the page, and writes nothing", async () => {
	using fake = open();
	const state = () => [fake.kernel.read(), currentGeneration(fake.host), storedDigests(fake.host)];
	await apply(fake, { scope: BLUE, of: v1 }, { scope: RED, of: v1 });
	const before = state();
	const report = await dry(fake, { scope: BLUE, of: v2 });
	expect({ ...report, steps: report.steps.slice(0, 1) }).toEqual(JSON.parse(example("dry-run")));
	expect(report.steps.map(({ step }) => step).join(" ")).toMatch(
		/^import preflight write journal apply .* log$/,
	);
	expect(state()).toEqual(before);
	expect(await dry(fake, { scope: BLUE }, { scope: RED })).toMatchObject({
		...{ changed: false, generation: 1, previous: 1, steps: [] },
		functions: [{ step: "keep" }, { step: "keep" }],
	});
});

test("another bundle may take a function over; two in one state may not have it", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	const both = apply(fake, { scope: BLUE }, { scope: BLUE, of: rival });
	await expect(both).rejects.toMatchObject({
		code: "HOST_FUNCTION_TAKEN",
		message: /^functions\[1\], rival in .*: sample \(functions\[0\]\) provides flow-dissector there/,
	});
	expect(await apply(fake, { scope: BLUE, of: rival })).toMatchObject({
		functions: [{ bundle: "rival", version: "3.0.0", step: "replace", from: "1.0.0" }],
	});
});

describe("conflicts are explained before anything is written", () => {
	test.each<[string, string, (fake: FakeHost) => void, Wish[]]>([
		[
			"HOST_FOREIGN_PROGRAM",
			"a program of somebody else",
			(fake) => fake.kernel.attachForeign("/run/netns/blue"),
			[{ scope: BLUE }],
		],
		[
			"HOST_NETNS_GONE",
			"no namespace",
			(fake) => fake.kernel.endNamespace("/run/netns/blue"),
			[{ scope: BLUE }],
		],
		["HOST_SCOPE_CONFLICT", "root and another", () => undefined, [{ scope: "netns:root" }, { scope: BLUE }]],
		[
			"HOST_HOOK_TAKEN",
			"one namespace by two names",
			(fake) =>
				fake.kernel.change((state) => {
					state.namespaces["/run/netns/azure"] = state.namespaces["/run/netns/blue"]!;
				}),
			[{ scope: BLUE }, { scope: "netns:/run/netns/azure" }],
		],
	])("%s: %s", async (code, _what, prepare, wishes) => {
		using fake = open();
		prepare(fake);
		const withBundles = wishes.map((entry) => ({ ...entry, of: v1 }));
		await expect(dry(fake, ...withBundles)).rejects.toMatchObject({ code, exit: 1 });
		const refused = apply(fake, ...withBundles);
		await expect(refused).rejects.toMatchObject({ code, details: { entry: { bundle: "sample" } } });
		expect(currentGeneration(fake.host)).toBe(0);
		expect(storedDigests(fake.host)).toEqual([]);
	});
});

test("floors, signatures and holds count as in install and upgrade, and name the entry", async () => {
	using fake = open();
	await apply(fake, { scope: BLUE, of: v2, raisesFloor: true });
	expect(readMark(fake.host).bundles["sample"]?.floor).toBe("1.1.0");
	await expect(apply(fake, { scope: BLUE, of: v1 })).rejects.toMatchObject({
		code: "HOST_DOWNGRADE",
		details: { leaving: ["1.1.0"], entry: { index: 0 } },
	});
	await expect(apply(fake, { scope: BLUE }, { scope: RED, of: v1 })).rejects.toMatchObject({
		code: "HOST_DOWNGRADE",
		details: { entry: { index: 1 } },
	});
	const unsigned = await signedSample({ version: "2.0.0" });
	await expect(apply(fake, { scope: BLUE, of: unsigned })).rejects.toMatchObject({
		code: "SIGNATURE_MISSING",
	});
	await fake.locked((lock) => hold(lock, { name: "sample" }));
	const newer = await signedSample({ version: "2.0.0", signers: [key] });
	await expect(apply(fake, { scope: BLUE, of: newer })).rejects.toMatchObject({ code: "HOST_HELD" });
	await expect(apply(fake, { scope: BLUE, of: newer, version: "^3.0" })).rejects.toMatchObject({
		code: "HOST_OTHER_BUNDLE",
	});
	expect(currentGeneration(fake.host)).toBe(1);
});

test("a lower version that a rollback brought back stays without a permit, and its floor stays where it is", async () => {
	using fake = open();
	await apply(fake, { scope: BLUE, of: v1, raisesFloor: true });
	await apply(fake, { scope: BLUE, of: v2, raisesFloor: true });
	await fake.locked((lock) => rollback(lock));
	expect(await apply(fake, { scope: BLUE, set: { depth: 4 } })).toMatchObject({
		generation: 4,
		permit: null,
	});
	expect(readMark(fake.host).bundles["sample"]?.floor).toBe("1.1.0");
});

test("what is fetched: nothing where the active version fits; a hold narrows the range", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	const fetchFor = (version: string, scope: string) =>
		rangeToFetch(fake.host, readCurrentPlan(fake.host), wish({ version, scope }));
	expect(fetchFor("^1.0", BLUE)).toBeUndefined();
	expect(fetchFor("^1.1", BLUE)).toBe("^1.1");
	expect(fetchFor("^1.0", RED)).toBe("^1.0");
	await fake.locked((lock) => hold(lock, { name: "sample" }));
	expect(fetchFor("^1.0", RED)).toBe("1.0.0");
	expect(fetchFor("^1.1", RED)).toBe("^1.1");
	await fake.locked((lock) => hold(lock, { name: "sample", version: "1.1.0" }));
	expect(fetchFor(">=1.1", BLUE)).toBe("1.1.0");
});

test("what the store has lost stays as it runs, and does not stop the rest", async () => {
	using fake = open();
	await add(fake, v1, BLUE);
	rmSync(fake.host.layout.storeEntry(v1.sha256), { recursive: true });
	const report = await apply(fake, { scope: BLUE }, { scope: RED, of: v2 });
	expect(report).toMatchObject({ generation: 2, functions: [{ step: "keep" }, { step: "attach" }] });
	expect(report.warnings.join()).toMatch(/stays as it is: the store cannot say/);
});

describe("kfn.state/1", () => {
	test("is read as the page shows it", () => {
		expect(parseDesiredState(Buffer.from(example("state"))).functions).toEqual([
			{ bundle: "flow-dissector", version: "^1.0", scope: BLUE, set: { vxlan_ports: [4789] } },
			{ bundle: "flow-dissector", version: "*", scope: RED, set: {} },
		]);
	});

	const file = (...functions: unknown[]) => JSON.stringify({ schema: "kfn.state/1", functions });
	const one = { bundle: "sample", scope: BLUE };
	test.each<[string, string]>([
		["nothing", ""],
		["no schema", '{"functions":[]}'],
		["another schema", '{"schema":"kfn.state/2","functions":[]}'],
		["a field more", file({ ...one, enabled: true })],
		["no scope", file({ bundle: "sample" })],
		["a device without a name", file({ ...one, scope: "dev:" })],
		["a path without a kind", file({ ...one, scope: "/run/netns/blue" })],
		["a name that is none", file({ ...one, bundle: "a.kfn" })],
		["a range that is none", file({ ...one, version: "newest" })],
		["an empty range", file({ ...one, version: "" })],
		["a parameter that is an object", file({ ...one, set: { ports: {} } })],
		["a bundle twice in a scope", file(one, one)],
		["a field twice", '{"schema":"kfn.state/1","functions":[],"functions":[]}'],
		["a byte order mark", `\ufeff${file(one)}`],
	])("refuses %s", (_what, text) => {
		expect(() => parseDesiredState(Buffer.from(text))).toThrow(
			expect.objectContaining({ code: "HOST_DESIRED_MALFORMED", exit: 2 }),
		);
	});
});
