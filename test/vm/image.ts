// Makes the initramfs of the test VM: busybox, the loader, the hash oracle, and a KFN root with signed bundles and plans. Refuses to attach anything on the building machine: files only.
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openBundle } from "#bundle/bundle.ts";
import { type Config, configDigest, effectiveConfig } from "#bundle/config.ts";
import { layoutOf } from "#host/layout.ts";
import { type PlanFunction, serializePlan } from "#host/plan.ts";
import { parseScope } from "#host/scope.ts";
import { buildHashOracle } from "../dissector/build.ts";
import { readVectors } from "../dissector/vectors.ts";
import { run } from "../harness/command.ts";
import { layCountingPackage } from "../harness/counting-package.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { requireTools } from "../harness/feature.ts";
import { PPPOE_INPUT } from "./pppoe.ts";

const TOP = join(import.meta.dirname, "../..");
const KERNELS = join(TOP, "build/vm/kernels");
const KFN = join(TOP, "node_modules/.bin/kfn");

/** The versions that the VM goes through: `before` is replaced by `after`. */
export interface Image {
	readonly initrd: string;
	readonly before: PlanFunction;
	readonly after: PlanFunction;
	/** How many vectors the package that `after` is built of has. */
	readonly vectors: number;
}

const PATCHED: Config = { patch: ["pppoe-pfc"] };
/** Every place that the program has for a parameter is taken. */
const EVERYTHING: Config = {
	geneve_ports: [6081, 6082, 6083, 6084],
	gue_ports: [6080, 6085, 6086, 6087],
	mpls_udp_ports: [6635, 6636, 6637, 6638],
	patch: ["pppoe-pfc", "tipc", "unknown"],
	vxlan_ports: [4789, 4790, 8472, 8473],
};

/**
 * Builds the image below `folder`.
 *
 * Plans in `/plans`: `before`, `after`, `empty`; `patched` and `everything`, which are `after` with parameters; and
 * `tc-one` and `tc-two` for the loopback device; `tampered`, whose object differs by one bit from the signed one; `signed`, which is `after` with a signature for the kernel. Packets for the hash oracle and for replay in `/frames`.
 */
export async function buildImage(folder: string): Promise<Image> {
	requireTools("busybox", "cpio", "zstd");
	const tree = join(folder, "tree");
	const archives = await buildBundles(folder, tree);
	const devices = await buildDeviceBundles(folder, tree);
	const before = await storeBundle(tree, archives.before);
	const after = await storeBundle(tree, archives.after);
	const tampered = await storeBundle(tree, archives.after, { change: flipObjectBit });
	const plans = {
		before: [before],
		after: [after],
		patched: [await storeBundle(tree, archives.after, { config: PATCHED })],
		everything: [await storeBundle(tree, archives.after, { config: EVERYTHING })],
		tampered: [tampered],
		signed: [await storeBundle(tree, archives.signed)],
		"tc-one": [await storeBundle(tree, devices.one, { scope: "dev:lo" })],
		"tc-two": [await storeBundle(tree, devices.two, { scope: "dev:lo" })],
		empty: [],
	};
	for (const [index, [name, functions]] of Object.entries(plans).entries()) {
		const created = "2026-11-23T10:00:00.000Z";
		const plan = { schema: "kfn.plan/1", generation: index + 1, created, reason: name, functions } as const;
		place(tree, `plans/${name}.json`, Buffer.from(serializePlan(plan)));
	}
	placeBase(tree, "init.sh");
	placeModules(tree);
	place(tree, "frames/flows", PPPOE_INPUT.flows);
	place(tree, "frames/questions", PPPOE_INPUT.questions);
	buildHashOracle(join(tree, "hash_oracle.bpf.o"));
	await buildFlowHash(join(tree, "bin/flow_hash"));
	const initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
	return { initrd, before, after, vectors: readVectors().length };
}

/** What every initramfs of the tests has: busybox, the loader, and `init`, one of the scripts beside this file. */
export function placeBase(tree: string, init: string): void {
	for (const folder of ["proc", "sys", "dev", "run", "tmp"])
		mkdirSync(join(tree, folder), { recursive: true });
	place(tree, "bin/busybox", readFileSync("/bin/busybox"), 0o755);
	place(tree, "bin/kfn-load", readFileSync(join(TOP, "build/kfn-load")), 0o755);
	place(tree, "report.sh", readFileSync(join(import.meta.dirname, "report.sh")));
	place(tree, "init", readFileSync(join(import.meta.dirname, init)), 0o755);
}

/** What a kernel before 6.6 needs for the hook of a device; a kernel takes those of its own version only. */
export function placeModules(tree: string): void {
	for (const file of globSync("*/modules/*.ko", { cwd: KERNELS }))
		place(tree, join("modules", file.replace("/modules/", "/")), readFileSync(join(KERNELS, file)));
}

/** Makes the initramfs of a folder. */
export async function packTree(tree: string, initrd: string): Promise<void> {
	// zstd, because a VM without KVM expands it in a third of gzip's time.
	const script = 'find . | cpio --quiet -o -H newc | zstd -q -1 -o "$1"';
	await run("sh", ["-eu", "-c", script, "pack", initrd], { cwd: tree });
}

/** Static, for the VM has no libraries. */
export async function buildFlowHash(output: string): Promise<void> {
	const { stdout } = await run("pkg-config", ["--static", "--libs", "libbpf"]);
	const source = join(import.meta.dirname, "native/flow_hash.c");
	const flags = ["-static", "-O1", "-Wall", "-Wextra", "-Werror"];
	await run("gcc", [...flags, source, "-o", output, ...stdout.trim().split(/\s+/)]);
}

function kfnIn(folder: string, tree: string): (...args: string[]) => Promise<unknown> {
	const env = { ...process.env, KFN_ROOT: tree, KFN_PASSPHRASE: "of a key that lives for one test" };
	return (...args) => run(KFN, args, { cwd: folder, env });
}

/** Two versions of a program for a device's egress, by the same publisher. */
async function buildDeviceBundles(folder: string, tree: string): Promise<{ one: string; two: string }> {
	const kfn = kfnIn(folder, tree);
	for (const [version, step] of [
		["1.0.0", 1],
		["2.0.0", 2],
	] as const) {
		const spec = { name: "pass", version, section: "tc/egress", step } as const;
		await kfn("build", layCountingPackage(folder, spec), "--key", "publisher.key");
	}
	await kfn("trust", "add", "pass", "--key", "publisher.key.pub");
	return { one: join(folder, "pass-1.0.0.kfn"), two: join(folder, "pass-2.0.0.kfn") };
}

/** Builds and signs both versions with the real command line, and lets the image's root trust their key. */
export async function buildBundles(
	folder: string,
	tree: string,
): Promise<{ before: string; after: string; signed: string }> {
	const versions = await layDissectorVersions(folder);
	const kfn = kfnIn(folder, tree);
	await kfn("key", "generate", "--out", "publisher.key");
	await kfn("build", versions.before, "--key", "publisher.key");
	await kfn("build", versions.after, "--key", "publisher.key");
	await kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	await kfn("kernel-key", "generate");
	copyFileSync(join(folder, "flow-dissector-1.0.1.kfn"), join(folder, "signed.kfn"));
	await kfn("sign", "signed.kfn", "--kernel", "kernel.key");
	return {
		signed: join(folder, "signed.kfn"),
		before: join(folder, "flow-dissector-1.0.0.kfn"),
		after: join(folder, "flow-dissector-1.0.1.kfn"),
	};
}

/** Lays a bundle out in the image's store, and plans it for the VM's root namespace, or another scope, with its defaults or the given values. */
export async function storeBundle(
	tree: string,
	archive: string,
	options: { change?: (path: string, bytes: Uint8Array) => Uint8Array; config?: Config; scope?: string } = {},
) {
	const { change } = options;
	const bundle = await openBundle(readFileSync(archive));
	const entry = layoutOf("").storeEntry(change === undefined ? bundle.sha256 : "f".repeat(64));
	const files = new Map([
		["kfn.json", bundle.manifestBytes],
		["kfn.sig.json", bundle.signatureBytes],
		...(bundle.kernelSignatureBytes === undefined
			? []
			: ([["kfn.kernel-sig.json", bundle.kernelSignatureBytes]] as const)),
		...bundle.files,
	]);
	for (const [path, bytes] of files) place(tree, join(entry, path), change?.(path, bytes) ?? bytes);
	const { manifest } = bundle;
	const config = effectiveConfig(manifest.config, options.config);
	const planned: PlanFunction = {
		function: manifest.function.name,
		abi: manifest.function.abi,
		scope: parseScope(options.scope ?? "netns:root"),
		bundle: {
			name: manifest.name,
			version: manifest.version,
			sha256: entry.split("/").at(-1)!,
			manifestSha256: bundle.manifestDigest,
		},
		tag: manifest.tag.value,
		config,
		configDigest: configDigest(config),
		...(manifest.experimental === undefined ? {} : { experimental: true }),
	};
	return planned;
}

function flipObjectBit(path: string, bytes: Uint8Array): Uint8Array {
	if (!path.startsWith("obj/")) return bytes;
	const changed = Uint8Array.from(bytes);
	const middle = changed.length >> 1;
	changed[middle] = changed[middle]! ^ 1;
	return changed;
}

export function place(tree: string, path: string, bytes: Uint8Array, mode = 0o644): void {
	const file = join(tree, path);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, bytes);
	chmodSync(file, mode);
}
