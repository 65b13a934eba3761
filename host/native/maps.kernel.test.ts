// Programs with private arrays, subprograms and callbacks: their digest is the kernel's tag, what goes live has empty maps, and
// two programs that differ only in which map they use are told apart. Every lie about a map is refused.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { compile, json, type Manifest, make, pinDir, planOf, Rig, sourceOf, vectorLine } from "./fixture.ts";
import { HEAD, ONE, WHOLE_BODY, WHOLE_MARK, whole } from "./program-with-maps.ts";

let rig: Rig;
let blue: string;

beforeAll(() => make("all"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	blue = rig.namespace("maps");
});
afterEach(() => rig.dispose());

const bpftool = (...args: string[]) =>
	JSON.parse(execFileSync("bpftool", ["-j", ...args], { encoding: "utf8" }));
const mapsRunning = (): Record<string, number | string>[] => {
	const { map_ids: ids } = bpftool(
		"prog",
		"show",
		"pinned",
		join(pinDir(rig, "flow-dissector", blue), "prog"),
	);
	return (ids as number[]).map((id) => bpftool("map", "show", "id", String(id)));
};
const prove = (...planned: object[]) =>
	rig.run(["prove", "-"], { input: json(planOf(planned as never)) }).body.functions;

test("the digest of the linked instructions is the kernel's tag, and a map for each CPU has them all", () => {
	const bundle = rig.bundle(whole);
	const manifest: Manifest = JSON.parse(bundle.manifest.toString());
	expect(manifest.variants[0]!.maps).toEqual([
		{ name: "buffers", type: "array", valueSize: 65536, entries: "possible-cpus" },
		{ name: "counted", type: "array", valueSize: 8, entries: 1 },
		{ name: "each", type: "percpu-array", valueSize: 8, entries: 3 },
	]);
	const answer = rig.apply([bundle.planned(blue)]);
	expect(answer.code).toBe("ok");
	const [{ programs, verifiedReason }] = answer.body.functions;
	expect(programs[0].kernelTag).toBe(programs[0].insnsDigest.slice(0, 16));
	expect(verifiedReason).toContain("the host decides bytes of the program");
	const possible = execFileSync("cat", ["/sys/devices/system/cpu/possible"], { encoding: "utf8" });
	const cpus = Number(possible.trim().split("-").at(-1)) + 1;
	expect(mapsRunning().map((map) => [map["name"], map["max_entries"]])).toEqual(
		expect.arrayContaining([
			["counted", 1],
			["buffers", cpus],
			["each", 3],
		]),
	);
});

test("what goes live has run no vector: its counter starts at zero, also after a swap", () => {
	const first = rig.bundle(whole);
	rig.apply([first.planned(blue)]);
	const id = () => String(mapsRunning().find((map) => map["name"] === "counted")!["id"]);
	const counted = () => JSON.stringify(bpftool("map", "dump", "id", id()));
	expect(counted()).toContain('"value":0');
	const second = rig.bundle({
		...whole,
		mark: WHOLE_MARK + 1,
		body: WHOLE_BODY.replace("+ *count", "+ *count + 1"),
	});
	expect(rig.apply([second.planned(blue)]).body.functions[0].step).toBe("replace");
	expect(counted()).toContain('"value":0');
});

test("the same again is kept, and proved by maps and every byte", () => {
	const bundle = rig.bundle(whole);
	rig.apply([bundle.planned(blue)]);
	const [before] = mapsRunning();
	expect(rig.apply([bundle.planned(blue)]).body.functions[0].step).toBe("keep");
	expect(mapsRunning()[0]!["id"]).toBe(before!["id"]);
	expect(prove(bundle.planned(blue))).toMatchObject([
		{ proof: "proved", running: { maps: 3 }, copy: { maps: 3 } },
	]);
});

test("programs of one tag, of which one counts into the other map, are two programs", () => {
	const two = ONE + ONE.replace(HEAD, "").replace("counted", "marked");
	const body = (third: string) => `__u32 zero = 0;
	__u64 *a = bpf_map_lookup_elem(&counted, &zero), *b = bpf_map_lookup_elem(&marked, &zero);
	__u64 *c = bpf_map_lookup_elem(&${third}, &zero);
	if (!a || !b || !c) return 2;
	*a += 1; *b += 2; *c += 4;
	return 0;`;
	const spec = (third: string) => ({ mark: 1, top: two, body: body(third), vectors: vectorLine(0) });
	const one = rig.bundle(spec("counted"));
	const other = rig.bundle({ ...spec("marked"), version: "1.0.2" });
	const tag = (answer: ReturnType<Rig["apply"]>) => answer.body.functions[0].programs[0].kernelTag;
	const first = rig.apply([one.planned(blue)]);
	expect(prove(other.planned(blue))).toMatchObject([
		{ proof: "differs", reason: "its instructions are others" },
	]);
	const second = rig.apply([other.planned(blue)]);
	expect(tag(second)).toBe(tag(first));
	expect(second.body.functions[0].step).toBe("replace");
	expect(prove(other.planned(blue))).toMatchObject([{ proof: "proved" }]);
});

test("a map of another size under the same instructions is another program", () => {
	const bundle = (entries: number, version: string) =>
		rig.bundle({
			mark: 1,
			version,
			top: ONE.replace("max_entries, 1)", `max_entries, ${entries})`),
			body: "__u32 zero = 0; __u64 *at = bpf_map_lookup_elem(&counted, &zero); return at ? 0 : 2;",
			vectors: vectorLine(0),
		});
	rig.apply([bundle(1, "1.0.1").planned(blue)]);
	const larger = bundle(2, "1.0.2").planned(blue);
	expect(prove(larger)).toMatchObject([{ proof: "differs", reason: "its maps are others" }]);
	expect(rig.apply([larger]).body.functions[0].step).toBe("replace");
});

const USE = "__u32 zero = 0; __u64 *at = bpf_map_lookup_elem(&counted, &zero); return at ? 0 : 2;";
const lying = (change: (maps: Record<string, unknown>[]) => unknown) => (m: Manifest) => {
	m.variants[0]!.maps = change(m.variants[0]!.maps!) as never;
};

test.each<[string, string, (maps: Record<string, unknown>[]) => unknown]>([
	["names another", "LOAD_OBJECT_INVALID", ([map]) => [{ ...map, name: "other" }]],
	["names one more", "LOAD_OBJECT_INVALID", ([map]) => [map, { ...map, name: "other" }]],
	["names one twice", "LOAD_OBJECT_INVALID", ([map]) => [map, map]],
	["says another type", "LOAD_OBJECT_INVALID", ([map]) => [{ ...map, type: "percpu-array" }]],
	["says a hash", "LOAD_UNSUPPORTED_MAP", ([map]) => [{ ...map, type: "hash" }]],
	["says another size", "LOAD_OBJECT_INVALID", ([map]) => [{ ...map, valueSize: 16 }]],
	["says a size beyond the limit", "LOAD_MANIFEST_INVALID", ([map]) => [{ ...map, valueSize: 1 << 30 }]],
	["says more entries", "LOAD_OBJECT_INVALID", ([map]) => [{ ...map, entries: 2 }]],
	["says one for each CPU", "LOAD_OBJECT_INVALID", ([map]) => [{ ...map, entries: "possible-cpus" }]],
	["says no number", "LOAD_MANIFEST_INVALID", ([map]) => [{ ...map, entries: "all" }]],
	["says something else", "LOAD_MANIFEST_INVALID", ([map]) => [{ ...map, flags: 1 }]],
	["names none", "LOAD_MANIFEST_INVALID", () => []],
	["says nothing", "LOAD_OBJECT_INVALID", () => undefined],
])("a manifest that %s: %s", (_what, code, change) => {
	const spec = { mark: 1, top: ONE, body: USE, vectors: vectorLine(0) };
	expect(rig.check([rig.bundle(spec).planned(blue)]).code).toBe("ok");
	expect(rig.check([rig.bundle({ ...spec, edit: lying(change) }).planned(blue)]).code).toBe(code);
});

test.each([
	["a hash", "__uint(type, 1); __uint(max_entries, 1);"],
	["flags", "__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __uint(map_flags, 8);"],
	["a pin", "__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __uint(pinning, 1);"],
])("an object whose map has %s, whatever the manifest says", (_what, members) => {
	const plain = { mark: 1, top: ONE, body: USE, vectors: vectorLine(0) };
	const top = ONE.replace(/__uint\(type.*entries, 1\);/, members);
	const object = compile(sourceOf({ ...plain, top }));
	const code = members.includes("type, 1") ? "LOAD_OBJECT_INVALID" : "LOAD_UNSUPPORTED_MAP";
	expect(rig.check([rig.bundle({ ...plain, object }).planned(blue)]).code).toBe(code);
});

test("data that the kernel's tag does not cover", () => {
	const plain = { mark: 1, body: "return 0;", vectors: vectorLine(0) };
	const top = "volatile const __u32 answer = 0;";
	const object = compile(sourceOf({ ...plain, top, body: "return answer;" }));
	expect(rig.check([rig.bundle({ ...plain, object }).planned(blue)]).code).toBe("LOAD_UNSUPPORTED_MAP");
});

test("an address that no relocation gives would be a map of the loader's own", () => {
	const body = '__u64 v; __asm__("%0 = 7 ll" : "=r"(v)); return v & 1;';
	const object = Buffer.from(compile(sourceOf({ mark: 1, body })));
	const at = object.indexOf(Buffer.from([0x18, 1, 0, 0, 7, 0, 0, 0]));
	const found = at === -1 ? object.indexOf(Buffer.from([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])) - 4 : at;
	expect([object[found], object[found + 4]]).toEqual([0x18, 7]);
	object[found + 1]! |= 0x10;
	const edit = (m: Manifest) => void Object.assign(m.variants[0]!.programs[0]!, { insnsDigest: null });
	const answer = rig.check([
		rig.bundle({ mark: 1, body, object, edit, vectors: vectorLine(0) }).planned(blue),
	]);
	expect(answer.code).toBe("LOAD_OBJECT_INVALID");
	expect(answer.body.error.message).toContain("an address that is not one of its maps");
});
