// What was revoked is gone from boot: no stage attaches it, none falls back to it, no initramfs carries it; and whatever is done to
// the file in which a host remembers, the loader answers with one of its codes.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { serializeRevoked } from "../recall/revoked.ts";
import { type Answer, ASAN, type Json, json, make, planOf, Rig, type TestBundle } from "./fixture.ts";

let rig: Rig;
let blue: string;
let red: string;
let [old, bad]: TestBundle[] = [];
beforeAll(() => make("all", "asan"), 240_000);
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	[blue, red] = [rig.namespace("blue"), rig.namespace("red")];
	[old, bad] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
});
afterEach(() => rig.dispose());

const state = (...parts: string[]) => join(rig.root, "var/lib/kfn", ...parts);

function generation(n: number, functions: readonly Json[], over: Json = {}): void {
	mkdirSync(state("generations", String(n)), { recursive: true });
	writeFileSync(state("generations", String(n), "plan.json"), json(planOf(functions, { generation: n })));
	const health = {
		generation: n,
		state: "good",
		kernels: [execFileSync("uname", ["-r"], { encoding: "utf8" }).trim()],
	};
	writeFileSync(state("generations", String(n), "health.json"), json({ ...health, ...over }));
}

function point(name: "current" | "good", n: number): void {
	rmSync(state(name), { force: true });
	symlinkSync(`generations/${n}`, state(name));
}

function revoke(...bundles: readonly TestBundle[]): void {
	const records = bundles.map((bundle, i) => ({
		...{ id: String(i).padStart(32, "0"), name: "flow-dissector", state: "revoked" as const, builds: [] },
		tags: [(bundle.planned(blue) as { tag: string }).tag],
		...{
			advisory: null,
			reason: "it is bad",
			issued: "2026-11-29T12:00:00Z",
			seen: "2026-11-29T12:00:01.000Z",
		},
	}));
	mkdirSync(state("recall"), { recursive: true });
	writeFileSync(state("recall/revoked.json"), serializeRevoked(records));
}

/** A boot that counts none before it. */
function boot(...args: string[]): Answer {
	for (const path of [state("boot.json"), join(rig.root, "run")])
		rmSync(path, { recursive: true, force: true });
	return rig.run(["boot", ...args]);
}

const told = ({ body }: Answer): Json => body.error?.details.boot ?? body;
const running = (): [string, string][] => {
	const pins = rig.run(["inspect"]).body.pins as { scope: string; link: { alive: boolean } | null }[];
	return pins.filter(({ link }) => link?.alive).map(({ scope }) => [scope, scope === blue ? "blue" : "red"]);
};
const names = () => running().map(([, name]) => name);

test("a revoked current generation gives way to the good one in the same boot", () => {
	generation(1, [old!.planned(blue)]);
	generation(2, [bad!.planned(blue)]);
	point("good", 1);
	point("current", 2);
	revoke(bad!);
	const record = told(boot());
	expect(record).toMatchObject({
		generation: 1,
		why: "refused",
		functions: [{ bundle: { version: "1.0.1" } }],
	});
	expect(record["refused"]).toMatchObject([{ generation: 2, error: { code: "LOAD_REVOKED" } }]);
});

test("the last known good is skipped where it is revoked: another that is, then what is left, then none", () => {
	generation(1, [old!.planned(blue)]);
	generation(2, [bad!.planned(blue)]);
	generation(3, [bad!.planned(blue), old!.planned(red)]);
	point("good", 2);
	point("current", 3);
	revoke(bad!);
	const record = told(boot());
	expect(record).toMatchObject({ generation: 3, why: "current", left: [{ scope: blue, running: false }] });
	expect(names()).toEqual(["red"]);
	// What came up at a boot would be fallen back to before what is marked good; it is revoked.
	point("good", 1);
	rmSync(rig.pins, { recursive: true });
	const counter = {
		schema: "kfn.boot-counter/1",
		bootId: "0".repeat(36),
		current: 3,
		generation: 3,
		booted: 2,
	};
	rmSync(join(rig.root, "run"), { recursive: true });
	writeFileSync(state("boot.json"), json({ ...counter, unfinished: [] }));
	expect(told(rig.run(["boot"]))).toMatchObject({ generation: 1, why: "refused" });
	expect(names()).toEqual(["blue"]);
	rmSync(rig.pins, { recursive: true });
	revoke(bad!, old!);
	expect(told(boot())["left"]).toHaveLength(2);
	expect(names()).toEqual([]);
});

test("what an older initramfs attached is taken off by the next stage", () => {
	generation(1, [bad!.planned(blue), old!.planned(red)]);
	point("current", 1);
	expect(boot("--stage", "initramfs").body).toMatchObject({
		ok: true,
		functions: [{ scope: blue }, { scope: red }],
	});
	revoke(bad!);
	expect(told(boot())).toMatchObject({ functions: [{ scope: red, step: "keep" }], left: [{ scope: blue }] });
	expect(names()).toEqual(["red"]);
});

test("an initramfs carries what is revoked, and no generation that is", () => {
	generation(1, [old!.planned("netns:root")]);
	for (const name of ["good", "current"] as const) point(name, 1);
	revoke(bad!);
	const into = join(rig.root, "image");
	expect(rig.run(["boot-copy", into]).body).toMatchObject({ ok: true, generation: 1 });
	const copied = join(into, "var/lib/kfn/recall/revoked.json");
	expect(readFileSync(copied)).toEqual(readFileSync(state("recall/revoked.json")));
	revoke(old!);
	const empty = join(rig.root, "empty");
	expect(rig.run(["boot-copy", empty]).body).toMatchObject({ ok: true, generation: 0, files: 0 });
	expect(existsSync(empty)).toBe(false);
});

test("a damaged file: nothing is loaded, one of the loader's codes is the answer, and the boot goes on", () => {
	generation(1, [old!.planned(blue)]);
	for (const name of ["good", "current"] as const) point(name, 1);
	revoke(old!, bad!);
	const whole = readFileSync(state("recall/revoked.json"), "utf8");
	const { revocations } = JSON.parse(whole) as { revocations: Json[] };
	const damaged = [
		"",
		"{}",
		whole.slice(0, -20),
		whole.replace("kfn.revoked/1", "kfn.revoked/2"),
		whole.replace('"tags"', '"tag"'),
		whole.replaceAll('"reason": "it is bad"', '"reason": null'),
		JSON.stringify({ schema: "kfn.revoked/1", revocations: {} }),
		JSON.stringify({ schema: "kfn.revoked/1", revocations: [{ ...revocations[0], tags: {} }] }),
		JSON.stringify({ schema: "kfn.revoked/1", revocations: [...revocations, 7] })
			.replace('"revoked"', '"withdrawn"')
			.replace('"revoked"', '"withdrawn"'),
	];
	for (const text of damaged) {
		writeFileSync(state("recall/revoked.json"), text);
		const { code, stderr } = rig.run(["check", state("generations/1/plan.json")], { loader: ASAN });
		expect([code, stderr], text).toEqual(["LOAD_REVOKED_INVALID", ""]);
	}
	expect(told(boot())).toMatchObject({ left: [{ scope: blue, error: { code: "LOAD_REVOKED_INVALID" } }] });
	expect(names()).toEqual([]);
});
