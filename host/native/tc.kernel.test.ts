// Programs at a device's egress: as tcx links, first on the hook, swapped while traffic flows, beside the programs of others;
// and as clsact filters where the kernel has no tcx (strace answers that one question in the kernel's place). The programs of this
// test only count and pass packets on.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
	type BundleSpec,
	compile,
	exists,
	FAULTS,
	type Json,
	json,
	LOADER,
	make,
	pinDir,
	planOf,
	Rig,
	sourceOf,
} from "./fixture.ts";

const FN = "acme";
let rig: Rig;
let netns: string;
let scope: string;

const tcx = join(mkdtempSync(join(tmpdir(), "kfn-tcx-")), "tcx");
beforeAll(() => {
	make("all", "faults");
	const source = join(import.meta.dirname, "../../test/harness/tcx.c");
	execFileSync("cc", ["-O2", "-Wall", "-Werror", "-o", tcx, source], { stdio: "pipe" });
});
afterAll(() => rmSync(dirname(tcx), { recursive: true }));
beforeEach(() => {
	rig = new Rig();
	rig.trust([{ names: ["flow-dissector", "acme", "acme-*"], threshold: 1, keys: [rig.key.line] }]);
	rig.mountBpffs();
	netns = rig.namespace("tc").split("/").at(-1)!;
	scope = `dev:left@/run/netns/${netns}`;
	ip("link", "add", "left", "type", "veth", "peer", "name", "right");
	for (const [device, address] of [
		["left", "10.9.0.1/24"],
		["right", "10.9.1.1/24"],
	] as const) {
		ip("addr", "add", address, "dev", device);
		ip("link", "set", device, "up");
	}
});
afterEach(() => rig.dispose());

function ip(...args: string[]): void {
	execFileSync("ip", ["-n", netns, ...args], { stdio: "pipe" });
}
const inside = (...command: string[]): string =>
	execFileSync("ip", ["netns", "exec", netns, ...command], { encoding: "utf8", stdio: "pipe" });
let address = 1;
/** Makes frames leave by `left`: it asks for an address that nobody has. */
function send(): void {
	inside("bash", "-c", `echo > /dev/udp/10.9.0.${++address}/9`);
}

/** Counts into its map and answers; another `mark` is another program. */
const counting = (mark: number, answer = -1): BundleSpec => ({
	name: FN,
	function: FN,
	version: `1.0.${mark}`,
	mark,
	section: "tc/egress",
	requires: { kernel: ">=5.10", features: ["prog_type:sched_cls"] },
	top: `#include "kfn/map.h"
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");`,
	body: `__u32 zero = 0; __u64 *count = bpf_map_lookup_elem(&seen, &zero);
	if (count) __sync_fetch_and_add(count, ${mark}); return ${answer};`,
	vectors: `${JSON.stringify({ name: "passes", why: "a test", program: "dissect", data: "00".repeat(64), retval: answer >>> 0, out: "00".repeat(64) })}\n`,
});

const kinds = [
	["tcx", false],
	["clsact", true],
] as const;

describe.each(kinds)("%s", (type, withoutTcx) => {
	const apply = (functions: readonly Json[], fault?: string) =>
		rig.apply(functions, { loader: FAULTS, withoutTcx, ...(fault === undefined ? {} : { fault }) });
	const pin = (of = scope): Json | undefined =>
		rig.run(["inspect"]).body.pins.find((candidate: Json) => candidate["scope"] === of);
	const programOf = (found: Json | undefined) => (found!["programs"] as { id: number }[])[0]!.id;

	/** What the running program counted. */
	function seen(): number {
		const id = String(programOf(pin()));
		const [{ map_ids: ids }] = [bpftool("prog", "show", "id", id)];
		return bpftool("map", "dump", "id", String(ids[0]))[0].formatted.value;
	}
	/** The programs at the device's egress, in the order in which they run, as the kernel tells others than kfn. */
	function attached(device = "left"): number[] {
		if (type === "tcx") return inside(tcx, "show", device).split("\n").filter(Boolean).map(Number);
		const [{ tc }] = JSON.parse(inside("bpftool", "-j", "net", "show", "dev", device));
		return tc.filter(({ kind }: Json) => String(kind).endsWith("egress")).map(({ id }: { id: number }) => id);
	}

	test("attach, keep, replace and detach; packets are counted by what runs", () => {
		const [one, two] = [rig.bundle(counting(1)), rig.bundle(counting(1000))];
		const first = apply([one.planned(scope)]);
		expect(first.body).toMatchObject({ ok: true, functions: [{ step: "attach", scope }] });
		expect(pin()).toMatchObject({ link: { type, alive: true, ifindex: expect.any(Number) } });
		expect(attached()).toEqual([programOf(pin())]);
		send();
		expect(seen()).toBeGreaterThan(0);
		expect(apply([one.planned(scope)]).body.functions[0].step).toBe("keep");
		expect(prove(one.planned(scope))).toMatchObject([{ proof: "proved" }]);
		expect(prove(two.planned(scope))).toMatchObject([{ proof: "differs" }]);
		const before = programOf(pin());
		expect(apply([two.planned(scope)]).body.functions[0]).toMatchObject({ step: "replace" });
		expect(attached()).toEqual([programOf(pin())]);
		expect(programOf(pin())).not.toBe(before);
		send();
		expect(seen() % 1000).toBe(0);
		expect(apply([]).body.detached).toEqual([{ function: FN, scope }]);
		expect(attached()).toEqual([]);
		expect(exists(rig.pins)).toBe(false);
	});

	test("first on the hook, and the programs of others go on behind it", () => {
		const other = join(rig.root, "sys/fs/bpf/other");
		const object = join(rig.root, "other.o");
		writeFileSync(object, compile(sourceOf(counting(7))));
		execFileSync("bpftool", ["prog", "load", object, other, "type", "tc"], { stdio: "pipe" });
		if (type === "tcx") inside(tcx, "last", "left", other);
		else {
			inside("tc", "qdisc", "add", "dev", "left", "clsact");
			inside("tc", "filter", "add", "dev", "left", "egress", "prio", "9", "bpf", "da", "pinned", other);
		}
		const [foreign] = attached();
		apply([rig.bundle(counting(1)).planned(scope)]);
		expect(attached()).toEqual([programOf(pin()), foreign]);
		send();
		const [{ map_ids: ids }] = [bpftool("prog", "show", "id", String(foreign))];
		expect(bpftool("map", "dump", "id", String(ids[0]))[0].formatted.value).toBeGreaterThan(0);
		expect(rig.run(["inspect"]).body.foreign).toEqual([]);
		apply([]);
		expect(attached()).toEqual([foreign]);
	});

	test("another device has its own, and one function's failure undoes the other's attach", () => {
		const bundle = rig.bundle(counting(1));
		const right = scope.replace("left", "right");
		expect(apply([bundle.planned(scope), bundle.planned(right)]).code).toBe("ok");
		expect([attached("left").length, attached("right").length]).toEqual([1, 1]);
		apply([]);
		const gone = apply([bundle.planned(scope), bundle.planned(scope.replace("left", "nobody"))]);
		expect(gone.code).toBe("LOAD_DEVICE_GONE");
		expect([attached("left"), pin()]).toEqual([[], undefined]);
	});

	test("a device that goes takes the program along, and one that comes again gets it anew", () => {
		const bundle = rig.bundle(counting(1));
		apply([bundle.planned(scope)]);
		ip("link", "del", "left");
		const dead = pin()?.["link"] as { alive: boolean } | null;
		expect(dead?.alive ?? false).toBe(false);
		expect(apply([bundle.planned(scope)]).code).toBe("LOAD_DEVICE_GONE");
		ip("link", "add", "left", "type", "veth", "peer", "name", "right");
		expect(apply([bundle.planned(scope)]).body.functions[0].step).toBe("attach");
		expect(attached()).toEqual([programOf(pin())]);
	});

	test("what somebody else took off or put there is seen, and not overrun", () => {
		const bundle = rig.bundle(counting(1));
		apply([bundle.planned(scope)]);
		if (type === "tcx") {
			execFileSync("bpftool", ["link", "detach", "pinned", join(pinDir(rig, FN, scope), "link")]);
			expect(pin()).toMatchObject({ link: { alive: false } });
			expect(apply([bundle.planned(scope)]).body.functions[0].step).toBe("attach");
			return;
		}
		inside("tc", "qdisc", "del", "dev", "left", "clsact");
		expect(pin()).toMatchObject({ link: null, programs: [] });
		expect(apply([bundle.planned(scope)]).body.functions[0].step).toBe("attach");
		const other = join(rig.root, "sys/fs/bpf/other");
		const object = join(rig.root, "other.o");
		writeFileSync(object, compile(sourceOf(counting(7))));
		execFileSync("bpftool", ["prog", "load", object, other, "type", "tc"], { stdio: "pipe" });
		const filter = ["dev", "left", "egress", "prio", "1", "handle", "0x6b666e"];
		inside("tc", "filter", "replace", ...filter, "bpf", "da", "pinned", other);
		expect(apply([bundle.planned(scope)]).code).toBe("LOAD_PROGRAM_CHANGED");
		expect(apply([]).code).toBe("ok");
		expect(attached().length).toBe(1);
		expect(apply([bundle.planned(scope)])).toMatchObject({
			code: "LOAD_FOREIGN_PROGRAM",
			body: { error: { details: { undone: true } } },
		});
		expect(attached().length).toBe(1);
	});

	const points: string[] = [
		"prog-pinned",
		"attached",
		"link-pinned",
		"pinned-new",
		"linked",
		"renamed",
		"detached",
		"unpinned",
	];
	test.each(points)("killed and failing at %s: the old or the new program, never none or two", (point) => {
		const [one, two] = [rig.bundle(counting(1)), rig.bundle(counting(2))];
		const steps: [Json[], Json[]][] = [
			[[], [one.planned(scope)]],
			[[one.planned(scope)], [two.planned(scope)]],
			[[one.planned(scope)], []],
		];
		for (const [from, to] of steps) {
			for (const how of ["fail", "kill"]) {
				expect(apply(from).code).toBe("ok");
				const before = attached();
				const done = apply(to, `${point}:${how}`);
				const reached = how === "kill" ? done.signal === "SIGKILL" : done.code !== "ok";
				if (reached && how === "fail") expect(attached()).toHaveLength(before.length);
				// While a program is replaced there is always one, and there are never two.
				if (from.length > 0 && to.length > 0) expect(attached()).toHaveLength(1);
				for (const plan of [from, to]) {
					expect(apply(plan).code).toBe("ok");
					expect(attached()).toHaveLength(plan.length);
					if (plan.length > 0) expect(prove(...plan)).toMatchObject([{ proof: "proved" }]);
				}
			}
		}
		apply([]);
	});
});

const bpftool = (...args: string[]) =>
	JSON.parse(execFileSync("bpftool", ["-j", ...args], { encoding: "utf8" }));
const prove = (...planned: Json[]) =>
	rig.run(["prove", "-"], { input: json(planOf(planned)) }).body.functions;

test("a program that somebody put before ours is told", () => {
	const other = join(rig.root, "sys/fs/bpf/other");
	const object = join(rig.root, "other.o");
	writeFileSync(object, compile(sourceOf(counting(7))));
	execFileSync("bpftool", ["prog", "load", object, other, "type", "tc"], { stdio: "pipe" });
	rig.apply([rig.bundle(counting(1)).planned(scope)]);
	inside(tcx, "first", "left", other);
	const { id } = bpftool("prog", "show", "pinned", other);
	expect(rig.run(["inspect"]).body.foreign).toMatchObject([
		{ scope, hook: "tc-egress", programId: id, owner: { pins: ["/sys/fs/bpf/other"] } },
	]);
});

test("watched: what it answers is counted by what tc makes of it, and its runs", async () => {
	rig.apply([rig.bundle(counting(1)).planned(scope)]);
	const child = spawn(LOADER, ["--root", rig.root, "watch", FN, scope]);
	const lines = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
	expect((await lines.next()).value).toBe('{"watching":1}\n');
	send();
	child.stdin.end();
	const { functions } = JSON.parse(String((await lines.next()).value));
	const { verdicts, reason, runs } = functions[0];
	expect(runs).toBeGreaterThan(0);
	// This kernel may not let a program hang on another; test/vm has some that do.
	if (reason === "the kernel does not load the counter: Operation not permitted") return;
	expect(verdicts).toMatchObject({ ok: 0, drop: 0, other: 0 });
	expect(verdicts.continue).toBeGreaterThan(0);
});

test("a function without a hook is proved and attached nowhere", () => {
	const spec = { ...counting(3), section: "tc" };
	const planned = rig.bundle(spec).planned("none");
	const answer = rig.apply([planned]);
	expect(answer.body).toMatchObject({
		ok: true,
		functions: [{ step: "none", scope: "none", vectors: { run: 1 } }],
	});
	expect(rig.run(["inspect"]).body.pins).toEqual([]);
	expect(prove(planned)).toMatchObject([{ proof: "unknown", running: null, error: null }]);
	expect(rig.apply([rig.bundle(spec).planned(scope)]).code).toBe("LOAD_SCOPE_UNSUPPORTED");
	expect(rig.apply([rig.bundle(counting(4)).planned("none")]).code).toBe("LOAD_SCOPE_UNSUPPORTED");
	expect(rig.apply([]).code).toBe("ok");
});
