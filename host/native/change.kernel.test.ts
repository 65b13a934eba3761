// What apply, inspect and replay do to a real kernel: install, keep, replace, detach, and every refusal on the way.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { configDigest, effectiveConfig } from "#bundle/config.ts";
import { buildObject } from "#test/dissector/build.ts";
import {
	compile,
	exists,
	type Json,
	keysOf,
	LOADER,
	make,
	PACKET,
	pinDir,
	Rig,
	sourceOf,
	vectorLine,
} from "./fixture.ts";

const FN = "flow-dissector";
const quiet = { stdio: "pipe" } as const;
let rig: Rig;

beforeAll(() => make("all"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
});
afterEach(() => rig.dispose());
afterAll(() => {
	expect(execFileSync("ip", ["netns", "list"], { encoding: "utf8" })).not.toContain(`-${process.pid}\n`);
});

function inspect(...scopes: string[]): Json {
	const args = scopes.flatMap((scope) => ["--netns", scope.slice("netns:".length)]);
	const answer = rig.run(["inspect", ...args]);
	expect(answer.code).toBe("ok");
	return answer.body;
}

/** What is still below the pins folder; the folder itself may stay. */
function leftovers(): string[] {
	return exists(rig.pins) ? readdirSync(rig.pins) : [];
}

test("install attaches, keep leaves alone, replace swaps the same link, an empty plan detaches", () => {
	const blue = rig.namespace("blue");
	const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];

	const installed = rig.apply([one.planned(blue)]);
	expect(installed.body.functions).toMatchObject([{ step: "attach", scope: blue, vectors: { run: 1 } }]);
	expect(installed.body.functions[0].nanoseconds).toBeGreaterThan(0);
	expect(readdirSync(pinDir(rig, FN, blue)).toSorted()).toEqual(["link", "prog"]);
	const before = rig.run(["inspect"]).body.pins[0];
	expect(before).toMatchObject({ function: FN, scope: blue, link: { type: "netns", alive: true } });
	expect(before.programs[0].kernelTag).toBe(installed.body.functions[0].programs[0].kernelTag);
	expect(Math.abs(before.programs[0].loadedAt - Date.now() / 1000)).toBeLessThan(5);

	expect(rig.apply([one.planned(blue)]).body.functions[0]).toMatchObject({ step: "keep", nanoseconds: 0 });
	expect(rig.run(["inspect"]).body.pins[0]).toEqual(before);

	expect(rig.apply([two.planned(blue)]).body.functions[0].step).toBe("replace");
	const after = rig.run(["inspect"]).body.pins[0];
	expect(after.link).toEqual(before.link);
	expect(after.pinnedProgramId).toBe(after.programs[0].id);
	expect(after.pinnedProgramId).not.toBe(before.pinnedProgramId);
	expect(readdirSync(pinDir(rig, FN, blue)).toSorted()).toEqual(["link", "prog"]);

	expect(rig.apply([]).body).toEqual({
		ok: true,
		functions: [],
		detached: [{ function: FN, scope: blue }],
		left: [],
	});
	expect(inspect(blue)).toEqual({ ok: true, pins: [], foreign: [] });
	expect(leftovers()).toEqual([]);
});

test("scopes of one bundle share one program: loaded once, swapped and taken off each by itself", () => {
	const [blue, green, red] = [rig.namespace("blue"), rig.namespace("green"), rig.namespace("red")];
	const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	const ids = () => {
		const pins = rig.run(["inspect"]).body.pins;
		return pins.map((pin: { programs: { id: number }[] }) => pin.programs[0]?.id);
	};
	rig.apply([one.planned(blue), one.planned(green), two.planned(red)]);
	const [first, second, third] = ids();
	expect([first === second, first === third]).toEqual([true, false]);

	const wrong = rig.bundle({ mark: 3, vectors: vectorLine(4) });
	const refused = rig.apply([two.planned(blue), two.planned(green), wrong.planned(red)]);
	expect(refused.code).toBe("LOAD_VECTOR_FAILED");
	expect(ids()).toEqual([first, second, third]);

	const swapped = rig.apply([two.planned(blue), two.planned(green), two.planned(red)]);
	const steps = swapped.body.functions.map(({ step }: { step: string }) => step);
	expect(steps).toEqual(["replace", "replace", "keep"]);
	expect(ids()[0]).toBe(ids()[1]);
	expect(ids()[2]).toBe(third);

	expect(rig.apply([two.planned(green)]).code).toBe("ok");
	expect(ids()).toHaveLength(1);
});

test("a scope with bytes that bpffs refuses comes back from its encoding", () => {
	const dotted = `${rig.namespace("dots.and-ü")}`;
	expect(rig.apply([rig.bundle().planned(dotted)]).code).toBe("ok");
	expect(rig.run(["inspect"]).body.pins[0].scope).toBe(dotted);
	expect(readdirSync(join(rig.pins, FN))[0]).toMatch(
		/^netns:%2Frun%2Fnetns%2Fkfn-load-dots%2Eand-%C3%BC-\d+$/,
	);
});

test("a function that moves from one namespace to another, and two that change places", () => {
	const [blue, green] = [rig.namespace("blue"), rig.namespace("green")];
	const [flow, acme] = [rig.bundle(), rig.bundle({ mark: 2, name: "acme-dissector", function: "acme" })];
	expect(rig.apply([flow.planned(blue), acme.planned(green)]).code).toBe("ok");
	const swapped = rig.apply([flow.planned(green), acme.planned(blue)]);
	expect(swapped.body.functions.map((entry: Json) => entry["step"])).toEqual(["attach", "attach"]);
	expect(swapped.body.detached).toHaveLength(2);
	expect(rig.apply([flow.planned(green)]).body.detached).toEqual([{ function: "acme", scope: blue }]);
	expect(inspect(blue, green)["foreign"]).toEqual([]);
});

test("two functions cannot have the hook of one namespace, under whatever path", () => {
	const blue = rig.namespace("blue");
	const acme = rig.bundle({ mark: 2, name: "acme-dissector", function: "acme" });
	const detour = blue.replace("/run/", "/var/run/");
	expect(rig.apply([rig.bundle().planned(blue), acme.planned(detour)]).code).toBe("LOAD_HOOK_TAKEN");
	expect(inspect(blue)).toEqual({ ok: true, pins: [], foreign: [] });
});

test("a foreign program is reported and never replaced", () => {
	const blue = rig.namespace("blue");
	rig.attachForeign(blue);
	const refused = rig.apply([rig.bundle().planned(blue)]);
	expect(refused.code).toBe("LOAD_FOREIGN_PROGRAM");
	expect(refused.exit).toBe(1);
	const found = rig.run(["inspect", "--netns", blue.slice(6)]).body.foreign;
	expect(found).toMatchObject([{ scope: blue, hook: "flow_dissector", name: "dissect" }]);
	expect(found[0].programId).toBe(refused.body.error.details.programId);
	expect(exists(rig.pins)).toBe(false);
});

test("a namespace that is not there, and a plain file in its place", () => {
	const gone = rig.apply([rig.bundle().planned("netns:/run/netns/kfn-load-never-made")]);
	expect(gone).toMatchObject({ code: "LOAD_NETNS_GONE", exit: 1 });
	const file = join(rig.root, "not-a-namespace");
	writeFileSync(file, "");
	expect(rig.apply([rig.bundle().planned(`netns:${file}`)]).code).toBe("LOAD_NETNS_GONE");
	// A namespace of another kind is nsfs too.
	expect(rig.apply([rig.bundle().planned("netns:/proc/self/ns/uts")]).code).toBe("LOAD_NETNS_GONE");
});

test("a namespace made again under its old name gets a new link, and the dead one goes", () => {
	const blue = rig.namespace("blue");
	const bundle = rig.bundle();
	rig.apply([bundle.planned(blue)]);
	const before = rig.run(["inspect"]).body.pins[0].link;
	rig.endNamespace(blue);
	expect(rig.run(["inspect"]).body.pins[0].link).toMatchObject({
		id: before.id,
		netnsInode: 0,
		alive: false,
	});
	expect(rig.apply([bundle.planned(blue)]).code).toBe("LOAD_NETNS_GONE");
	rig.namespace("blue");
	expect(rig.apply([bundle.planned(blue)]).body.functions[0].step).toBe("attach");
	const after = rig.run(["inspect"]).body.pins[0].link;
	expect(after.alive).toBe(true);
	expect(after.id).not.toBe(before.id);
});

test("a namespace that lives on without its name does not pass for the new one of that name", async () => {
	const blue = rig.namespace("blue");
	const bundle = rig.bundle();
	rig.apply([bundle.planned(blue)]);
	const before = rig.run(["inspect"]).body.pins[0].link;
	const name = blue.split("/").at(-1)!;
	const holder = spawn("ip", ["netns", "exec", name, "sh", "-c", "echo in; exec cat"], { stdio: "pipe" });
	await once(holder.stdout, "data");
	try {
		rig.dropNamespace(blue);
		rig.namespace("blue");
		expect(rig.run(["inspect"]).body.pins[0].link).toEqual(before);
		expect(rig.apply([bundle.planned(blue)]).body.functions[0].step).toBe("attach");
		expect(rig.run(["inspect"]).body.pins[0].link.netnsInode).not.toBe(before.netnsInode);
	} finally {
		const ended = once(holder, "exit");
		holder.kill("SIGKILL");
		await ended;
	}
});

test("a dead link of a namespace that is gone is swept by the next plan", () => {
	const blue = rig.namespace("blue");
	rig.apply([rig.bundle().planned(blue)]);
	rig.endNamespace(blue);
	expect(rig.apply([]).body.detached).toEqual([{ function: FN, scope: blue }]);
	expect(leftovers()).toEqual([]);
});

test("without a bpffs nothing can be active: refused, but for the empty plan", () => {
	const blue = rig.namespace("blue");
	rig.unmountBpffs();
	expect(rig.apply([rig.bundle().planned(blue)])).toMatchObject({ code: "LOAD_BPFFS_NOT_MOUNTED", exit: 1 });
	expect(rig.run(["inspect"]).code).toBe("LOAD_BPFFS_NOT_MOUNTED");
	expect(rig.run(["probe"]).body.bpffs.have).toBe("no");
	expect(rig.apply([]).body).toEqual({ ok: true, functions: [], detached: [], left: [] });
	expect(readdirSync(join(rig.root, "sys/fs/bpf"))).toEqual([]);
});

test("without privilege: refused with what it takes, and probes say unknown", () => {
	const blue = rig.namespace("blue");
	const planned = [rig.bundle().planned(blue)];
	execFileSync("chmod", ["-R", "a+rX", rig.root]);
	const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
	const loader = join(rig.root, "kfn-load");
	execFileSync("install", ["-m", "755", LOADER, loader]);
	const checked = rig.check(planned, { loader, before: nobody });
	expect(checked).toMatchObject({ code: "LOAD_NO_PRIVILEGE", exit: 1 });
	expect(checked.body.error.hint).toContain("CAP_BPF");
	expect(rig.apply(planned, { loader, before: nobody }).code).toBe("LOAD_NO_PRIVILEGE");
	const { features } = rig.run(["probe"], { loader, before: nobody }).body;
	// Which symbols a kernel has stands in files that everybody may read.
	for (const [name, probe] of Object.entries(features)) {
		if (!name.startsWith("ksym:")) expect(probe, name).toMatchObject({ have: "unknown" });
	}
});

test("somebody turns kfn's link to another program: refused, shown, and detached on demand", () => {
	const blue = rig.namespace("blue");
	const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	rig.apply([one.planned(blue)]);
	const dir = pinDir(rig, FN, blue);
	// The pin goes, and another program takes its name: the link runs what nobody pinned.
	rmSync(join(dir, "prog"));
	const object = join(rig.root, "other.o");
	writeFileSync(object, compile(sourceOf({ mark: 9 })));
	execFileSync("bpftool", ["prog", "load", object, join(dir, "prog"), "type", "flow_dissector"], quiet);
	expect(rig.apply([two.planned(blue)])).toMatchObject({ code: "LOAD_PROGRAM_CHANGED", exit: 1 });
	const pin = rig.run(["inspect"]).body.pins[0];
	expect(pin.pinnedProgramId).not.toBe(pin.programs[0].id);
	expect(rig.apply([]).body.detached).toHaveLength(1);
	expect(inspect(blue)).toEqual({ ok: true, pins: [], foreign: [] });
});

test("what is not a pin of ours under the pins folder is named, not touched", () => {
	mkdirSync(join(rig.pins, "flow-dissector/netns:%2frun"), { recursive: true });
	expect(rig.apply([]).code).toBe("LOAD_PIN_INVALID");
	expect(rig.run(["inspect"]).body.error.message).toContain("netns:%2frun");
});

test("a failure in the last step leaves everything as it was", () => {
	const scopes = ["a", "b", "c"].map((name) => rig.namespace(name));
	const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	rig.apply([one.planned(scopes[0]!), one.planned(scopes[1]!)]);
	const before = rig.run(["inspect"]).body;
	rig.attachForeign(scopes[2]!);
	expect(rig.apply(scopes.map((scope) => two.planned(scope))).code).toBe("LOAD_FOREIGN_PROGRAM");
	expect(rig.run(["inspect"]).body).toEqual(before);
});

test("replay runs the active program on packets, and says when there is none", () => {
	const blue = rig.namespace("blue");
	rig.apply([rig.bundle({ mark: 7 }).planned(blue)]);
	const frame = (flags: number, data: Buffer) => {
		const head = Buffer.alloc(8);
		head.writeUInt32LE(data.length, 0);
		head.writeUInt32LE(flags, 4);
		return Buffer.concat([head, data]);
	};
	const many = Array.from({ length: 5000 }, (_, i) => frame(i % 8, PACKET));
	const answer = rig.run(["replay", FN, blue], { input: Buffer.concat(many) });
	expect(answer.lines).toHaveLength(5001);
	expect(answer.body).toEqual({ ok: true, packets: 5000 });
	expect(JSON.parse(answer.lines[3]!)).toEqual({ retval: 0, out: keysOf(7, 3) });

	const cut = rig.run(["replay", FN, blue], {
		input: Buffer.concat([frame(0, PACKET), frame(0, PACKET)]).subarray(0, 100),
	});
	expect(cut).toMatchObject({ code: "LOAD_REPLAY_INPUT", exit: 2 });
	expect(cut.lines).toHaveLength(2);
	expect(rig.run(["replay", FN, blue], { input: "abc" }).code).toBe("LOAD_REPLAY_INPUT");
	const huge = frame(0, PACKET);
	huge.writeUInt32LE(0xffffffff, 0);
	expect(rig.run(["replay", FN, blue], { input: huge }).code).toBe("LOAD_REPLAY_INPUT");
	expect(rig.run(["replay", FN, blue], { input: frame(0, PACKET.subarray(0, 13)) }).code).toBe(
		"LOAD_KERNEL_REFUSED",
	);
	expect(rig.run(["replay", FN, "netns:/run/netns/other"]).code).toBe("LOAD_NOT_ACTIVE");
});

test("a vector that fails stops everything before the kernel changes", () => {
	const blue = rig.namespace("blue");
	const wrong = rig.bundle({ mark: 3, vectors: vectorLine(3) + vectorLine(4, { name: "wrong" }) });
	const answer = rig.apply([wrong.planned(blue)]);
	expect(answer).toMatchObject({ code: "LOAD_VECTOR_FAILED", exit: 1 });
	expect(answer.body.error.details).toMatchObject({
		vector: "wrong",
		expectedOut: keysOf(4),
		out: keysOf(3),
	});
	const retval = rig.bundle({ mark: 3, vectors: vectorLine(3, { retval: 2 }) });
	expect(rig.check([retval.planned(blue)]).body.error.details).toMatchObject({
		expectedRetval: 2,
		retval: 0,
	});
	expect(exists(rig.pins)).toBe(false);
});

test("the flow dissector of packages/ loads and passes every one of its vectors", () => {
	const home = join(import.meta.dirname, "../../packages/flow-dissector");
	const read = (path: string) => readFileSync(join(home, path), "utf8");
	const vectors = readdirSync(join(home, "vectors")).map((name) => read(`vectors/${name}`));
	const folder = mkdtempSync(join(tmpdir(), "kfn-load-real-"));
	buildObject(join(folder, "x.o"));
	const object = readFileSync(join(folder, "x.o"));
	rmSync(folder, { recursive: true });
	const { units, config: declared } = JSON.parse(read("kfn.package.json"));
	const edit = (m: object) => void Object.assign(m, { config: declared });
	const bundle = rig.bundle({ object, requires: units[0].requires, vectors: vectors.join(""), edit });
	const config = effectiveConfig(declared);
	const planned = { ...bundle.planned(rig.namespace("real")), config, configDigest: configDigest(config) };
	const answer = rig.check([planned]);
	expect(answer.code).toBe("ok");
	const [checked] = answer.body.functions;
	expect(checked.vectors.run).toBe(vectors.join("").trimEnd().split("\n").length);
	expect(checked.programs[0].kernelTag).toBe(checked.programs[0].insnsDigest.slice(0, 16));
});

test("check proves and changes nothing", () => {
	const blue = rig.namespace("blue");
	const answer = rig.check([rig.bundle().planned(blue)]);
	expect(answer.body.functions).toMatchObject([
		{ verified: "loader", variant: "generic", vectors: { run: 1 } },
	]);
	expect(inspect(blue)).toEqual({ ok: true, pins: [], foreign: [] });
});
