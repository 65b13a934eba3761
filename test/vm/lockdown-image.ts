// Makes the initramfs images of the VMs in which lockdown lets in and refuses: the loader, signed bundles of two versions, and a program that
// loads BPF and is not ours. Refuses to touch the building machine: files only.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type PlanFunction, serializePlan } from "#host/plan.ts";
import { parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { generateKernelKey, openKernelKey } from "#signing/kernel/secret-key.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { buildBundles, packTree, place, placeBase, storeBundle } from "./image.ts";
import { placeCommandLine } from "./kernel-signed-image.ts";

export interface LockdownImages {
	readonly initrd: string;
	/** The same with node and the command line. */
	readonly withCommandLine: string;
}

/** Builds both below `folder`. In `/`: plans `before`, `after`, `signed`; and what foreign_load needs to load with a signature. */
export async function buildLockdownImages(folder: string): Promise<LockdownImages> {
	requireTools("busybox", "cpio", "gcc", "openssl", "zstd");
	const tree = join(folder, "tree");
	mkdirSync(tree, { recursive: true });
	const bundles = await buildBundles(folder, tree);
	for (const name of ["before", "after", "signed"] as const)
		layPlan(tree, name, await storeBundle(tree, bundles[name]));
	const certificate = readFileSync(join(folder, "kernel.key.der"));
	const { keyid } = parseKernelCertificate(certificate);
	place(tree, `etc/kfn/trust/kernel-keys/${keyid}.der`, certificate);
	await buildForeign(folder, tree);
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

/** The program, and its instructions signed with a key of its own by openssl, as docs/formats/kernel-signatures.md says. */
async function buildForeign(folder: string, tree: string): Promise<void> {
	const source = join(import.meta.dirname, "native/foreign_load.c");
	const program = join(tree, "bin/foreign_load");
	mkdirSync(join(tree, "bin"), { recursive: true });
	const flags = ["-static", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
	await run("gcc", [...flags, source, "-o", program]);
	const at = (name: string) => join(folder, `foreign.${name}`);
	const { pem, certificate } = await generateKernelKey("foreign", "of a key for one test", new Date());
	const secret = openKernelKey(pem, "of a key for one test").export({ type: "pkcs8", format: "pem" });
	writeFileSync(at("key"), secret, { mode: 0o600 });
	writeFileSync(at("der"), certificate);
	await run("sh", ["-eu", "-c", '"$1" --insns >"$2"', "insns", program, at("insns")]);
	await run("openssl", ["x509", "-inform", "DER", "-in", at("der"), "-out", at("pem")]);
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
	const files = ["-signer", at("pem"), "-inkey", at("key"), "-in", at("insns"), "-out", at("p7s")];
	await run("openssl", ["cms", "-sign", ...shape, ...files]);
	for (const name of ["der", "p7s"]) place(tree, `foreign.${name}`, readFileSync(at(name)));
}
