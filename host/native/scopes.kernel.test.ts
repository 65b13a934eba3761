// Scopes that stand for many places, on real namespaces and devices: which ones they mean, what goes first, and that each
// namespace of a pattern is attached, swapped and taken off by itself. Their grammar has loader.test.ts.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Answer, FAULTS, type Json, json, make, PACKET, pinDir, planOf, Rig } from "./fixture.ts";

let rig: Rig;

beforeEach(() => {
	make("all", "faults");
	rig = new Rig();
	rig.mountBpffs();
});
afterEach(() => rig.dispose());

/** All namespaces that `namespace("a…")` makes, and none of another run's. */
const OURS = `netns:/run/netns/kfn-load-${process.pid}-`;
const PATTERN = `${OURS}a*`;
const namespace = (purpose: string) => rig.namespace(`${process.pid}-${purpose}`);
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe", encoding: "utf8" });
const nameOf = (scope: string) => scope.split("/").at(-1)!;

const steps = (answer: Answer) =>
	answer.body.functions.map(({ scope, step }: Json) => [scope, step] as [string, string]);

interface PinJson {
	readonly function: string;
	readonly scope: string;
	readonly link: { readonly alive: boolean; readonly netnsInode: number } | null;
	readonly programs: readonly { readonly id: number; readonly kernelTag: string }[];
}
const pins = (): PinJson[] => rig.run(["inspect"]).body.pins;
const running = () => pins().filter((pin) => pin.link?.alive === true);

test("a pattern is every namespace that matches now, each with a link of its own and one program for all", () => {
	const [one, two] = [namespace("a1"), namespace("a2")];
	namespace("b1");
	const answer = rig.apply([rig.bundle().planned(PATTERN)]);
	expect(answer.code).toBe("ok");
	expect(answer.body.functions).toMatchObject([
		{ scope: one, planned: PATTERN, step: "attach" },
		{ scope: two, planned: PATTERN, step: "attach" },
	]);
	expect(running().map(({ scope }) => scope)).toEqual([one, two]);
	expect(new Set(running().map(({ programs }) => programs[0]?.id)).size).toBe(1);

	const third = namespace("a3");
	const again = rig.apply([rig.bundle().planned(PATTERN)]);
	expect(steps(again)).toEqual([
		[one, "keep"],
		[two, "keep"],
		[third, "attach"],
	]);
	expect(rig.apply([]).body.detached).toHaveLength(3);
	expect(existsSync(rig.pins)).toBe(false);
});

test("a pattern that nothing matches is fulfilled", () => {
	expect(rig.apply([rig.bundle().planned(PATTERN)]).body).toMatchObject({
		ok: true,
		functions: [],
		left: [],
	});
	expect(rig.check([rig.bundle().planned(PATTERN)]).body.functions).toMatchObject([{ scope: PATTERN }]);
});

test("a name goes before a pattern, and leaving the name gives the namespace to the pattern", () => {
	const [one, two] = [namespace("a1"), namespace("a2")];
	const [wide, exact] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	const answer = rig.apply([wide.planned(PATTERN), exact.planned(two)]);
	expect(answer.body.functions).toMatchObject([
		{ scope: one, planned: PATTERN, bundle: { version: "1.0.1" } },
		{ scope: two, bundle: { version: "1.0.2" } },
	]);
	expect(answer.body.functions[1].planned).toBeUndefined();
	const back = rig.apply([wide.planned(PATTERN)]);
	expect(steps(back)).toEqual([
		[one, "keep"],
		[two, "replace"],
	]);
	expect(back.body.detached).toEqual([]);
});

test("the same by another path: what counts is the namespace", () => {
	const one = namespace("a1");
	const detour = one.replace("/run/", "/var/run/");
	const answer = rig.apply([
		rig.bundle({ mark: 1 }).planned(PATTERN),
		rig.bundle({ mark: 2 }).planned(detour),
	]);
	expect(answer.body.functions).toMatchObject([{ scope: detour, bundle: { version: "1.0.2" } }]);
	expect(running()).toHaveLength(1);
});

test("two names of one namespace get one attachment, by the name that has it already", () => {
	const two = namespace("a2");
	const alias = `kfn-load-${process.pid}-a1`;
	const bundle = rig.bundle();
	expect(steps(rig.apply([bundle.planned(PATTERN)]))).toEqual([[two, "attach"]]);
	writeFileSync(`/run/netns/${alias}`, "");
	execFileSync("mount", ["--bind", `/run/netns/${nameOf(two)}`, `/run/netns/${alias}`]);
	try {
		const answer = rig.apply([bundle.planned(PATTERN)]);
		expect(answer.body).toMatchObject({ functions: [{ scope: two, step: "keep" }], detached: [] });
		rig.apply([]);
		expect(steps(rig.apply([bundle.planned(PATTERN)]))).toEqual([[`netns:/run/netns/${alias}`, "attach"]]);
	} finally {
		execFileSync("umount", [`/run/netns/${alias}`]);
		rmSync(`/run/netns/${alias}`);
	}
});

test("an upgrade swaps all, a failing one puts all back, and each link stays the same", () => {
	const scopes = Array.from({ length: 20 }, (_, i) => namespace(`a${10 + i}`));
	const [old, next] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	const tags = () => new Set(running().map(({ programs }) => programs[0]?.kernelTag));
	expect(steps(rig.apply([old.planned(PATTERN)]))).toEqual(scopes.map((scope) => [scope, "attach"]));
	const before = tags();
	expect(before.size).toBe(1);

	const failed = rig.apply([next.planned(PATTERN)], {
		loader: FAULTS,
		fault: "linked:fail:11",
	});
	expect(failed.body.error).toMatchObject({ code: "LOAD_FAULT", details: { undone: true } });
	expect(running()).toHaveLength(20);
	expect(tags()).toEqual(before);

	expect(steps(rig.apply([next.planned(PATTERN)]))).toEqual(scopes.map((scope) => [scope, "replace"]));
	expect(tags().size).toBe(1);
	expect(tags()).not.toEqual(before);
	expect(rig.apply([]).body.detached).toHaveLength(20);
	expect(existsSync(rig.pins)).toBe(false);
});

test("a namespace that ended leaves a dead pin, which the next apply takes away without a word of failure", () => {
	const [one, two] = [namespace("a1"), namespace("a2")];
	const bundle = rig.bundle();
	rig.apply([bundle.planned(PATTERN)]);
	rig.endNamespace(two);
	expect(pins().map(({ link }) => link?.alive)).toEqual([true, false]);
	const answer = rig.apply([bundle.planned(PATTERN)]);
	expect(steps(answer)).toEqual([[one, "keep"]]);
	expect(answer.body.detached).toEqual([{ function: "flow-dissector", scope: two }]);
	expect(existsSync(pinDir(rig, "flow-dissector", two))).toBe(false);
});

test("what is no namespace, and a folder that is not there, match nothing", () => {
	const one = namespace("a1");
	const file = `/run/netns/kfn-load-${process.pid}-a0`;
	writeFileSync(file, "");
	try {
		expect(steps(rig.apply([rig.bundle().planned(PATTERN)]))).toEqual([[one, "attach"]]);
	} finally {
		rmSync(file);
	}
	expect(rig.apply([rig.bundle().planned("netns:/run/kfn-none/*")]).body.detached).toHaveLength(1);
});

test("a foreign program in one of them is named and stops the change; what a boot leaves out is that one", () => {
	const [one, two] = [namespace("a1"), namespace("a2")];
	rig.attachForeign(two);
	const refused = rig.apply([rig.bundle().planned(PATTERN)]);
	expect(refused.body.error).toMatchObject({ code: "LOAD_FOREIGN_PROGRAM", details: { scope: two } });
	expect(pins()).toEqual([]);
	const leave = ["--leave", "flow-dissector", PATTERN];
	const input = json(planOf([rig.bundle().planned(PATTERN)]));
	const left = rig.run(["apply", "-", ...leave], { input }).body;
	expect(left.functions).toMatchObject([{ scope: one, step: "attach" }]);
	expect(left.left).toMatchObject([
		{ scope: two, planned: PATTERN, error: { code: "LOAD_FOREIGN_PROGRAM" }, running: false },
	]);
});

test.each([
	["netns:/run/netns/kfn-a*", "netns:/run/netns/kfn-*"],
	["netns:/run/netns/*", "netns:/run/netns/kfn-load*"],
])("%s and %s of one function overlap, whatever is there", (a, b) => {
	const answer = rig.check([rig.bundle({ mark: 1 }).planned(a), rig.bundle({ mark: 2 }).planned(b)]);
	expect(answer.body.error).toMatchObject({
		code: "LOAD_SCOPE_OVERLAP",
		message: expect.stringContaining(a),
	});
});

test("patterns of two functions may overlap until they meet in one namespace", () => {
	const acme = rig.bundle({ mark: 2, name: "acme-dissector", function: "acme" });
	const plan = [rig.bundle().planned(PATTERN), acme.planned(`${OURS}*`)];
	expect(rig.check(plan).code).toBe("ok");
	namespace("a1");
	expect(rig.apply(plan).code).toBe("LOAD_HOOK_TAKEN");
});

test("prove, watch and replay take a pattern", () => {
	const [one, two] = [namespace("a1"), namespace("a2")];
	const planned = rig.bundle().planned(PATTERN);
	rig.apply([planned]);
	const proved = rig.run(["prove", "-"], { input: json(planOf([planned])) }).body.functions;
	expect(proved).toMatchObject([
		{ scope: one, planned: PATTERN, proof: "proved" },
		{ scope: two, planned: PATTERN, proof: "proved" },
	]);
	const watched = rig.run(["watch", "flow-dissector", PATTERN]).body.functions;
	expect(watched.map(({ scope }: Json) => scope)).toEqual([one, two]);
	const head = Buffer.alloc(8);
	head.writeUInt32LE(PACKET.length);
	const replayed = rig.run(["replay", "flow-dissector", PATTERN], { input: Buffer.concat([head, PACKET]) });
	expect(replayed.lines).toHaveLength(2);
});

test("a scope of another kind than the function's is refused before anything is loaded", () => {
	const answer = rig.check([rig.bundle().planned("dev:lo")]);
	expect(answer.body.error).toMatchObject({ code: "LOAD_SCOPE_UNSUPPORTED" });
});

test("devices by name, driver and bus, inside a namespace", () => {
	const blue = namespace("blue");
	const path = blue.slice("netns:".length);
	ip("-n", nameOf(blue), "link", "add", "kfn0", "type", "veth", "peer", "name", "kfn1");
	ip("-n", nameOf(blue), "link", "add", "kfn2", "type", "ifb");
	const meant = (scope: string) => {
		const [{ instances, problem }] = rig.run(["scopes", scope]).body.scopes;
		return problem?.code ?? instances.map((instance: Json) => instance["scope"]).toSorted();
	};
	expect(meant(`dev:driver=veth@${path}`)).toEqual([`dev:kfn0@${path}`, `dev:kfn1@${path}`]);
	expect(meant(`dev:driver=ifb@${path}`)).toEqual([`dev:kfn2@${path}`]);
	expect(meant(`dev:bus=pci@${path}`)).toEqual([]);
	expect(meant(`dev:kfn0@${path}`)).toEqual([`dev:kfn0@${path}`]);
	expect(meant(`dev:kfn9@${path}`)).toBe("LOAD_DEVICE_GONE");
	expect(meant("dev:driver=veth@/run/netns/kfn-none")).toBe("LOAD_NETNS_GONE");
	const [{ instances }] = rig.run(["scopes", `dev:kfn0@${path}`]).body.scopes;
	expect(instances[0].ifindex).toBe(
		Number(/^(\d+)/.exec(ip("-n", nameOf(blue), "-o", "link", "show", "kfn0"))![1]),
	);
});

const WITH_PARENT = readdirSync("/sys/class/net").find((name) =>
	existsSync(`/sys/class/net/${name}/device/subsystem`),
);
test.skipIf(WITH_PARENT === undefined)("a bus is the parent device's, as sysfs names it", () => {
	const bus = execFileSync("readlink", ["-f", `/sys/class/net/${WITH_PARENT}/device/subsystem`], {
		encoding: "utf8",
	});
	const scope = `dev:bus=${bus.trim().split("/").at(-1)}@/proc/self/ns/net`;
	const [{ instances }] = rig.run(["scopes", scope]).body.scopes;
	expect(instances.map((instance: Json) => instance["scope"])).toContain(
		`dev:${WITH_PARENT}@/proc/self/ns/net`,
	);
});
