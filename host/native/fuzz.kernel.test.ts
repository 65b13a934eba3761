// Thousands of broken plans, trust files, signature files (the publisher's and those for the kernel), manifests, objects and vectors against the loader built with
// AddressSanitizer and UBSan. Each case is signed anew where that is what lets it reach the next parser. A case is told by its
// number alone: KFN_FUZZ_FIRST=n KFN_FUZZ_CASES=1 runs it again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serializePkcs7 } from "#signing/kernel/pkcs7.ts";
import { serializeKernelSignatures } from "#signing/kernel/signature-file.ts";
import {
	ASAN,
	type BundleSpec,
	type Json,
	json,
	make,
	planOf,
	Rig,
	sha256,
	signatureFile,
	signatureOf,
	type TestBundle,
} from "./fixture.ts";
import { whole } from "./program-with-maps.ts";

const SCOPE = "netns:/run/netns/kfn-load-none";
const SECONDS = Number(process.env["KFN_FUZZ_SECONDS"] ?? 25);
/** However slow the machine is. */
const LEAST = 600;
const FIRST = Number(process.env["KFN_FUZZ_FIRST"] ?? 0);
const CASES = Number(process.env["KFN_FUZZ_CASES"] ?? Number.MAX_SAFE_INTEGER);

/** mulberry32: small, seeded, good enough to pick bytes. */
function random(seed: number): (below: number) => number {
	let state = Math.imul(seed + 1, 0x9e3779b1);
	return (below) => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	};
}

type Pick = ReturnType<typeof random>;
const TOKENS = [
	"null",
	"{}",
	"[]",
	"-1",
	"0",
	"1e400",
	"9223372036854775808",
	'""',
	'"\\u0000"',
	"\xff",
	"[".repeat(3000),
];
const WORDS = [0, 1, 7, 8, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** One to four changes of bytes, JSON values or aligned little-endian words. */
function mutate(bytes: Buffer, pick: Pick): Buffer {
	let out: Buffer = Buffer.from(bytes);
	for (let i = 1 + pick(4); i > 0; i--) out = mutateOnce(out, pick);
	return out;
}

function mutateOnce(bytes: Buffer, pick: Pick): Buffer {
	if (bytes.length < 16) return Buffer.concat([bytes, Buffer.alloc(16, pick(256))]);
	const at = pick(bytes.length);
	const end = Math.min(bytes.length, at + 1 + pick(40));
	switch (pick(8)) {
		case 0:
			bytes[at]! ^= 1 << pick(8);
			return bytes;
		case 1:
			bytes[at] = pick(256);
			return bytes;
		case 2:
			return bytes.subarray(0, at);
		case 3:
			return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
		case 4:
			return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
		case 5:
			return replaceValue(bytes, pick);
		default:
			bytes.writeUInt32LE(WORDS[pick(WORDS.length)]!, Math.min(at & ~3, bytes.length - 4));
			return bytes;
	}
}

/** Mostly keeps the length, or no ELF header would be right and nothing behind it would be read. */
function mutateObject(bytes: Buffer, pick: Pick): Buffer {
	if (pick(8) === 0) return mutate(bytes, pick);
	const out = Buffer.from(bytes);
	// The tables that point at everything else: section headers at the end, or anywhere.
	const tables = Number(out.readBigUInt64LE(40));
	for (let i = 1 + pick(3); i > 0; i--) {
		const start = pick(2) === 0 ? tables : 64;
		const at = start + pick(out.length - start - 4);
		if (pick(2) === 0) out[at]! ^= 1 << pick(8);
		else out.writeUInt32LE(WORDS[pick(WORDS.length)]!, at & ~3);
	}
	return out;
}

/** Puts a token in the place of one JSON value. */
function replaceValue(bytes: Buffer, pick: Pick): Buffer {
	const text = bytes.toString("latin1");
	const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+/g)];
	const value = values[pick(values.length || 1)];
	if (value === undefined) return bytes;
	const token = TOKENS[pick(TOKENS.length)]!;
	return Buffer.from(
		text.slice(0, value.index) + token + text.slice(value.index + value[0].length),
		"latin1",
	);
}

const KINDS = [
	"plan",
	"publishers",
	"signatures",
	"manifest",
	"object",
	"object",
	"object",
	"vectors",
	"kernel signatures",
	"pkcs7",
] as const;

/** In its one shape; whether it is valid nobody asks before the kernel. */
const PKCS7 = Buffer.from(serializePkcs7({ keyid: Buffer.alloc(20, 1), sig: Buffer.alloc(384, 2) }));
const DIGEST = "0".repeat(64);

/** In turn: each kind of case goes to a bundle with maps and subprograms as often as to one without. */
const hasMaps = (number: number): boolean => Math.floor(number / KINDS.length) % 2 === 1;

/** A bundle with its files as they were made. */
interface Sound {
	readonly bundle: TestBundle;
	readonly object: Buffer;
	readonly vectors: Buffer;
}

function soundBundle(rig: Rig, spec: BundleSpec): Sound {
	const bundle = rig.bundle(spec);
	const read = (path: string) => readFileSync(join(bundle.dir, path));
	return { bundle, object: read("obj/x.bpf.o"), vectors: read("vectors/basic.jsonl") };
}

/** One worker's root with two bundles, of which each case rewrites the files of one. */
class Victim {
	readonly rig = new Rig();
	private readonly sound = [soundBundle(this.rig, {}), soundBundle(this.rig, whole)] as const;
	private readonly publishers = readFileSync(this.rig.trustFile);

	/** Lays a case out and gives the plan to check. */
	prepare(number: number): Buffer {
		const pick = random(number);
		const kind = KINDS[number % KINDS.length]!;
		const { bundle, ...sound } = this.sound[hasMaps(number) ? 1 : 0];
		const change = (name: string, bytes: Buffer) => (name === kind ? mutate(bytes, pick) : bytes);
		const object = kind === "object" ? mutateObject(sound.object, pick) : sound.object;
		const vectors = change("vectors", sound.vectors);
		const manifest = change("manifest", manifestWith(bundle, object, vectors));
		const signatures = change("signatures", signatureFile([signatureOf(this.rig.key, manifest)]));
		const pkcs7 = change("pkcs7", PKCS7);
		const forKernel = Buffer.from(serializeKernelSignatures([{ insnsDigest: DIGEST, pkcs7 }]));
		writeFileSync(join(bundle.dir, "kfn.kernel-sig.json"), change("kernel signatures", forKernel));
		writeFileSync(this.rig.trustFile, change("publishers", this.publishers));
		const files = { "kfn.json": manifest, "kfn.sig.json": signatures, "obj/x.bpf.o": object };
		for (const [path, bytes] of Object.entries({ ...files, "vectors/basic.jsonl": vectors }))
			writeFileSync(join(bundle.dir, path), bytes);
		const planned = bundle.planned(SCOPE);
		planned["bundle"] = { ...(planned["bundle"] as Json), manifestSha256: sha256(manifest) };
		return change("plan", json(planOf([planned])));
	}
}

/** The manifest that a publisher who ships these bytes would sign. */
function manifestWith(bundle: TestBundle, object: Buffer, vectors: Buffer): Buffer {
	const manifest = JSON.parse(bundle.manifest.toString());
	for (const file of manifest.files) {
		const bytes = file.path === "obj/x.bpf.o" ? object : file.path === "src/x.bpf.c" ? undefined : vectors;
		if (bytes !== undefined) Object.assign(file, { size: bytes.length, sha256: sha256(bytes) });
	}
	// Without a digest, changed instructions reach the kernel's verifier and the vectors.
	manifest.variants[0].programs[0].insnsDigest = null;
	return json(manifest);
}

interface Outcome {
	readonly number: number;
	readonly stdout: string;
	readonly stderr: string;
	readonly exit: number | null;
	readonly signal: NodeJS.Signals | null;
}

const SANITIZERS = { ASAN_OPTIONS: "exitcode=99:detect_leaks=1", UBSAN_OPTIONS: "print_stacktrace=1" };

async function runCase(victim: Victim, number: number): Promise<Outcome> {
	const plan = victim.prepare(number);
	const child = spawn(ASAN, ["--root", victim.rig.root, "check", "-"], { env: SANITIZERS });
	child.stdin.on("error", () => undefined);
	child.stdin.end(plan);
	let [stdout, stderr] = ["", ""];
	child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
	child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
	const [exit, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
	return { number, stdout, stderr, exit, signal };
}

let exits: Map<string, number>;
let victims: Victim[];

beforeAll(() => {
	make("asan");
	victims = [new Victim(), new Victim()];
	const { errors } = victims[0]!.rig.run(["errors"], { loader: ASAN }).body;
	exits = new Map(errors.map(({ code, exit }: { code: string; exit: number }) => [code, exit]));
});
afterAll(() => {
	for (const victim of victims) victim.rig.dispose();
});

/** Undefined when the answer is a documented one; else what is wrong with it. */
function wrong({ stdout, stderr, exit, signal }: Outcome): string | undefined {
	if (stderr !== "" || signal !== null) return `${signal ?? exit}: ${stderr.slice(0, 4000)}`;
	try {
		const body = JSON.parse(stdout);
		if (body.ok === true && exit === 0) return undefined;
		const documented = exits.get(body.error.code);
		return documented === exit && exit !== 70 ? undefined : `exit ${exit}, ${stdout}`;
	} catch {
		return `not one JSON document: ${stdout}`;
	}
}

test(`for ${SECONDS} s, every broken input gets a documented answer and no sanitizer speaks`, {
	timeout: (SECONDS + 120) * 1000,
}, async () => {
	const until = performance.now() + SECONDS * 1000;
	const codes = new Map<string, number>();
	/** Of the bundle with maps. */
	const withMaps = new Map<string, number>();
	let next = FIRST;
	await Promise.all(
		victims.map(async (victim) => {
			while (next < FIRST + CASES && (performance.now() < until || next < FIRST + LEAST)) {
				const outcome = await runCase(victim, next++);
				expect(wrong(outcome), `case ${outcome.number} (KFN_FUZZ_FIRST=${outcome.number})`).toBeUndefined();
				const body = JSON.parse(outcome.stdout);
				const code: string = body.error?.code ?? "ok";
				for (const counts of hasMaps(outcome.number) ? [codes, withMaps] : [codes])
					counts.set(code, (counts.get(code) ?? 0) + 1);
			}
		}),
	);
	if (CASES !== Number.MAX_SAFE_INTEGER) return;
	// The cases get as deep as they must to mean anything.
	for (const code of [
		"LOAD_PLAN_INVALID",
		"LOAD_MANIFEST_INVALID",
		"LOAD_OBJECT_INVALID",
		"LOAD_VECTORS_INVALID",
		"ok",
	])
		expect(codes.get(code) ?? 0, code).toBeGreaterThan(3);
	for (const code of ["LOAD_MANIFEST_INVALID", "LOAD_OBJECT_INVALID", "LOAD_VECTORS_INVALID", "ok"])
		expect(withMaps.get(code) ?? 0, `${code}, with maps`).toBeGreaterThan(3);
	if (process.env["KFN_FUZZ_TELL"])
		process.stdout.write(
			`${next - FIRST} cases ${JSON.stringify([...codes])}, with maps ${JSON.stringify([...withMaps])}\n`,
		);
});
