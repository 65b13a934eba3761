// A store and a trust file in an attacker's hands: nothing is attached, and the exit code says that it was an attack.
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	type Answer,
	type BundleSpec,
	compile,
	exists,
	type Manifest,
	make,
	newKey,
	Rig,
	sha256,
	sourceOf,
	type TestBundle,
	vectorLine,
} from "./fixture.ts";

let rig: Rig;
let blue: string;

beforeAll(() => {
	make("all");
	rig = new Rig();
	rig.mountBpffs();
	blue = rig.namespace("attack");
});
afterAll(() => rig.dispose());

/** Applies a bundle that must be refused, and proves that nothing runs. */
function refused(
	code: string,
	exit: number,
	spec: BundleSpec,
	tamper?: (bundle: TestBundle) => void,
): Answer {
	const bundle = rig.bundle(spec);
	tamper?.(bundle);
	const answer = rig.apply([bundle.planned(blue)]);
	expect(answer).toMatchObject({ code, exit, stderr: "" });
	expect(answer.body.error.details).toMatchObject({ function: "flow-dissector", scope: blue });
	expect(rig.run(["inspect", "--netns", blue.slice(6)]).body).toEqual({ ok: true, pins: [], foreign: [] });
	expect(exists(rig.pins)).toBe(false);
	return answer;
}

const program = (manifest: Manifest) => manifest.variants[0]!.programs[0]!;

function rewrite(bundle: TestBundle, path: string, change: (bytes: Buffer) => Buffer): void {
	const file = join(bundle.dir, path);
	writeFileSync(file, change(readFileSync(file)));
}

test("the untouched bundle is fine (or nothing below would mean anything)", () => {
	expect(rig.apply([rig.bundle({ mark: 41 }).planned(blue)]).code).toBe("ok");
	expect(rig.apply([]).code).toBe("ok");
	rmSync(rig.pins, { recursive: true, force: true });
});

test("one flipped bit in the object", () => {
	refused("LOAD_FILE_DIGEST", 3, { mark: 10 }, (bundle) =>
		rewrite(bundle, "obj/x.bpf.o", (bytes) => {
			bytes[200]! ^= 1;
			return bytes;
		}),
	);
});

test("another sound object in its place", () => {
	refused("LOAD_FILE_DIGEST", 3, { mark: 11 }, (bundle) =>
		rewrite(bundle, "obj/x.bpf.o", () => compile(sourceOf({ mark: 12 }))),
	);
});

test("a longer and a shorter object", () => {
	refused("LOAD_FILE_DIGEST", 3, { mark: 13 }, (bundle) =>
		rewrite(bundle, "obj/x.bpf.o", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
	);
	refused("LOAD_FILE_DIGEST", 3, { mark: 14 }, (bundle) => truncateSync(join(bundle.dir, "obj/x.bpf.o"), 0));
});

test("a vector removed, so that a wrong program would pass", () => {
	const vectors = vectorLine(15) + vectorLine(15, { name: "second" });
	refused("LOAD_FILE_DIGEST", 3, { mark: 15, vectors }, (bundle) =>
		rewrite(bundle, "vectors/basic.jsonl", () => Buffer.from(vectorLine(15))),
	);
});

test("the object as a symlink, and its folder as one", () => {
	refused("LOAD_FILE_UNREADABLE", 1, { mark: 16 }, (bundle) => {
		renameSync(join(bundle.dir, "obj/x.bpf.o"), join(rig.root, "elsewhere.o"));
		symlinkSync(join(rig.root, "elsewhere.o"), join(bundle.dir, "obj/x.bpf.o"));
	});
	refused("LOAD_FILE_UNREADABLE", 1, { mark: 17 }, (bundle) => {
		renameSync(join(bundle.dir, "obj"), join(rig.root, "obj-elsewhere"));
		symlinkSync(join(rig.root, "obj-elsewhere"), join(bundle.dir, "obj"));
	});
});

test("the whole bundle as a symlink", () => {
	refused("LOAD_FILE_UNREADABLE", 1, { mark: 18 }, (bundle) => {
		renameSync(bundle.dir, join(rig.root, "bundle-elsewhere"));
		symlinkSync(join(rig.root, "bundle-elsewhere"), bundle.dir);
	});
});

test("a FIFO and an endless device instead of the object", () => {
	refused("LOAD_FILE_UNREADABLE", 1, { mark: 19 }, (bundle) => {
		rmSync(join(bundle.dir, "obj/x.bpf.o"));
		execFileSync("mkfifo", [join(bundle.dir, "obj/x.bpf.o")]);
	});
	refused("LOAD_FILE_UNREADABLE", 1, { mark: 20 }, (bundle) => {
		rmSync(join(bundle.dir, "obj/x.bpf.o"));
		execFileSync("mknod", [join(bundle.dir, "obj/x.bpf.o"), "c", "1", "5"]);
	});
});

test("a sparse file of a terabyte instead of the object", () => {
	refused("LOAD_FILE_TOO_LARGE", 1, { mark: 21 }, (bundle) =>
		truncateSync(join(bundle.dir, "obj/x.bpf.o"), 2 ** 40),
	);
});

test("a signed manifest that asks for less than the object's note", () => {
	const answer = refused("LOAD_NOTE_MISMATCH", 3, {
		mark: 22,
		edit: (manifest) => {
			manifest.variants[0]!.requires = { kernel: ">=5.8", features: [] };
		},
	});
	expect(answer.body.error.message).toContain(".note.kfn");
});

test.each([
	["no note", "/* none */"],
	["the note of another function", 'KFN_NOTE("other", "1", ">=5.10", KFN_FEATURE("link:netns"));'],
])("an object with %s", (_, note) => {
	refused("LOAD_NOTE_MISMATCH", 3, { mark: 23, note });
});

test("an object with two notes", () => {
	const note = 'KFN_NOTE("flow-dissector", "1", ">=5.10", KFN_FEATURE("link:netns"));';
	const object = compile(sourceOf({ mark: 24, note: `${note}\n${note}` }));
	refused("LOAD_OBJECT_INVALID", 1, { mark: 24, body: "skb->flow_keys->ip_proto = 24; return 0;", object });
});

test("an instruction digest or count that is not the object's", () => {
	const wrong = (over: Partial<Record<string, unknown>>) => (m: Manifest) =>
		void Object.assign(program(m), over);
	refused("LOAD_INSNS_DIGEST", 3, { mark: 25, edit: wrong({ insnsDigest: sha256("") }) });
	refused("LOAD_OBJECT_INVALID", 1, { mark: 26, edit: wrong({ insns: 4 }) });
	refused("LOAD_OBJECT_INVALID", 1, { mark: 27, edit: wrong({ name: "other" }) });
	refused("LOAD_OBJECT_INVALID", 1, { mark: 28, edit: wrong({ section: "xdp" }) });
	refused("LOAD_UNSUPPORTED_PROGRAM", 1, { mark: 29, edit: wrong({ type: "sched_cls", hook: "tc" }) });
});

test("a subprogram that is not the one that the digest covers", () => {
	const of = (bit: number) =>
		`__attribute__((noinline)) static int other(int x) { __asm__ volatile(""); return x & ${bit}; }`;
	const body = "skb->flow_keys->ip_proto = other(skb->flow_keys->nhoff); return 0;";
	const spec = { mark: 30, body, vectors: vectorLine(30, { out: undefined }) };
	const honest = rig.check([rig.bundle({ ...spec, top: of(1) }).planned(blue)]);
	const [{ insnsDigest, kernelTag }] = honest.body.functions[0].programs;
	expect(kernelTag).toBe(insnsDigest.slice(0, 16));
	refused("LOAD_INSNS_DIGEST", 3, {
		...spec,
		top: of(2),
		edit: (m) => void Object.assign(program(m), { insnsDigest }),
	});
});

test("a program that the verifier rejects: one short line, and the end of the log in the details", () => {
	const long = "skb->flow_keys->ip_proto += ((volatile struct bpf_flow_keys *)skb->flow_keys)->nhoff;".repeat(
		200,
	);
	const body = `${long} return *(volatile int *)((long)skb->flow_keys + 4000);`;
	const answer = refused("LOAD_VERIFIER_REJECTED", 1, { mark: 33, body });
	const { message, details } = answer.body.error;
	expect(message).toBe("the object: the kernel's verifier rejected the program");
	expect(details.verifierLog).toMatch(/invalid access to flow keys off=4000/);
	expect(details.verifierLog.length).toBe(4096);
	expect(details.errno).toBe("EACCES");
});

test("terminal escapes in the source lines that the verifier's log quotes", () => {
	const body = 'return *(volatile int *)(long)(skb->data + 4000 + sizeof("\x1b[31m\u009b31m") * 0);';
	const answer = refused("LOAD_VERIFIER_REJECTED", 1, { mark: 34, body });
	expect(answer.body.error.details.verifierLog).toContain("?[31m");
	expect(answer.lines[0]).not.toMatch(/\\u001b|[\u0080-\u009f]/);
});

test("parameters that the program does not have, or kept state, which would silently be ignored", () => {
	const edit = (over: Record<string, unknown>) => (m: Manifest) => void Object.assign(m, over);
	const config = { ports: { type: "u32", default: 1, summary: "x" } };
	refused("LOAD_UNSUPPORTED_CONFIG", 1, { mark: 35, edit: edit({ config }) });
	refused("LOAD_UNSUPPORTED_MAP", 1, { mark: 36, edit: edit({ state: [{ map: "m", migrate: "keep" }] }) });
});

test("a manifest that was never this plan's, though its publisher signed it", () => {
	const old = rig.bundle({ mark: 37, version: "1.0.0" });
	const asked = old.planned(blue);
	const upgrade = { ...asked, bundle: { ...(asked["bundle"] as object), version: "2.0.0" } };
	expect(rig.apply([upgrade])).toMatchObject({ code: "LOAD_MANIFEST_MISMATCH", exit: 3 });
	expect(rig.apply([{ ...asked, tag: `kfn1:${sha256("")}` }])).toMatchObject({
		code: "LOAD_MANIFEST_MISMATCH",
	});
	expect(rig.apply([{ ...asked, abi: 2 }])).toMatchObject({ code: "LOAD_MANIFEST_MISMATCH" });
});

test("a tag that leaves a source out, or is of other sources", () => {
	const more = (m: Manifest) => {
		m.files.splice(2, 0, { path: "src/y.h", size: 0, sha256: sha256("") });
	};
	refused("LOAD_MANIFEST_INVALID", 1, { mark: 42, edit: more });
	const empty = (m: Manifest) => void Object.assign(m, { tag: { value: m.tag.value, files: [] } });
	refused("LOAD_MANIFEST_INVALID", 1, { mark: 43, edit: empty });
	const object = (m: Manifest) => void m.tag.files.splice(0, 1, "obj/x.bpf.o");
	refused("LOAD_MANIFEST_INVALID", 1, { mark: 44, edit: object });
	const other = (m: Manifest) => void Object.assign(m.tag, { value: `kfn1:${sha256("other")}` });
	refused("LOAD_TAG_MISMATCH", 3, { mark: 45, edit: other });
});

test("a trusted publisher of other names", () => {
	const acme = newKey();
	rig.trust([
		{ names: ["acme-*"], threshold: 1, keys: [acme.line] },
		{ names: ["flow-dissector"], threshold: 1, keys: [rig.key.line] },
	]);
	refused("LOAD_SIGNATURE_UNKNOWN_KEY", 3, { mark: 38, keys: [acme] });
	rig.trust([{ names: ["flow-dissector", "acme-*"], threshold: 1, keys: [rig.key.line] }]);
});

test("a malformed vector file, signed", () => {
	const cases = [
		vectorLine(39).trimEnd(),
		`${vectorLine(39)}\n`,
		vectorLine(39) + vectorLine(39),
		vectorLine(39, { more: 1 }),
		vectorLine(39, { program: "other" }),
		vectorLine(39, { data: "0G" }),
		vectorLine(39, { data: "00".repeat(16385) }),
		vectorLine(39, { flags: 2 ** 32 }),
		vectorLine(39, { retval: -1 }),
		vectorLine(39, { out: "00" }),
		vectorLine(39).replace('"retval":0', '"retval":0,"retval":0'),
	];
	for (const vectors of cases) refused("LOAD_VECTORS_INVALID", 1, { mark: 39, vectors });
	const many = Array.from({ length: 4097 }, (_, i) => vectorLine(39, { name: `v${i}` }));
	refused("LOAD_VECTORS_INVALID", 1, { mark: 39, vectors: many.join("") });
});
