// --leave: one function that may stay as it is where it fails. It is left alone to the last byte, it is never loaded, and it
// hides no failure of anybody else.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
	type Answer,
	compile,
	FAULTS,
	type Json,
	json,
	make,
	pinDir,
	planOf,
	Rig,
	type RunOptions,
	sourceOf,
	type TestBundle,
} from "./fixture.ts";

const FN = "flow-dissector";
let rig: Rig;
let blue: string;
let green: string;
let one: TestBundle;
let two: TestBundle;

beforeAll(() => make("all", "faults"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	[blue, green] = [rig.namespace("blue"), rig.namespace("green")];
	[one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
});
afterEach(() => rig.dispose());
afterAll(() => {
	expect(execFileSync("ip", ["netns", "list"], { encoding: "utf8" })).not.toContain(`-${process.pid}\n`);
});

/** Applies a plan in which the functions of `scopes` may stay as they are. */
function applyLeaving(
	functions: readonly Json[],
	scopes: readonly string[],
	options: RunOptions = {},
): Answer {
	const leave = scopes.flatMap((scope) => ["--leave", FN, scope]);
	return rig.run(["apply", "-", ...leave], { ...options, input: json(planOf(functions)) });
}

const seen = () => rig.run(["inspect", "--netns", blue.slice(6), "--netns", green.slice(6)]).body;
const damage = (bundle: TestBundle) => writeFileSync(join(bundle.dir, "obj/x.bpf.o"), "not what was signed");

test("the pins, the link and the program of what is left are the same afterwards", () => {
	rig.apply([one.planned(blue)]);
	const [before] = seen().pins;
	damage(one);
	const answer = applyLeaving([one.planned(blue), two.planned(green)], [blue]);
	expect(answer.body.left).toMatchObject([
		{ function: FN, scope: blue, running: true, error: { code: "LOAD_FILE_DIGEST" } },
	]);
	expect(answer.body.functions).toMatchObject([{ scope: green, step: "attach" }]);
	expect(seen().pins[0]).toEqual(before);
});

test("what is left and does not run is not loaded: nothing is attached, nothing pinned", () => {
	damage(one);
	const answer = applyLeaving([one.planned(blue)], [blue]);
	expect(answer.body).toMatchObject({ functions: [], left: [{ scope: blue, running: false }] });
	expect(seen()).toEqual({ ok: true, pins: [], foreign: [] });
});

test("a failure of what may not stay, or of everybody, is a failure", () => {
	rig.apply([one.planned(blue)]);
	const before = seen();
	damage(two);
	expect(applyLeaving([one.planned(blue), two.planned(green)], [blue]).code).toBe("LOAD_FILE_DIGEST");
	const fault = { loader: FAULTS, fault: "verified:fail" };
	expect(applyLeaving([one.planned(blue)], [blue], fault)).toMatchObject({ code: "LOAD_FAULT", exit: 70 });
	expect(seen()).toEqual(before);
});

test("a link that somebody else turned is left alone, and the others go on", () => {
	rig.apply([one.planned(blue)]);
	const dir = pinDir(rig, FN, blue);
	rmSync(join(dir, "prog"));
	const object = join(rig.root, "other.o");
	writeFileSync(object, compile(sourceOf({ mark: 9 })));
	const load = ["prog", "load", object, join(dir, "prog"), "type", "flow_dissector"];
	execFileSync("bpftool", load, { stdio: "pipe" });
	const [before] = seen().pins;
	const answer = applyLeaving([one.planned(blue), two.planned(green)], [blue]);
	expect(answer.body.left).toMatchObject([
		{ scope: blue, running: true, error: { code: "LOAD_PROGRAM_CHANGED" } },
	]);
	expect(seen().pins[0]).toEqual(before);
});

test("what is left and runs keeps its hook: another function in that namespace is refused", () => {
	rig.apply([one.planned(blue)]);
	damage(one);
	const acme = rig.bundle({ mark: 3, name: "acme-dissector", function: "acme" });
	const before = seen();
	expect(applyLeaving([one.planned(blue), acme.planned(blue)], [blue]).code).toBe("LOAD_HOOK_TAKEN");
	expect(seen()).toEqual(before);
});

test("an attach that the kernel refuses leaves that function out, and the others go on", () => {
	// With a dissector in a namespace, one in the root namespace is refused; here the kernel's answer is injected.
	const planned = [one.planned(blue), two.planned(green)];
	const inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e"];
	const create = placeOfFirstAttach(planned);
	const answer = applyLeaving(planned, [blue], {
		before: [...inject, `inject=bpf:error=E2BIG:when=${create}`],
	});
	expect(answer.body.left).toMatchObject([
		{ scope: blue, running: false, error: { code: "LOAD_SCOPE_CONFLICT" } },
	]);
	expect(answer.body.functions).toMatchObject([{ scope: green, step: "attach" }]);
	expect(seen().pins).toMatchObject([{ scope: green }]);
});

/** Which bpf() call of applying a plan attaches its first function of two: probes for the feature come before. */
function placeOfFirstAttach(planned: readonly Json[]): number {
	const log = join(rig.root, "calls");
	expect(rig.apply(planned, { before: ["strace", "-f", "-o", log, "-e", "trace=bpf"] }).code).toBe("ok");
	expect(rig.apply([]).code).toBe("ok");
	const calls = [...readFileSync(log, "utf8").matchAll(/bpf\(([A-Z_]+)/g)].map((match) => match[1]);
	return calls.lastIndexOf("BPF_LINK_CREATE", calls.lastIndexOf("BPF_LINK_CREATE") - 1) + 1;
}

test("a namespace that is gone leaves its function out", () => {
	const answer = applyLeaving(
		[one.planned("netns:/run/netns/kfn-load-none"), two.planned(green)],
		["netns:/run/netns/kfn-load-none"],
	);
	expect(answer.body.left).toMatchObject([{ running: false, error: { code: "LOAD_NETNS_GONE" } }]);
	expect(answer.body.functions).toMatchObject([{ scope: green, step: "attach" }]);
});

test("--leave is for functions of the plan, and takes two words", () => {
	const plan = join(rig.root, "plan.json");
	writeFileSync(plan, json(planOf([one.planned(blue)])));
	for (const args of [
		["--leave", FN, green],
		["--leave", "acme", blue],
		["--leave", FN],
		["--leave"],
		["--keep", FN, blue],
		["--leave", FN, blue, "x"],
	]) {
		for (const command of ["check", "apply"])
			expect(rig.run([command, plan, ...args]), args.join(" ")).toMatchObject({
				code: "LOAD_USAGE",
				exit: 2,
			});
	}
	expect(rig.run(["check", plan, "--leave", FN, blue]).body.left).toEqual([]);
});
