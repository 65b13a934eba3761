import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, trustKeys } from "#test/harness/host-world.ts";
import { install } from "./install.ts";
import { replay } from "./replay.ts";
import { status } from "./status.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

async function running(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	return fake;
}

function untrust({ host }: FakeHost): void {
	trustKeys(host.layout.root, ["other"], [samples.key]);
}

const NAMESPACE = BLUE.slice("netns:".length);
const drifts: [string, (fake: FakeHost) => void, string[], boolean | null][] = [
	["nothing happened", () => undefined, [], true],
	["the host was booted again", ({ kernel }) => kernel.reboot(), ["not-pinned"], false],
	["the namespace ended", ({ kernel }) => kernel.endNamespace(NAMESPACE), ["namespace-gone"], false],
	["its publisher is not trusted any more", untrust, ["untrusted"], true],
	[
		"its signatures were damaged",
		({ host }) =>
			writeFileSync(join(host.layout.storeEntry(samples.v1.sha256), "kfn.sig.json"), "not signatures"),
		["untrusted"],
		true,
	],
	[
		"the namespace was made again under the same name",
		({ kernel }) => {
			kernel.endNamespace(NAMESPACE);
			kernel.addNamespace(NAMESPACE);
		},
		["detached"],
		false,
	],
	[
		"the name now names another namespace, and the old one lives on",
		({ kernel }) =>
			kernel.change((state) => {
				state.namespaces[NAMESPACE] = 4711;
			}),
		["namespace-replaced"],
		false,
	],
	[
		"another program was put into the link",
		({ kernel }) =>
			kernel.change((state) => {
				state.pins = state.pins.map((pin) => ({
					...pin,
					program: { ...pin.program, kernelTag: "0".repeat(16) },
				}));
			}),
		["other-program"],
		false,
	],
	[
		"somebody pinned something else below kfn's folder",
		({ kernel }) =>
			kernel.change((state) => {
				state.pins = [...state.pins, { ...state.pins[0]!, function: "gro" }];
			}),
		["unplanned"],
		true,
	],
	[
		"another program holds the hook",
		({ kernel }) => kernel.attachForeign(NAMESPACE),
		["foreign-program"],
		true,
	],
	["the stored object was changed", (fake) => writeFileSync(object(fake), "evil"), ["store"], true],
	[
		"the store entry is gone",
		({ host }) => rmSync(host.layout.storeEntry(samples.v1.sha256), { recursive: true }),
		["store"],
		true,
	],
	["applied.json was lost", ({ host }) => rmSync(host.layout.applied(1)), [], true],
];
test.each(drifts)("when %s", async (_, happen, kinds, isRunning) => {
	using fake = await running();
	happen(fake);
	const seen = await status(fake.host);
	expect(seen.drift.map((entry) => entry.kind)).toEqual(kinds);
	expect(seen.health).toBe(kinds.length === 0 ? "good" : "drift");
	expect(seen.functions[0]?.running).toBe(isRunning);
	for (const { message, hint } of seen.drift)
		expect([message, hint].every((part) => part.length > 10)).toBe(true);
});

test("a kernel that cannot be looked at is unknown, never good", async () => {
	using fake = await running();
	fake.kernel.change((state) => {
		state.privileged = false;
	});
	expect(await status(fake.host)).toMatchObject({
		...{ generation: 1, health: "unknown", drift: [], unseen: { code: "LOAD_NO_PRIVILEGE" } },
		functions: [{ running: null, programs: [{ id: null, kernelTag: null }] }],
	});
	fake.kernel.change((state) => {
		Object.assign(state, { privileged: true, bpffs: false });
	});
	expect(await status(fake.host)).toMatchObject({
		health: "unknown",
		unseen: { code: "LOAD_BPFFS_NOT_MOUNTED" },
	});
});

test("pid 1's namespace is not gone just because the caller may not look at it", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: "netns:root" }));
	fake.kernel.change((state) => {
		delete state.namespaces["/proc/1/ns/net"];
	});
	expect(await status(fake.host)).toMatchObject({ health: "good", functions: [{ running: true }] });
});

test("an unfinished change is pending, also where its journal is damaged", async () => {
	using fake = await running();
	writeFileSync(fake.host.layout.journal, "{");
	expect(await status(fake.host)).toMatchObject({
		health: "pending",
		drift: [{ kind: "unfinished-change" }],
	});
	expect(
		await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE })),
	).toMatchObject({
		...{ changed: false, recovered: true },
	});
	expect(await status(fake.host)).toMatchObject({ health: "good" });
});

test("replay answers each packet in order, more than a pipe holds", async () => {
	using fake = await running();
	const packets = Array.from({ length: 3000 }, (_, i) => ({ data: Buffer.alloc(20 + (i % 200)) }));
	const lengths: number[] = [];
	for await (const { retval, out } of replay(fake.host, { function: "flow-dissector", packets })) {
		expect(retval).toBe(0);
		lengths.push(out.readUInt32LE(0));
	}
	expect(lengths).toEqual(packets.map(({ data }) => data.length));
});

test("replay refuses a function that is not active, and asks which of several scopes", async () => {
	using fake = await running();
	const first = (scope?: string, fn = "flow-dissector") =>
		replay(fake.host, { function: fn, scope, packets: [] }).next();
	await expect(first(undefined, "gro")).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
	await expect(first("netns:root")).rejects.toMatchObject({ code: "LOAD_NOT_ACTIVE" });
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: "netns:root" }));
	await expect(first()).rejects.toMatchObject({ code: "HOST_AMBIGUOUS_SCOPE", hint: /netns:root/ });
	expect(await first(BLUE)).toEqual({ done: true, value: undefined });
});

function object({ host }: FakeHost): string {
	return join(host.layout.storeEntry(samples.v1.sha256), "obj/sample.bpf.o");
}

const OWNER = { createdByUid: 0, loadedAt: 0, linkId: null, pins: [], holders: [], complete: true };
test.each<[string, object | undefined, RegExp]>([
	[
		"a process",
		{ ...OWNER, linkId: 7, holders: [{ pid: 812, name: "cilium-agent" }] },
		/loaded by uid 0, held by pid 812 \(cilium-agent\), attached by link 7$/,
	],
	[
		"a pin",
		{ ...OWNER, pins: ["/sys/fs/bpf/other"] },
		/pinned at \/sys\/fs\/bpf\/other, attached without a link$/,
	],
	["nobody", OWNER, /no process and no pin holds it, so the kernel does not tell whose it is$/],
	["somebody among too many", { ...OWNER, complete: false }, /too much to look at/],
	["a loader that does not say", undefined, /whom it belongs to is unknown$/],
])("a foreign program that belongs to %s", async (_who, owner, message) => {
	using fake = await running();
	const { loader } = fake.host;
	const foreign = {
		scope: BLUE,
		hook: "flow_dissector",
		programId: 7,
		name: "theirs",
		...(owner && { owner }),
	};
	const inspect = async (namespaces: readonly string[]) =>
		({ ...(await loader.inspect(namespaces)), foreign: [foreign] }) as Awaited<
			ReturnType<typeof loader.inspect>
		>;
	const seen = await status({ ...fake.host, loader: { ...loader, inspect } });
	expect(seen.drift).toMatchObject([{ kind: "foreign-program", message }]);
	expect(seen.foreign).toEqual([foreign]);
});
