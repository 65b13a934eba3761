// The worked examples of docs/formats/plan.md and loader.md against what the loader really answers.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FAULTS, type Json, json, LOADER, make, PACKET, pinDir, planOf, Rig, vectorLine } from "./fixture.ts";

const DOCS = join(import.meta.dirname, "../../docs/formats");
const page = (name: string) => readFileSync(join(DOCS, `${name}.md`), "utf8");

/** The fenced block that is marked with this name. */
function example(text: string, name: string): string {
	const found = new RegExp(`^\`\`\`[a-z]+ ${name}\n(.*?)^\`\`\``, "ms").exec(text);
	if (found === null) throw new Error(`no example ${name}`);
	return found[1]!;
}

const VARIES = /^(id|netnsInode|xlatedBytes|loadedAt|jitedBytes|nanoseconds|programId|pinnedProgramId)$/;

/** What differs between two runs or machines, made equal: digests, ids, times, names with a process id, the kernel's release. */
function masked(value: unknown, key = ""): unknown {
	if (Array.isArray(value)) return value.map((item) => masked(item));
	if (typeof value === "object" && value !== null) {
		return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, masked(item, name)]));
	}
	if (typeof value === "number") return VARIES.test(key) ? "a number" : value;
	if (key === "kernel") return "a release";
	if (typeof value !== "string") return value;
	return value.replace(/\b[0-9a-f]{16}\b|\b[0-9a-f]{64}\b/g, "hex").replace(/(kfn-load-[a-z]+)-\d+/g, "$1");
}

/** Compared as text, so that the order of fields counts. */
function same(name: string, answer: unknown): void {
	const documented = JSON.parse(example(page("loader"), name));
	expect(JSON.stringify(masked(answer), null, 1)).toBe(JSON.stringify(masked(documented), null, 1));
}

let rig: Rig;
let blue: string;

beforeAll(() => {
	make("all", "faults");
	rig = new Rig();
	rig.mountBpffs();
	blue = rig.namespace("docs");
});
afterAll(() => rig.dispose());

test("plan.md: the example parses, and is refused for no reason but its absent bundle", () => {
	const plan = JSON.parse(example(page("plan"), "plan"));
	expect(rig.run(["check", "-"], { input: json(plan) }).body.error.message).toContain("is not in the store");
	const entry = plan.functions[0];
	for (const [place, name] of [
		...Object.keys(plan).map((key) => [plan, key]),
		...Object.keys(entry).map((key) => [entry, key]),
		...Object.keys(entry.bundle).map((key) => [entry.bundle, key]),
	]) {
		const kept = place[name];
		delete place[name];
		expect(rig.run(["check", "-"], { input: json(plan) }).code, name).toBe("LOAD_PLAN_INVALID");
		place[name] = kept;
	}
});

test("version, lock and probe", () => {
	same("version", rig.run(["version"]).body);
	const fd = openSync(join(rig.root, "lock"), "w");
	const done = spawnSync(LOADER, ["lock"], { stdio: ["ignore", "pipe", "inherit", fd], encoding: "utf8" });
	closeSync(fd);
	same("lock", JSON.parse(done.stdout));
	const probe = rig.run(["probe"]).body;
	// What a kernel has is its own; the words for it are fixed where the answers are.
	const documented = JSON.parse(example(page("loader"), "probe"));
	expect(Object.keys(probe)).toEqual(Object.keys(documented));
	expect(probe.features).toEqual(documented.features);
	expect(probe.bpffs).toEqual(documented.bpffs);
	if (probe.kernelSignatures.have === "no") expect(probe.kernelSignatures.reason).toMatch(/CONFIG_|6\.18/);
});

test("check, apply, inspect, replay and a failure", () => {
	const bundle = rig.bundle();
	const acme = rig.bundle({ mark: 2, name: "acme-dissector", function: "acme" });
	same("check", rig.check([bundle.planned(blue)]).body);
	expect(rig.apply([acme.planned(blue)]).code).toBe("ok");
	same("apply", rig.apply([bundle.planned(blue)]).body);

	same("prove", rig.run(["prove", "-"], { input: json(planOf([bundle.planned(blue)])) }).body);

	const [watching, watched] = rig.run(["watch", "flow-dissector", blue]).lines;
	const [first, last] = example(page("loader"), "watch").trimEnd().split("\n");
	expect(watching).toBe(first);
	expect(shapeOf(JSON.parse(watched!))).toEqual(shapeOf(JSON.parse(last!)));

	const other = rig.namespace("other");
	rig.attachForeign(other);
	same("inspect", rig.run(["inspect", "--netns", other.slice(6)]).body);

	const head = Buffer.alloc(8);
	head.writeUInt32LE(PACKET.length);
	const replayed = rig.run(["replay", "flow-dissector", blue], { input: Buffer.concat([head, PACKET]) });
	expect(replayed.lines).toEqual(example(page("loader"), "replay").trimEnd().split("\n"));

	const trusted = readFileSync(rig.trustFile);
	rig.trust([{ names: ["acme-*"], threshold: 1, keys: [rig.key.line] }]);
	const leave = ["--leave", "flow-dissector", blue];
	const input = json(planOf([bundle.planned(blue)]));
	same("left", rig.run(["apply", "-", ...leave], { input }).body.left[0]);
	writeFileSync(rig.trustFile, trusted);

	const wrong = rig.bundle({ vectors: vectorLine(1, { retval: 2 }) });
	same("failure", rig.apply([wrong.planned(blue)]).body);
	expect(rig.apply([]).code).toBe("ok");
});

/** A value with every leaf gone: numbers, and what this kernel cannot count, differ. */
function shapeOf(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(shapeOf);
	if (typeof value !== "object" || value === null) return "a leaf";
	const fields = Object.entries(value).map(([name, item]) => [
		name,
		name === "verdicts" ? "counts" : shapeOf(item),
	]);
	return Object.fromEntries(fields);
}

test("the pin's name", () => {
	const [scope, name] = example(page("loader"), "pin-name").trimEnd().split("\n") as [string, string];
	expect(pinDir(rig, "flow-dissector", scope)).toBe(join(rig.pins, "flow-dissector", name));
	mkdirSync(pinDir(rig, "flow-dissector", scope), { recursive: true });
	expect(rig.run(["inspect"]).body.pins).toMatchObject([
		{ scope, link: null, programs: [], pinnedProgramId: null },
	]);
	expect(rig.apply([]).body.detached).toEqual([{ function: "flow-dissector", scope }]);
});

test("the table of kills has every fault point, in order", () => {
	const { faults } = rig.run(["faults"], { loader: FAULTS }).body as Json;
	const rows = [...page("loader").matchAll(/^\| `([a-z-]+)` *\| /gm)].map((row) => row[1]);
	expect(rows).toEqual(faults);
});

test("every code that the pages name is in the table, and every command in the usage", () => {
	const { errors } = rig.run(["errors"]).body;
	const codes = errors.map((error: { code: string }) => error.code);
	for (const [code] of `${page("plan")}${page("loader")}`.matchAll(/LOAD_[A-Z_]*[A-Z](?![A-Z_…])/g)) {
		expect(codes).toContain(code);
	}
	const usage = /^kfn-load \[.*$/m.exec(page("loader"))![0];
	expect(rig.run([]).body.error.hint).toBe(usage);
});
