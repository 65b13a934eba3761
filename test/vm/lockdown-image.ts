// Makes the initramfs images of the VMs in which lockdown lets in and refuses: the loader, signed bundles of two versions, and a program that
// loads BPF and is not ours. Refuses to touch the building machine: files only.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type PlanFunction, serializePlan } from "#host/plan.ts";
import { parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import type { SigningKey } from "./build-key.ts";
import { buildBundles, packTree, place, placeBase, storeBundle } from "./image.ts";
import { placeCommandLine } from "./kernel-signed-image.ts";

export interface LockdownImages {
	readonly initrd: string;
	/** The same with node and the command line. */
	readonly withCommandLine: string;
}

/** Builds both below `folder`. In `/`: plans `before`, `after`, `signed`; and what foreign_load needs to load with a signature by `key`. */
export async function buildLockdownImages(folder: string, key: SigningKey): Promise<LockdownImages> {
	requireTools("busybox", "cpio", "gcc", "openssl", "zstd");
	const tree = join(folder, "tree");
	mkdirSync(tree, { recursive: true });
	const bundles = await buildBundles(folder, tree);
	for (const name of ["before", "after", "signed"] as const)
		layPlan(tree, name, await storeBundle(tree, bundles[name]));
	const certificate = readFileSync(join(folder, "kernel.key.der"));
	const { keyid } = parseKernelCertificate(certificate);
	place(tree, `etc/kfn/trust/kernel-keys/${keyid}.der`, certificate);
	await buildForeign(folder, tree, key);
	placeBase(tree, "lockdown-init.sh");
	const images = { initrd: join(folder, "initrd.zst"), withCommandLine: join(folder, "node.zst") };
	await packTree(tree, images.initrd);
	await placeCommandLine(tree);
	await packTree(tree, images.withCommandLine);
	return images;
}

function layPlan(tree: string, name: string, entry: PlanFunction): void {
	const created = "2026-11-29T00:00:00.000Z";
	const plan = { schema: "kfn.plan/1", generation: 1, created, reason: name, functions: [entry] } as const;
	place(tree, `plans/${name}.json`, Buffer.from(serializePlan(plan)));
}

/** The program, and its instructions signed, by openssl as docs/formats/kernel-signatures.md says; and as a signature of others. */
async function buildForeign(folder: string, tree: string, key: SigningKey): Promise<void> {
	const source = join(import.meta.dirname, "native/foreign_load.c");
	const program = join(tree, "bin/foreign_load");
	mkdirSync(join(tree, "bin"), { recursive: true });
	const flags = ["-static", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
	await run("gcc", [...flags, source, "-o", program]);
	const insns = join(folder, "foreign.insns");
	await run("sh", ["-eu", "-c", '"$1" --insns >"$2"', "insns", program, insns]);
	await sign(insns, key, join(tree, "foreign.p7s"));
	const others = readFileSync(insns);
	others[4]! ^= 1;
	writeFileSync(insns, others);
	await sign(insns, key, join(tree, "others.p7s"));
	place(tree, "foreign.der", readFileSync(key.der));
}

async function sign(insns: string, key: SigningKey, output: string): Promise<void> {
	const shape = [
		"-binary",
		"-nocerts",
		"-noattr",
		"-nosmimecap",
		"-keyid",
		"-md",
		"sha256",
		"-outform",
		"DER",
	];
	const files = ["-signer", key.certificate, "-inkey", key.secret, "-in", insns, "-out", output];
	await run("openssl", ["cms", "-sign", ...shape, ...files]);
}
