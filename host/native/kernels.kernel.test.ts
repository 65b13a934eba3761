// Kernels that this machine does not have, seen through the system calls: strace answers some bpf() calls in the kernel's
// place, setarch changes what uname says.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, exists, make, REQUIRES, Rig } from "./fixture.ts";

let rig: Rig;
let blue: string;

beforeAll(() => {
	make("all");
	rig = new Rig();
	rig.mountBpffs();
	blue = rig.namespace("kernels");
});
afterAll(() => rig.dispose());

const inject = (what: string): string[] => [
	"strace",
	"-f",
	"-o",
	"/dev/null",
	"-e",
	"trace=bpf",
	"-e",
	`inject=bpf:${what}`,
];

/** The place of a bpf() command among the calls of a run, counted from 1: the last one of its kind, or the first after another. */
function place(command: string, run: (before: string[]) => Answer, after?: string): number {
	const log = join(rig.root, "calls");
	expect(run(["strace", "-f", "-o", log, "-e", "trace=bpf"]).code).toBe("ok");
	const order = [...readFileSync(log, "utf8").matchAll(/bpf\(([A-Z_]+)/g)].map((match) => match[1]);
	const at =
		after === undefined ? order.lastIndexOf(command) : order.indexOf(command, order.lastIndexOf(after));
	expect(at).toBeGreaterThan(-1);
	return at + 1;
}

test("strace can answer for the kernel here (without that, this file proves nothing)", () => {
	const traced = execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "pipe" });
	expect(traced.length).toBe(0);
});

test("a kernel without the program type: no variant fits, and the reason is told", () => {
	const before = inject("error=EINVAL:when=1+");
	const answer = rig.apply([rig.bundle({ mark: 1 }).planned(blue)], { before });
	expect(answer).toMatchObject({ code: "LOAD_UNSUPPORTED_KERNEL", exit: 1 });
	expect(answer.body.error.details.variants).toEqual({ generic: expect.stringContaining("link:netns") });
	expect(exists(rig.pins)).toBe(false);
	const probed = rig.run(["probe"], { before }).body;
	expect(probed.features["prog_type:flow_dissector"].have).toBe("no");
	expect(probed.features["link:netns"].have).toBe("unknown");
});

test("a kernel with the program type and without its links (5.7 and older)", () => {
	const planned = [rig.bundle({ mark: 1 }).planned(blue)];
	const at = place("BPF_LINK_CREATE", (before) => rig.check(planned, { before }));
	const answer = rig.check(planned, { before: inject(`error=EINVAL:when=${at}`) });
	expect(answer.code).toBe("LOAD_UNSUPPORTED_KERNEL");
	expect(answer.body.error.details.variants.generic).toContain("BPF_LINK_CREATE does not know this hook");
});

test("a kernel that refuses every bpf() call: unknown is not no", () => {
	const probed = rig.run(["probe"], { before: inject("error=ENOMEM:when=1+") }).body;
	expect(probed.features["prog_type:flow_dissector"]).toEqual({
		have: "unknown",
		reason: "BPF_PROG_LOAD: Cannot allocate memory",
	});
	expect(probed.kernelSignatures.have).toBe("unknown");
	const locked = rig.check([rig.bundle({ mark: 1 }).planned(blue)], {
		before: inject("error=EPERM:when=1+"),
	});
	expect(locked.code).toBe("LOAD_NO_PRIVILEGE");
});

test.each([
	["E2BIG", "no"],
	["EOPNOTSUPP", "no"],
	["EKEYREJECTED", "yes"],
	["EBADMSG", "yes"],
	["ENOMEM", "unknown"],
	["EPERM", "unknown"],
])("kernel signatures when BPF_PROG_LOAD says %s: %s", (errno, have) => {
	const probed = rig.run(["probe"], { before: inject(`error=${errno}:when=1+`) }).body;
	expect(probed.kernelSignatures.have).toBe(have);
});

test("the newest variant that fits is taken, by probe and not by trial", () => {
	const requires = { kernel: ">=99.0", features: REQUIRES.features };
	const bundle = rig.bundle({
		mark: 2,
		edit: (manifest) => {
			const [generic] = manifest.variants;
			manifest.variants = [{ ...generic!, name: "future", requires }, generic!];
		},
	});
	expect(rig.check([bundle.planned(blue)]).body.functions[0].variant).toBe("generic");
});

test("a kernel outside the range", () => {
	const old = rig.check([rig.bundle({ mark: 3 }).planned(blue)], {
		before: ["setarch", "x86_64", "--uname-2.6"],
	});
	expect(old.code).toBe("LOAD_UNSUPPORTED_KERNEL");
	expect(old.body.error.message).toContain("outside its kernel range");
});

test.each([
	[">=5.10 <99.0", "ok"],
	[">=5.10.0", "ok"],
	["<99.0.1", "ok"],
	[">=5.10 <5.11", "LOAD_UNSUPPORTED_KERNEL"],
	["<5.10", "LOAD_UNSUPPORTED_KERNEL"],
	["", "LOAD_UNSUPPORTED_KERNEL"],
	["5.10", "LOAD_UNSUPPORTED_KERNEL"],
	[">=5", "LOAD_UNSUPPORTED_KERNEL"],
	[">=5.10  <99.0", "LOAD_UNSUPPORTED_KERNEL"],
	[">=5.10 ", "LOAD_UNSUPPORTED_KERNEL"],
	[">=5.10.x", "LOAD_UNSUPPORTED_KERNEL"],
])("the kernel range `%s`: %s", (kernel, code) => {
	const bundle = rig.bundle({ mark: 4, requires: { kernel, features: REQUIRES.features } });
	expect(rig.check([bundle.planned(blue)]).code).toBe(code);
});

test("a feature that this loader does not know is not had", () => {
	const features = [...REQUIRES.features, "zz:unheard-of"];
	const bundle = rig.bundle({ mark: 5, requires: { kernel: ">=5.10", features } });
	const answer = rig.check([bundle.planned(blue)]);
	expect(answer.code).toBe("LOAD_UNSUPPORTED_KERNEL");
	expect(answer.body.error.message).toContain("zz:unheard-of");
});

test("a 6.18+ kernel whose tag is not that of the instructions", () => {
	const planned = [rig.bundle({ mark: 6 }).planned(blue)];
	const info = place("BPF_OBJ_GET_INFO_BY_FD", (before) => rig.check(planned, { before }), "BPF_PROG_LOAD");
	// The call is skipped and "succeeds": the answer stays all zero.
	const answer = rig.check(planned, { before: inject(`retval=0:when=${info}`) });
	expect(answer).toMatchObject({ code: "LOAD_TAG_UNEXPECTED", exit: 3 });
	expect(answer.body.error.details).toMatchObject({ kernelTag: "0000000000000000" });
});

test("another dissector takes the hook between the look and the attach", () => {
	const planned = [rig.bundle({ mark: 7 }).planned(blue)];
	const create = place("BPF_LINK_CREATE", (before) => rig.apply(planned, { before }));
	expect(rig.apply([]).code).toBe("ok");
	const answer = rig.apply(planned, { before: inject(`error=EEXIST:when=${create}`) });
	// Nothing holds this namespace's hook, so it is the root namespace or a child that excludes it.
	expect(answer).toMatchObject({ code: "LOAD_SCOPE_CONFLICT", exit: 1 });
	expect(answer.body.error.details.undone).toBe(true);
	expect(rig.run(["inspect"]).body.pins).toEqual([]);
});

test("the link turns to another program between the look and the swap", () => {
	const [one, two] = [rig.bundle({ mark: 8 }), rig.bundle({ mark: 9 })];
	rig.apply([one.planned(blue)]);
	const update = place("BPF_LINK_UPDATE", (before) => rig.apply([two.planned(blue)], { before }));
	rig.apply([one.planned(blue)]);
	const before = rig.run(["inspect"]).body;
	const answer = rig.apply([two.planned(blue)], { before: inject(`error=EPERM:when=${update}`) });
	expect(answer.code).toBe("LOAD_PROGRAM_CHANGED");
	expect(rig.run(["inspect"]).body).toEqual(before);
	rig.apply([]);
});
