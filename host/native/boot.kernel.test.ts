// kfn-load boot, boot-good and boot-copy in namespaces of their own: what is chosen, what is counted, and that nothing stops a
// boot. Another boot is another boot_id, bound over the machine's in a mount namespace of the loader's own.
import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
	type Answer,
	exists,
	type Json,
	json,
	LOADER,
	make,
	pinDir,
	planOf,
	Rig,
	type TestBundle,
} from "./fixture.ts";

let rig: Rig;
let scope: string;
beforeAll(() => make("all"), 120_000);
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	scope = rig.namespace("boot");
});
afterEach(() => rig.dispose());

const state = (...parts: string[]) => join(rig.root, "var/lib/kfn", ...parts);
const readState = (...parts: string[]): Json => JSON.parse(readFileSync(state(...parts), "utf8")) as Json;

function generation(n: number, functions: readonly Json[]): void {
	mkdirSync(state("generations", String(n)), { recursive: true });
	writeFileSync(state("generations", String(n), "plan.json"), json(planOf(functions, { generation: n })));
}

function point(name: "current" | "good", n: number): void {
	rmSync(state(name), { force: true });
	symlinkSync(`generations/${n}`, state(name));
}

/** Runs the loader as in the boot `id`, with this kernel command line. */
function inBoot(id: string, args: readonly string[], cmdline = "quiet"): Answer {
	const files = { boot_id: join(rig.root, "boot_id"), cmdline: join(rig.root, "cmdline") };
	writeFileSync(files.boot_id, `${id}\n`);
	writeFileSync(files.cmdline, `${cmdline}\n`);
	const script = `mount --bind ${files.boot_id} /proc/sys/kernel/random/boot_id && mount --bind ${files.cmdline} /proc/cmdline && exec "$@"`;
	return rig.run(args, { before: ["unshare", "-m", "sh", "-c", script, "boot"] });
}

/** A boot from its start, when nothing is pinned. */
function boot(cmdline?: string): Answer & { readonly id: string } {
	rmSync(rig.pins, { recursive: true, force: true });
	rmSync(join(rig.root, "run"), { recursive: true, force: true });
	const id = randomUUID();
	return { ...inBoot(id, ["boot"], cmdline), id };
}

function markOf(bundle: TestBundle): string {
	return `1.0.${/"version": "1\.0\.(\d+)"/.exec(bundle.manifest.toString())?.[1]}`;
}

function running(): string[] {
	const pins = rig.run(["inspect"]).body.pins as { scope: string; link: { alive: boolean } | null }[];
	return pins.filter(({ link }) => link?.alive).map((pin) => pin.scope);
}

test("the current generation is counted, attached, recorded, and good once the machine is up", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	point("current", 1);
	const first = boot();
	expect(first.body).toMatchObject({
		ok: true,
		stage: "system",
		off: null,
		generation: 1,
		why: "current",
		counted: true,
	});
	expect(first.body.functions).toMatchObject([{ scope, step: "attach", verified: "loader" }]);
	expect(first.body.endMicroseconds).toBeGreaterThan(first.body.startMicroseconds);
	expect(running()).toEqual([scope]);
	const record = JSON.parse(readFileSync(join(rig.root, "run/kfn/boot/system.json"), "utf8"));
	expect({ ok: true, ...record }).toEqual(first.body);
	const unfinished = [{ generation: 1, boots: 1 }];
	expect(readState("boot.json")).toEqual({
		schema: "kfn.boot-counter/1",
		bootId: first.id,
		current: 1,
		generation: 1,
		booted: 0,
		unfinished,
	});

	expect(inBoot(first.id, ["boot-good"]).body).toEqual({ ok: true, generation: 1, good: true });
	expect(readState("boot.json")).toMatchObject({ unfinished: [], booted: 1 });
	const kernels = [execFileSync("uname", ["-r"], { encoding: "utf8" }).trim()];
	expect(readState("good", "health.json")).toMatchObject({ state: "good", by: "boot", kernels });
	expect(readState("good", "plan.json")["generation"]).toBe(1);
});

test("boots that do not reach good: current, then the good one, then none; good again after it", () => {
	const [old, current] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	generation(1, [old.planned(scope)]);
	generation(2, [current.planned(scope)]);
	point("good", 1);
	point("current", 2);
	const version = (answer: Answer) => answer.body.functions[0]?.bundle.version;
	const [first, second, third] = [boot(), boot(), boot()];
	expect([first, second, third].map(({ body }) => [body.generation, body.why])).toEqual([
		[2, "current"],
		[1, "unfinished"],
		[0, "unfinished"],
	]);
	expect([version(first), version(second), version(third)]).toEqual([
		markOf(current),
		markOf(old),
		undefined,
	]);
	expect(running()).toEqual([]);
	expect(inBoot(third.id, ["boot-good"]).body).toEqual({ ok: true, generation: 0, good: false });
	// That the machine comes up without them does not clear either of them.
	expect(boot().body.generation).toBe(0);
	// A change makes another generation, which nothing speaks against.
	generation(3, [current.planned(scope)]);
	point("current", 3);
	const fourth = boot();
	expect(fourth.body).toMatchObject({ generation: 3, why: "current" });
	expect(inBoot(fourth.id, ["boot-good"]).body).toEqual({ ok: true, generation: 3, good: true });
	expect(boot().body.unfinished).toEqual([{ generation: 3, boots: 1 }]);
});

test("a generation that is current and good gets a second boot: the first may have been a power cut", () => {
	generation(1, [rig.bundle().planned(scope)]);
	point("good", 1);
	point("current", 1);
	expect([boot(), boot(), boot()].map(({ body }) => body.generation)).toEqual([1, 1, 0]);
});

test("what came up at a boot is what a boot falls back to, though another was watched and called good since", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [rig.bundle({ mark: 2 }).planned(scope)]);
	point("current", 1);
	inBoot(boot().id, ["boot-good"]);
	point("current", 2);
	point("good", 2);
	expect([boot(), boot(), boot()].map(({ body }) => body.generation)).toEqual([2, 1, 0]);
});

test("a generation that is marked bad is no fallback, even if it came up once", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [rig.bundle({ mark: 2 }).planned(scope)]);
	point("current", 1);
	inBoot(boot().id, ["boot-good"]);
	writeFileSync(state("generations/1/health.json"), json({ generation: 1, state: "bad", kernels: [] }));
	point("current", 2);
	rmSync(state("good"));
	expect([boot(), boot()].map(({ body }) => body.generation)).toEqual([2, 0]);
});

test("a good generation that took over stays, and is not called good anew, until something is changed", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [rig.bundle({ mark: 2 }).planned(scope)]);
	point("good", 1);
	point("current", 2);
	boot();
	const second = boot();
	expect(inBoot(second.id, ["boot-good"]).body).toEqual({ ok: true, generation: 1, good: false });
	const third = boot();
	expect(third.body).toMatchObject({ generation: 1, why: "unfinished" });
	// Starting the unit once more is not another boot.
	expect(inBoot(third.id, ["boot"]).body).toMatchObject({
		generation: 1,
		why: "this-boot",
		functions: [{ step: "keep" }],
	});
	expect(readState("boot.json")["unfinished"]).toEqual(third.body.unfinished);
});

test("a generation that is refused gives way to the good one in the same boot, and is tried again at the next", () => {
	const broken = rig.bundle({ mark: 2 });
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [broken.planned(scope)]);
	point("good", 1);
	point("current", 2);
	const object = join(broken.dir, "obj/x.bpf.o");
	const bytes = readFileSync(object);
	writeFileSync(
		object,
		bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte)),
	);
	const first = boot();
	expect(first).toMatchObject({ exit: 1, code: "LOAD_BOOT_INCOMPLETE" });
	const { boot: record } = first.body.error.details;
	expect(record).toMatchObject({ generation: 1, why: "refused", left: [] });
	expect(record.refused).toMatchObject([
		{ generation: 2, parts: false, error: { code: "LOAD_FILE_DIGEST" } },
	]);
	expect(running()).toEqual([scope]);
	writeFileSync(object, bytes);
	expect(boot().body).toMatchObject({ ok: true, generation: 2, why: "current" });
});

test("without a good generation what can be proved is loaded, and the rest is left to the kernel's own code", () => {
	const other = rig.namespace("boot2");
	const forged = rig.bundle({ mark: 2, signatures: () => Buffer.from("{}") });
	generation(1, [rig.bundle({ mark: 1 }).planned(scope), forged.planned(other)]);
	point("current", 1);
	const { boot: record } = boot().body.error.details;
	expect(record.left).toMatchObject([
		{ scope: other, error: { code: "LOAD_SIGNATURE_MALFORMED" }, running: false },
	]);
	expect(running()).toEqual([scope]);
	// Up, and counted as such, but a generation of which a part was refused is not good.
	expect(inBoot(record.bootId, ["boot-good"]).body).toEqual({ ok: true, generation: 1, good: false });
	expect(existsSync(state("good"))).toBe(false);
	expect(boot().body.error.details.boot).toMatchObject({ generation: 1, why: "current" });
});

test("a plan that cannot be read stops neither the boot nor the good generation", () => {
	generation(1, [rig.bundle().planned(scope)]);
	generation(2, []);
	writeFileSync(state("generations/2/plan.json"), "{");
	point("good", 1);
	point("current", 2);
	expect(boot().body.error.details.boot).toMatchObject({
		generation: 1,
		refused: [{ generation: 2, error: { code: "LOAD_PLAN_INVALID" } }],
	});
	rmSync(state("good"));
	const second = boot().body.error.details.boot;
	expect(second).toMatchObject({ generation: 0, why: "refused", functions: [] });
	rmSync(state("current"));
	symlinkSync("../../etc", state("current"));
	expect(boot().body.error.details.boot).toMatchObject({ generation: 0, current: -1 });
	writeFileSync(state("boot.json"), "\0");
	point("current", 1);
	expect(boot().body).toMatchObject({ ok: true, generation: 1 });
});

test.each(["kfn=off", "quiet kfn=off ro"])("the kernel parameter switches everything off: %s", (cmdline) => {
	generation(1, [rig.bundle().planned(scope)]);
	point("current", 1);
	const answer = boot(cmdline);
	expect(answer.body).toMatchObject({ ok: true, off: "parameter", why: "off", generation: 0, functions: [] });
	expect(running()).toEqual([]);
	expect(existsSync(state("boot.json"))).toBe(false);
	expect(inBoot(answer.id, ["boot", "--stage", "again"], cmdline).body).toMatchObject({ why: "off" });
	expect(running()).toEqual([]);
});

test("only the whole word switches off", () => {
	generation(1, [rig.bundle().planned(scope)]);
	point("current", 1);
	expect(boot("xkfn=off kfn=offline kfn=on").body).toMatchObject({ off: null, generation: 1 });
});

test("the file switches off too, and takes off what the initramfs attached before it knew", () => {
	generation(1, [rig.bundle().planned(scope)]);
	point("current", 1);
	const id = randomUUID();
	expect(inBoot(id, ["boot", "--stage", "initramfs"]).body).toMatchObject({
		stage: "initramfs",
		counted: false,
	});
	expect(existsSync(state("boot.json"))).toBe(false);
	expect(running()).toEqual([scope]);
	writeFileSync(join(rig.root, "etc/kfn/off"), "");
	expect(inBoot(id, ["boot"]).body).toMatchObject({ off: "file", detached: [{ scope }] });
	expect(running()).toEqual([]);
});

test("what the initramfs attached is kept where it is the same, and replaced where it is not", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [rig.bundle({ mark: 2 }).planned(scope)]);
	point("current", 1);
	const id = randomUUID();
	inBoot(id, ["boot", "--stage", "initramfs"]);
	expect(inBoot(id, ["boot"]).body.functions).toMatchObject([{ step: "keep" }]);
	point("current", 2);
	expect(inBoot(randomUUID(), ["boot"]).body.functions).toMatchObject([{ step: "replace" }]);
});

test("a namespace that appears later gets its function, and nothing is read where nothing is missing", () => {
	const bundle = rig.bundle();
	const later = scope.replace("boot", "later");
	generation(1, [bundle.planned(scope), bundle.planned(later)]);
	point("current", 1);
	const first = boot();
	expect(first.body).toMatchObject({ ok: true, absent: [{ scope: later }] });
	expect(running()).toEqual([scope]);
	rig.namespace("later");
	const again = ["boot", "--stage", "again"];
	expect(inBoot(first.id, again).body).toMatchObject({ stage: "again", why: "current", absent: [] });
	expect(running()).toEqual([scope, later].sort());
	rmSync(bundle.dir, { recursive: true });
	expect(inBoot(first.id, again).body).toMatchObject({ ok: true, why: "nothing-missing", functions: [] });
});

test("a later run attaches what an operator changed to since, not what the boot chose", () => {
	generation(1, [rig.bundle({ mark: 1 }).planned(scope)]);
	generation(2, [rig.bundle({ mark: 2 }).planned(scope)]);
	point("current", 1);
	const first = boot();
	point("current", 2);
	rmSync(rig.pins, { recursive: true });
	expect(inBoot(first.id, ["boot", "--stage", "again"]).body).toMatchObject({ generation: 2 });
	expect(inBoot(first.id, ["boot-good"]).body).toEqual({ ok: true, generation: 1, good: false });
});

test("a function that is gone when the machine is up keeps its generation from good, and the next boot passes it over", () => {
	generation(1, [rig.bundle().planned(scope)]);
	point("current", 1);
	const { id } = boot();
	rmSync(rig.pins, { recursive: true });
	expect(inBoot(id, ["boot-good"])).toMatchObject({ exit: 1, code: "LOAD_NOT_ACTIVE" });
	expect(boot().body).toMatchObject({ generation: 0, why: "unfinished" });
	expect(inBoot(randomUUID(), ["boot-good"])).toMatchObject({ exit: 1, code: "LOAD_FILE_UNREADABLE" });
});

test("the bpffs is mounted where it is missing", () => {
	generation(1, [rig.bundle().planned(scope)]);
	point("current", 1);
	rig.unmountBpffs();
	try {
		expect(rig.run(["boot"]).body).toMatchObject({ ok: true, functions: [{ step: "attach" }] });
		expect(exists(pinDir(rig, "flow-dissector", scope))).toBe(true);
		rmSync(rig.pins, { recursive: true });
	} finally {
		execFileSync("umount", [join(rig.root, "sys/fs/bpf")]);
	}
});

test("boot-copy takes exactly what a boot of the root namespace needs, of a good current generation only", () => {
	const bundle = rig.bundle();
	generation(1, [bundle.planned("netns:root"), rig.bundle({ mark: 2 }).planned(scope)]);
	point("current", 1);
	const into = join(rig.root, "image");
	const copy = () => rig.run(["boot-copy", into, "--release", "6.1.0-test"]);
	expect(copy().body).toMatchObject({ ok: true, generation: 0, files: 0 });
	expect(existsSync(into)).toBe(false);
	point("good", 1);
	expect(copy().body).toMatchObject({ generation: 0 });
	expect(rig.run(["boot-copy", into]).body).toMatchObject({ generation: 0 });
	writeFileSync(
		state("generations/1/health.json"),
		json({ generation: 1, state: "good", kernels: ["6.1.0-test"] }),
	);
	expect(rig.run(["boot-copy", into, "--release", "6.1.0-other"]).body).toMatchObject({ generation: 0 });
	expect(existsSync(into)).toBe(false);
	writeFileSync(join(bundle.dir, "kfn.kernel-sig.json"), "for the kernel");
	mkdirSync(join(rig.root, "etc/kfn/trust/kernel-keys"));
	writeFileSync(join(rig.root, "etc/kfn/trust/kernel-keys/00.der"), "a certificate");
	expect(copy().body).toMatchObject({ ok: true, generation: 1, files: 9 });
	const files = execFileSync("find", [".", "!", "-type", "d", "-printf", "%P\\n"], {
		cwd: into,
		encoding: "utf8",
	});
	const entry = `var/lib/kfn/store/${bundle.dir.split("/").at(-1)}`;
	expect(files.trim().split("\n").sort()).toEqual([
		"etc/kfn/trust/kernel-keys/00.der",
		"etc/kfn/trust/publishers.json",
		"usr/lib/kfn/kfn-load",
		"var/lib/kfn/current",
		"var/lib/kfn/generations/1/plan.json",
		"var/lib/kfn/good",
		`${entry}/kfn.json`,
		`${entry}/kfn.kernel-sig.json`,
		`${entry}/kfn.sig.json`,
		`${entry}/obj/x.bpf.o`,
		`${entry}/vectors/basic.jsonl`,
	]);
	expect(readFileSync(join(into, "usr/lib/kfn/kfn-load")).equals(readFileSync(LOADER))).toBe(true);
	expect(readState("initramfs", "6.1.0-test.json")).toEqual({
		schema: "kfn.initramfs/1",
		release: "6.1.0-test",
		generation: 1,
	});
	for (const root of [rig.root, into]) {
		rmSync(join(root, entry, "kfn.kernel-sig.json"));
		rmSync(join(root, "etc/kfn/trust/kernel-keys"), { recursive: true });
	}
	rig.trust([]);
	expect(copy().code).toBe("LOAD_PUBLISHERS_NO_MATCH");
	// The registry's map travels with what authenticates it: the image proves the bundle as the host does.
	rig.trustRegistry([{ names: ["flow-*"], threshold: 1, keys: [rig.key.line] }]);
	expect(copy().body).toMatchObject({ ok: true, files: 9 });
	const image = ["--root", into, "check", join(into, "var/lib/kfn/current/plan.json")];
	const check = () => JSON.parse(spawnSync(LOADER, image, { encoding: "utf8" }).stdout).error?.code ?? "ok";
	writeFileSync(image[3]!, json(planOf([bundle.planned("netns:root")])));
	expect(check()).toBe("ok");
	writeFileSync(join(into, "var/lib/kfn/tuf/current/publishers.json"), "{}");
	expect(check()).toBe("LOAD_PUBLISHERS_INVALID");
	expect(rig.run(["boot-copy", into, "--release", "../x"]).code).toBe("LOAD_USAGE");
});

/** The fenced block of docs/formats/boot.md that is marked with this name. */
function example(name: string): Json {
	const page = readFileSync(join(import.meta.dirname, "../../docs/formats/boot.md"), "utf8");
	const found = new RegExp(`^\`\`\`json ${name}\n(.*?)^\`\`\``, "ms").exec(page);
	if (found === null) throw new Error(`no example ${name}`);
	return JSON.parse(found[1]!) as Json;
}

/** A document with every leaf replaced by the name of its type. */
function shapeOf(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(shapeOf);
	if (typeof value !== "object" || value === null) return typeof value;
	return Object.entries(value).map(([name, item]) => [name, shapeOf(item)]);
}

test("docs/formats/boot.md shows what is written", () => {
	const broken = rig.bundle({ mark: 2, signatures: () => Buffer.from("{}") });
	generation(1, [rig.bundle().planned(scope), rig.bundle().planned(scope.replace("boot", "later"))]);
	generation(2, [broken.planned(scope)]);
	point("good", 1);
	writeFileSync(
		state("generations/1/health.json"),
		json({ generation: 1, kernels: ["6.12.41-cloud-amd64"] }),
	);
	point("current", 1);
	rig.run(["boot-copy", join(rig.root, "image"), "--release", "6.12.41-cloud-amd64"]);
	expect(readState("initramfs/6.12.41-cloud-amd64.json")).toEqual({ ...example("initramfs"), generation: 1 });
	point("current", 2);
	boot();
	const record = JSON.parse(readFileSync(join(rig.root, "run/kfn/boot/system.json"), "utf8"));
	expect(shapeOf(record)).toEqual(shapeOf(example("record")));
	expect(shapeOf(readState("boot.json"))).toEqual(shapeOf(example("counter")));
});
