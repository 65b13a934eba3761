// Programs at a device's ingress, and the devices that `device:backlog` takes: those that receive through the CPU's backlog, and none on
// which the kernel's own GRO or an XDP program is. The programs of this test only count and pass packets on.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type BundleSpec, compile, FAULTS, type Json, make, Rig, sourceOf } from "./fixture.ts";

let rig: Rig;
let netns: string;
const tools = mkdtempSync(join(tmpdir(), "kfn-ingress-"));
const features = join(tools, "features");
beforeAll(() => {
	make("all", "faults");
	const source = join(import.meta.dirname, "../../test/harness/features.c");
	execFileSync("cc", ["-O2", "-Wall", "-Werror", "-o", features, source], { stdio: "pipe" });
});
afterAll(() => rmSync(tools, { recursive: true }));
beforeEach(() => {
	rig = new Rig();
	rig.trust([{ names: ["acme-*"], threshold: 1, keys: [rig.key.line] }]);
	rig.mountBpffs();
	netns = rig.namespace("ingress").split("/").at(-1)!;
	ip("link", "add", "left", "type", "veth", "peer", "name", "right");
	ip("addr", "add", "10.9.0.1/24", "dev", "left");
	for (const device of ["lo", "left", "right"]) ip("link", "set", device, "up");
});
afterEach(() => rig.dispose());

const inside = (...command: string[]): string =>
	execFileSync("ip", ["netns", "exec", netns, ...command], { encoding: "utf8", stdio: "pipe" });
function ip(...args: string[]): void {
	execFileSync("ip", ["-n", netns, ...args], { stdio: "pipe" });
}
const scopeOf = (device: string) => `dev:${device}@/run/netns/${netns}`;
const apply = (...functions: Json[]) => rig.apply(functions, { loader: FAULTS });

/** Of its own function for each side, counting in its own map. */
const counting = (side: "ingress" | "egress", mark = 1, extra: readonly string[] = []): BundleSpec => ({
	name: `acme-${side}`,
	function: `acme-${side}`,
	version: `1.0.${mark}`,
	mark,
	section: `tc/${side}`,
	requires: { kernel: ">=6.6", features: [...extra, "link:tcx", "prog_type:sched_cls"] },
	top: `#include "kfn/map.h"
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } seen SEC(".maps");`,
	body: `__u32 zero = 0; __u64 *count = bpf_map_lookup_elem(&seen, &zero);
	if (count) __sync_fetch_and_add(count, ${mark}); return -1;`,
	vectors: `${JSON.stringify({ name: "passes", why: "a test", program: "dissect", data: "00".repeat(64), retval: 0xffffffff, out: "00".repeat(64) })}\n`,
});

const pins = (): Json[] => rig.run(["inspect"]).body.pins;
/** What the running program of a function counted. */
function seen(name: string): number {
	const pin = pins().find((candidate) => candidate["function"] === name)!;
	const id = String((pin["programs"] as { id: number }[])[0]!.id);
	const json = (...args: string[]) =>
		JSON.parse(execFileSync("bpftool", ["-j", ...args], { encoding: "utf8" }));
	return json("map", "dump", "id", String(json("prog", "show", "id", id).map_ids[0]))[0].formatted.value;
}

test("both sides of one device at once; what is received is the ingress's, and each is swapped and taken off alone", () => {
	const [one, two, out] = [counting("ingress"), counting("ingress", 1000), counting("egress")].map((spec) =>
		rig.bundle(spec).planned(scopeOf("left")),
	) as [Json, Json, Json];
	const plan = (...functions: Json[]) =>
		functions.sort((a, b) => (String(a["function"]) < String(b["function"]) ? -1 : 1));
	expect(apply(...plan(one, out)).body).toMatchObject({
		ok: true,
		functions: [{ step: "attach" }, { step: "attach" }],
	});
	inside("bash", "-c", "echo > /dev/udp/10.9.0.77/9");
	expect(seen("acme-egress")).toBeGreaterThan(0);
	const received = seen("acme-ingress");
	// `right` has no address: what it sends by itself is IPv6's own, and comes at any time.
	ip("addr", "add", "10.9.9.1/24", "dev", "right");
	inside("bash", "-c", "echo > /dev/udp/10.9.9.77/9");
	expect(seen("acme-ingress")).toBeGreaterThan(received);
	expect(apply(...plan(two, out)).body.functions).toMatchObject([{ step: "keep" }, { step: "replace" }]);
	expect(apply(out).body.detached).toEqual([{ function: "acme-ingress", scope: scopeOf("left") }]);
	expect(pins()).toMatchObject([{ function: "acme-egress", link: { alive: true } }]);
	expect(apply().body.detached).toHaveLength(1);
});

test("two functions at one ingress are refused", () => {
	const other = { ...counting("ingress", 2), name: "acme-other", function: "acme-other" };
	const functions = [counting("ingress"), other].map((spec) => rig.bundle(spec).planned(scopeOf("left")));
	expect(apply(...functions).body.error).toMatchObject({ code: "LOAD_HOOK_TAKEN" });
});

const backlog = (device: string): Json =>
	rig.bundle(counting("ingress", 1, ["device:backlog"])).planned(scopeOf(device));
/** What check and apply say of it: the same. */
function refusal(device: string): string {
	const functions = [backlog(device)];
	const [checked, applied] = [rig.check(functions, { loader: FAULTS }), apply(...functions)];
	expect(checked.body.error).toMatchObject({
		code: "LOAD_DEVICE_UNFIT",
		hint: expect.stringContaining("gro on"),
	});
	expect(applied.body.error).toMatchObject({ ...checked.body.error, details: { scope: scopeOf(device) } });
	expect(pins()).toEqual([]);
	return checked.body.error.message;
}

test("device:backlog takes the loopback device, and veth while neither GRO nor XDP is on", () => {
	for (const device of ["lo", "left"]) {
		expect(rig.check([backlog(device)], { loader: FAULTS }).body).toMatchObject({ ok: true });
		expect(apply(backlog(device)).body.functions).toMatchObject([{ step: "attach" }]);
		apply();
	}
	inside(features, "left", "gro", "on");
	expect(refusal("left")).toContain("the kernel's own GRO is on there, and is the better choice");
	inside(features, "left", "gro", "off");
	// What runs stays, whatever is switched on later: it looks into the backlog itself.
	expect(apply(backlog("left")).body.functions).toMatchObject([{ step: "attach" }]);
	inside(features, "left", "gro", "on");
	expect(apply(backlog("left")).body.functions).toMatchObject([{ step: "keep" }]);
	apply();
});

test("device:backlog refuses a device with an XDP program", () => {
	const object = join(rig.root, "xdp.o");
	writeFileSync(object, compile(sourceOf({ section: "xdp", body: "return 2;" })));
	ip("link", "set", "left", "xdp", "object", object, "section", "xdp");
	expect(refusal("left")).toContain("an XDP program");
});

test("device:backlog takes another device when each receive queue has RPS", () => {
	ip("tuntap", "add", "tap", "mode", "tap");
	inside(features, "tap", "gro", "off");
	expect(refusal("tap")).toContain("not every receive queue has rps_cpus");
	inside("sh", "-c", "echo 1 >/sys/class/net/tap/queues/rx-0/rps_cpus");
	expect(apply(backlog("tap")).body.functions).toMatchObject([{ step: "attach" }]);
});

test("what is experimental is loaded only by a plan that says so", () => {
	const edit = (manifest: Json): void => {
		const { schema, name, version, summary, ...rest } = manifest;
		for (const field of Object.keys(manifest)) delete manifest[field];
		Object.assign(manifest, { schema, name, version, summary, experimental: "a laboratory", ...rest });
	};
	const entry = rig.bundle({ ...counting("ingress"), edit }).planned(scopeOf("left"));
	expect(apply(entry).body.error).toMatchObject({
		code: "LOAD_EXPERIMENTAL",
		details: { function: "acme-ingress" },
	});
	expect(apply({ ...entry, experimental: false }).body.error).toMatchObject({ code: "LOAD_PLAN_INVALID" });
	expect(apply({ ...entry, experimental: true }).body.functions).toMatchObject([{ step: "attach" }]);
});
