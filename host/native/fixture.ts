// For the loader's tests: keys, small flow dissectors, signed bundles in a KFN root of their own, and runs of kfn-load.
// Refuses to touch anything outside the folder, the bpffs and the `kfn-load-…` namespaces that it makes itself.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readElf } from "#bundle/elf.ts";
import { mapRecord } from "#bundle/map-rules.ts";
import { programKind } from "#bundle/program-type.ts";

const TOP = join(import.meta.dirname, "../..");
export const LOADER = join(TOP, "build/kfn-load");
export const FAULTS = join(TOP, "build/kfn-load-faults");
export const ASAN = join(TOP, "build/kfn-load-asan");

export type Json = Record<string, unknown>;

export function sha256(bytes: Uint8Array | string): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** Builds targets of the Makefile, one make at a time as test files run beside each other; a failure throws make's words. */
export function make(...targets: readonly ("all" | "asan" | "faults")[]): void {
	mkdirSync(join(TOP, "build"), { recursive: true });
	const command = ["make", "-C", import.meta.dirname, "-j2", ...targets];
	const done = spawnSync("flock", [join(TOP, "build/.make-lock"), ...command], { encoding: "utf8" });
	if (done.status !== 0) throw new Error(`make ${targets.join(" ")}:\n${done.stdout}${done.stderr}`);
}

export interface TestKey {
	readonly keyid: string;
	readonly raw: Buffer;
	readonly line: string;
	readonly secret: KeyObject;
}

export function keyOfRaw(raw: Buffer, secret: KeyObject): TestKey {
	const keyid = sha256(raw);
	return { keyid, raw, secret, line: `kfn-ed25519 ${keyid} ${raw.toString("base64")} test` };
}

export function newKey(): TestKey {
	const { publicKey, privateKey } = generateKeyPairSync("ed25519");
	const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
	return keyOfRaw(raw, privateKey);
}

const TYPE = "application/vnd.kfn.manifest.v1+json";

export function signatureOf(key: TestKey, manifest: Uint8Array, type = TYPE): { keyid: string; sig: string } {
	const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${manifest.length} `;
	const sig = sign(null, Buffer.concat([Buffer.from(head), manifest]), key.secret);
	return { keyid: key.keyid, sig: sig.toString("base64") };
}

/** kfn.sig.json in canonical form, sorted by keyid. */
export function signatureFile(signatures: readonly { keyid: string; sig: string }[]): Buffer {
	const sorted = signatures.toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1));
	return json({ schema: "kfn.signatures/1", payloadType: TYPE, signatures: sorted });
}

export function json(value: unknown): Buffer {
	return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

export const REQUIRES = { kernel: ">=5.10", features: ["link:netns", "prog_type:flow_dissector"] };

export interface Source {
	/** Sets ip_proto to this, so that versions differ in instructions and answers. */
	readonly mark?: number;
	readonly body?: string;
	readonly top?: string;
	readonly requires?: typeof REQUIRES;
	/** The function that the note names; flow-dissector. */
	readonly function?: string;
	readonly note?: string;
	readonly section?: string;
}

/** A flow dissector in C that answers `mark` as ip_proto. */
export function sourceOf(spec: Source): string {
	const { mark = 1, body, top = "", requires = REQUIRES, note, section } = spec;
	const features = requires.features.map((feature) => `KFN_FEATURE("${feature}")`).join(" ");
	return `#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/note.h"
#include "kfn/skb.h"
#include "kfn/flow_keys.h"
${note ?? `KFN_NOTE("${spec.function ?? "flow-dissector"}", "1", "${requires.kernel}", ${features});`}
KFN_LICENSE("Dual BSD/GPL");
${top}
SEC("${section ?? "flow_dissector"}")
int dissect(struct __sk_buff *skb)
{
	${body ?? `skb->flow_keys->ip_proto = ${mark}; return 0;`}
}
`;
}

const objects = new Map<string, Buffer>();

/** Compiles C for the BPF target with the flags of a bundle, and remembers the object. */
export function compile(source: string): Buffer {
	const known = objects.get(source);
	if (known !== undefined) return known;
	const dir = mkdtempSync(join(tmpdir(), "kfn-load-cc-"));
	try {
		const flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-nostdinc", "-Wall", "-Werror"];
		const file = join(dir, "x.bpf.c");
		writeFileSync(file, source);
		const include = join(TOP, "packages/_include");
		execFileSync("clang-19", [...flags, "-I", include, "-c", file, "-o", join(dir, "x.o")]);
		const object = readFileSync(join(dir, "x.o"));
		objects.set(source, object);
		return object;
	} finally {
		rmSync(dir, { recursive: true });
	}
}

/** An Ethernet frame of 64 bytes that carries nothing known. */
export const PACKET = Buffer.concat([Buffer.alloc(12, 2), Buffer.from("88b5", "hex"), Buffer.alloc(50)]);

/** What `sourceOf({ mark })` answers for PACKET: struct bpf_flow_keys, 56 bytes. */
export function keysOf(mark: number, flags = 0): string {
	const keys = Buffer.alloc(56);
	keys.writeUInt16LE(14, 0);
	keys.writeUInt16LE(14, 2);
	keys.writeUInt8(mark, 9);
	keys.writeUInt16BE(0x88b5, 10);
	keys.writeUInt32LE(flags, 48);
	return keys.toString("hex");
}

export function vectorLine(mark: number, over: Json = {}): string {
	const line = { name: "unknown-ethertype", why: "IEEE 802 local experimental", program: "dissect" };
	const answer = { data: PACKET.toString("hex"), flags: 0, retval: 0, out: keysOf(mark) };
	return `${JSON.stringify({ ...line, ...answer, ...over })}\n`;
}

export interface BundleSpec extends Source {
	readonly name?: string;
	readonly version?: string;
	readonly object?: Buffer;
	readonly vectors?: string;
	readonly keys?: readonly TestKey[];
	/** Changes the manifest before it is written and signed. */
	readonly edit?: (manifest: Manifest) => void;
	/** Replaces kfn.sig.json. */
	readonly signatures?: (manifest: Buffer) => Buffer;
}

export type Manifest = Json & {
	function: { name: string; abi: number };
	tag: { value: string; files: string[] };
	variants: { name: string; object: string; requires: typeof REQUIRES; programs: Json[]; maps?: Json[] }[];
	files: { path: string; size: number; sha256: string }[];
};

export interface TestBundle {
	readonly dir: string;
	readonly manifest: Buffer;
	readonly planned: (scope: string) => Json;
}

/** What the manifest says of an object; a section that kfn has no hook for is told as a flow dissector's. */
function contentsOf(object: Buffer): { programs: Json[]; maps?: Json[] } {
	const elf = readElf(object);
	const maps = elf.maps.map((map) => ({ ...mapRecord("obj/x.bpf.o", map) }));
	const programs = elf.programs.map((program) => ({
		name: program.name,
		section: program.section,
		type: programKind(program.section)?.type ?? "flow_dissector",
		hook: programKind(program.section)?.hook ?? "netns",
		insns: program.insns.length / 8,
		insnsDigest: program.core ? null : sha256(program.insns),
	}));
	return { programs, ...(maps.length === 0 ? {} : { maps }) };
}

function manifestOf(
	spec: BundleSpec,
	files: ReadonlyMap<string, Buffer>,
	contents: ReturnType<typeof contentsOf>,
): Manifest {
	const listed = [...files].map(([path, bytes]) => ({ path, size: bytes.length, sha256: sha256(bytes) }));
	const source = listed.find((file) => file.path === "src/x.bpf.c")!;
	const name = spec.name ?? "flow-dissector";
	return {
		schema: "kfn.bundle/1",
		name,
		version: spec.version ?? `1.0.${spec.mark ?? 1}`,
		summary: "a test",
		license: "GPL-2.0-only OR BSD-2-Clause",
		function: { name: spec.function ?? "flow-dissector", abi: 1 },
		tag: { value: `kfn1:${sha256(`${source.sha256}  ${source.path}\n`)}`, files: [source.path] },
		variants: [{ name: "generic", object: "obj/x.bpf.o", requires: spec.requires ?? REQUIRES, ...contents }],
		config: {},
		state: [],
		vectors: ["vectors/basic.jsonl"],
		fixes: [],
		build: {
			compiler: "clang",
			version: "19.1.7",
			flags: ["-target", "bpf", "-nostdinc"],
			units: [{ source: "src/x.bpf.c", object: "obj/x.bpf.o" }],
		},
		files: listed,
	};
}

/** A KFN root in a temporary folder, with a trusted key; `dispose` unmounts and removes whatever was made. */
export class Rig {
	readonly root = mkdtempSync(join(tmpdir(), "kfn-load-"));
	readonly key = newKey();
	readonly pins = join(this.root, "sys/fs/bpf/kfn");
	private readonly namespaces = new Set<string>();
	private mounted = false;

	constructor() {
		for (const dir of ["etc/kfn/trust", "var/lib/kfn/store", "sys/fs/bpf"]) {
			mkdirSync(join(this.root, dir), { recursive: true });
		}
		this.trust([{ names: ["flow-dissector", "acme-*"], threshold: 1, keys: [this.key.line] }]);
	}

	trust(publishers: readonly Json[]): void {
		writeFileSync(this.trustFile, json({ schema: "kfn.publishers/1", publishers }));
	}

	/** Commits a map of the registry's, as far as the loader looks at a set (docs/formats/trust-state.md). */
	trustRegistry(publishers: readonly Json[]): void {
		const map = JSON.stringify({ schema: "kfn.publishers/1", publishers });
		const record = JSON.stringify({
			files: { "publishers.json": { sha256: sha256(map), size: map.length } },
		});
		const set = `sets/1-${sha256(record)}`;
		mkdirSync(join(this.tuf, set), { recursive: true });
		writeFileSync(join(this.tuf, set, "set.json"), record);
		writeFileSync(join(this.tuf, set, "publishers.json"), map);
		rmSync(join(this.tuf, "current"), { force: true });
		symlinkSync(set, join(this.tuf, "current"));
	}

	get tuf(): string {
		return join(this.root, "var/lib/kfn/tuf");
	}

	get trustFile(): string {
		return join(this.root, "etc/kfn/trust/publishers.json");
	}

	mountBpffs(): void {
		execFileSync("mount", ["-t", "bpf", "bpf", join(this.root, "sys/fs/bpf")]);
		this.mounted = true;
	}

	unmountBpffs(): void {
		if (!this.mounted) return;
		execFileSync("umount", [join(this.root, "sys/fs/bpf")]);
		this.mounted = false;
	}

	/** Makes `kfn-load-<purpose>-<pid>` and gives its scope. */
	namespace(purpose: string): string {
		const name = `kfn-load-${purpose}-${process.pid}`;
		this.namespaces.add(name);
		execFileSync("ip", ["netns", "add", name]);
		return `netns:/run/netns/${name}`;
	}

	/** Takes a namespace's name away; it lives on while something is in it. */
	dropNamespace(scope: string): void {
		const name = scope.split("/").at(-1)!;
		execFileSync("ip", ["netns", "del", name]);
		this.namespaces.delete(name);
	}

	/** Drops a namespace that nothing is in and waits until the kernel's worker has ended it (cleanup_net). */
	endNamespace(scope: string): void {
		this.dropNamespace(scope);
		const lives = () => {
			const pins: { scope: string; link: { alive: boolean } | null }[] =
				this.run(["inspect"]).body["pins"] ?? [];
			return pins.some((pin) => pin.scope === scope && pin.link?.alive === true);
		};
		for (const deadline = Date.now() + 20_000; lives(); ) {
			if (Date.now() > deadline) throw new Error(`${scope} does not end`);
		}
	}

	/** Attaches a dissector that is not kfn's, without a link, as bpftool does. */
	attachForeign(scope: string): void {
		const dir = join(this.root, "sys/fs/bpf/other");
		mkdirSync(dir, { recursive: true });
		writeFileSync(join(this.root, "foreign.o"), compile(sourceOf({ mark: 9 })));
		const load = ["prog", "load", join(this.root, "foreign.o"), join(dir, "prog"), "type", "flow_dissector"];
		execFileSync("bpftool", load, { stdio: "pipe" });
		const attach = ["bpftool", "prog", "attach", "pinned", join(dir, "prog"), "flow_dissector"];
		execFileSync("ip", ["netns", "exec", scope.split("/").at(-1)!, ...attach], { stdio: "pipe" });
	}

	/** Writes a bundle into the store, signed by the trusted key unless the spec says otherwise. */
	bundle(spec: BundleSpec = {}): TestBundle {
		const source = sourceOf(spec);
		const object = spec.object ?? compile(source);
		const files = new Map([
			["obj/x.bpf.o", object],
			["src/x.bpf.c", Buffer.from(source)],
			["vectors/basic.jsonl", Buffer.from(spec.vectors ?? vectorLine(spec.mark ?? 1))],
		]);
		const manifest = manifestOf(spec, files, contentsOf(spec.body ? compile(source) : object));
		spec.edit?.(manifest);
		const bytes = json(manifest);
		const signed = (spec.keys ?? [this.key]).map((key) => signatureOf(key, bytes));
		const signatures = spec.signatures?.(bytes) ?? signatureFile(signed);
		return this.store(manifest, bytes, signatures, files);
	}

	private store(m: Manifest, bytes: Buffer, signatures: Buffer, files: Map<string, Buffer>): TestBundle {
		const archive = sha256(Buffer.concat([bytes, signatures, ...files.values()]));
		const dir = join(this.root, "var/lib/kfn/store", archive);
		for (const [path, content] of [...files, ["kfn.json", bytes], ["kfn.sig.json", signatures]] as const) {
			mkdirSync(dirname(join(dir, path)), { recursive: true });
			writeFileSync(join(dir, path), content);
		}
		const planned = (scope: string): Json => ({
			function: m.function.name,
			abi: m.function.abi,
			scope,
			bundle: { name: m["name"], version: m["version"], sha256: archive, manifestSha256: sha256(bytes) },
			tag: m.tag.value,
			config: {},
			configDigest: sha256("{}"),
		});
		return { dir, manifest: bytes, planned };
	}

	run(args: readonly string[], options: RunOptions = {}): Answer {
		const { loader = LOADER, input = "", fault, before = [], withoutTcx = false } = options;
		const [command = "", ...rest] = [...before, loader, "--root", this.root, ...args];
		const env = {
			ASAN_OPTIONS: "abort_on_error=0",
			...(fault ? { KFN_LOAD_FAULT: fault } : {}),
			...(withoutTcx ? { KFN_LOAD_WITHOUT_TCX: "1" } : {}),
		};
		const done = spawnSync(command, rest, {
			input,
			env: { PATH: process.env["PATH"], ...env },
			maxBuffer: 1 << 28,
		});
		if (done.error) throw done.error;
		return answerOf(done.stdout.toString("utf8"), done.stderr.toString("utf8"), done.status, done.signal);
	}

	apply(functions: readonly Json[], options: RunOptions = {}): Answer {
		return this.run(["apply", "-"], { ...options, input: json(planOf(functions)) });
	}

	check(functions: readonly Json[], options: RunOptions = {}): Answer {
		return this.run(["check", "-"], { ...options, input: json(planOf(functions)) });
	}

	dispose(): void {
		// Pins first: a link that outlives its bpffs would keep its namespace's hook.
		if (this.mounted) rmSync(this.pins, { recursive: true, force: true });
		for (const name of this.namespaces) spawnSync("ip", ["netns", "del", name]);
		this.unmountBpffs();
		rmSync(this.root, { recursive: true, force: true });
	}
}

export interface RunOptions {
	readonly loader?: string;
	readonly input?: string | Uint8Array;
	readonly fault?: string;
	/** A command that runs the loader, as `setpriv …` or `strace …`. */
	readonly before?: readonly string[];
	/** Of the test build: as a kernel before 6.6. */
	readonly withoutTcx?: boolean;
}

/** What a run answered: the last line of stdout, parsed. */
export interface Answer {
	readonly exit: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly lines: readonly string[];
	readonly stderr: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose shape is what they check
	readonly body: any;
	/** The error's code, or "ok". */
	readonly code: string;
}

function answerOf(
	stdout: string,
	stderr: string,
	exit: number | null,
	signal: NodeJS.Signals | null,
): Answer {
	const lines = stdout.split("\n").slice(0, -1);
	const last = lines.at(-1);
	const body = last === undefined ? undefined : JSON.parse(last);
	return { exit, signal, lines, stderr, body, code: body === undefined ? "" : (body.error?.code ?? "ok") };
}

export function planOf(functions: readonly Json[], over: Json = {}): Json {
	const keyed = (entry: Json) => `${entry["function"]}\0${entry["scope"]}`;
	const sorted = functions.toSorted((a, b) => (keyed(a) < keyed(b) ? -1 : 1));
	const head = { schema: "kfn.plan/1", generation: 1, created: "2026-11-23T10:00:00.000Z", reason: "test" };
	return { ...head, functions: sorted, ...over };
}

/** The folder of a function's pins, by the encoding of docs/formats/loader.md. */
export function pinDir(rig: Rig, fn: string, scope: string): string {
	const encoded = [...Buffer.from(scope)].map((byte) => {
		const char = String.fromCharCode(byte);
		const hex = byte.toString(16).toUpperCase().padStart(2, "0");
		return /[A-Za-z0-9:_-]/.test(char) ? char : `%${hex}`;
	});
	return join(rig.pins, fn, encoded.join(""));
}

export function exists(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
