// Makes the initramfs of the VM in which the kernel itself checks signatures: the whole command line with node, a bundle signed for the
// kernel and its certificate, and a program that differs by one byte from the signed one. Refuses to touch the building machine: files only.
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBundle, writeBundle } from "#bundle/bundle.ts";
import { instructionsOf } from "#bundle/instructions.ts";
import { type Plan, type PlanFunction, serializePlan } from "#host/plan.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { parseKernelSignatures, serializeKernelSignatures } from "#signing/kernel/signature-file.ts";
import { formatPublicKeyFile } from "#signing/public-key.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { signedSample } from "../harness/host-world.ts";
import { packTree, place, placeBase, storeBundle } from "./image.ts";
import { inSystem, unpackSystem } from "./system-image.ts";

const TOP = join(import.meta.dirname, "../..");
const KFN = join(TOP, "node_modules/.bin/kfn");
const CREATED = "2026-11-29T00:00:00.000Z";
const HOOK = '#!/bin/sh\n[ "$1" = prereqs ] || cp -r /vm-test "$DESTDIR"\n';
const SCRIPT = '#!/bin/sh\n[ "$1" = prereqs ] || exec /vm-test/busybox sh /vm-test/early.sh\n';

export interface SignedImage {
	readonly initrd: string;
	/** The root of the image, before it was packed: keys, certificates and store. */
	readonly tree: string;
	/** The bundle that is signed for the kernel, as a plan names it. */
	readonly honest: PlanFunction;
	/** Of the certificate that the image's host gives the kernel. */
	readonly keyid: string;
}

/**
 * Builds the image below `folder`. In `/`: flow-dissector-1.0.1.kfn, signed for the kernel. Plans: `tuned`, the same with a parameter;
 * `honest`, a sample with its own signature; `forged`, its publisher's next version, one byte of instructions apart, with the same signature.
 */
export async function buildSignedImage(folder: string): Promise<SignedImage> {
	requireTools("busybox", "cpio", "strip", "zstd");
	const tree = join(folder, "tree");
	const env = { ...process.env, KFN_ROOT: tree, KFN_PASSPHRASE: "of keys that live for one test" };
	const kfn = async (...args: string[]) => (await run(KFN, args, { cwd: folder, env })).stdout;
	const { keyid } = JSON.parse(await kfn("kernel-key", "generate", "--json")) as { keyid: string };
	await kfn("kernel-key", "enroll", "kernel.key.der");
	const archive = await buildDissector(kfn, folder);
	const { honest, forged } = await buildSamples(kfn, folder);
	mkdirSync(tree, { recursive: true });
	copyFileSync(archive, join(tree, "flow-dissector-1.0.1.kfn"));
	layPlan(tree, "tuned", await storeBundle(tree, archive, { config: { vxlan_ports: [4789] } }));
	const planned = await storeBundle(tree, honest);
	layPlan(tree, "honest", planned);
	layPlan(tree, "forged", await storeBundle(tree, forged));
	placeBase(tree, "kernel-signed-init.sh");
	await placeCommandLine(tree);
	const initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
	return { initrd, tree, honest: planned, keyid };
}

/**
 * The image that initramfs-tools makes for another kernel on a Debian system with that bundle as its good generation and the
 * certificate enrolled; its hook and its script are those of `kfn boot enable --initramfs`. The script early.sh then reports.
 */
export async function buildEarlyImage(folder: string, signed: SignedImage, release: string): Promise<string> {
	const tree = join(folder, "debian");
	await unpackSystem(tree);
	const state = "var/lib/kfn";
	for (const part of ["etc/kfn", join(state, "store")])
		cpSync(join(signed.tree, part), join(tree, part), { recursive: true });
	const plan = {
		schema: "kfn.plan/1",
		generation: 1,
		created: CREATED,
		reason: "install",
		functions: [signed.honest],
	};
	place(tree, join(state, "generations/1/plan.json"), Buffer.from(serializePlan(plan as Plan)));
	const health = { generation: 1, state: "good", kernels: [release] };
	place(tree, join(state, "generations/1/health.json"), Buffer.from(JSON.stringify(health)));
	for (const name of ["current", "good"]) symlinkSync("generations/1", join(tree, state, name));
	await run(KFN, ["boot", "enable", "--initramfs"], { env: { ...process.env, KFN_ROOT: tree } });
	layReporter(tree);
	// setup.sh keeps no more of the kernel's package than the kernel. Of its configuration mkinitramfs asks this line; its modules are
	// not needed before there is a root to mount, and this boot ends before.
	place(tree, `boot/config-${release}`, Buffer.from("CONFIG_RD_ZSTD=y\n"));
	mkdirSync(join(tree, "usr/lib/modules", release), { recursive: true });
	await inSystem(tree, "update-initramfs", "-c", "-k", release);
	const initrd = join(folder, "early.img");
	copyFileSync(join(tree, `boot/initrd.img-${release}`), initrd);
	rmSync(tree, { recursive: true });
	return initrd;
}

/** A hook and a script of the test's own: after init-top, where kfn's script ran, they say what came of it. */
function layReporter(tree: string): void {
	const tools = "etc/initramfs-tools";
	place(tree, join(tools, "hooks/vm-test"), Buffer.from(HOOK), 0o755);
	place(tree, join(tools, "scripts/init-premount/vm-test"), Buffer.from(SCRIPT), 0o755);
	place(tree, "vm-test/busybox", readFileSync("/bin/busybox"), 0o755);
	for (const script of ["report.sh", "early.sh"])
		place(tree, join("vm-test", script), readFileSync(join(import.meta.dirname, script)));
}

type Kfn = (...args: string[]) => Promise<string>;

async function buildDissector(kfn: Kfn, folder: string): Promise<string> {
	await kfn("key", "generate", "--out", "publisher.key");
	await kfn("build", join(TOP, "packages/flow-dissector"), "--key", "publisher.key");
	await kfn("sign", "flow-dissector-1.0.1.kfn", "--kernel", "kernel.key");
	await kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	return join(folder, "flow-dissector-1.0.1.kfn");
}

async function buildSamples(kfn: Kfn, folder: string): Promise<{ honest: string; forged: string }> {
	const key = await generateKeyPair("");
	writeFileSync(join(folder, "sample.pub"), formatPublicKeyFile(key.publicKey));
	await kfn("trust", "add", "sample", "--key", "sample.pub");
	const first = await signedSample({ version: "1.0.0", offset: 20, signers: [key] });
	const second = await signedSample({ version: "1.0.1", offset: 24, signers: [key] });
	const [honest, forged] = [join(folder, "honest.kfn"), join(folder, "forged.kfn")];
	writeFileSync(honest, first.archive);
	await kfn("sign", honest, "--kernel", "kernel.key");
	writeFileSync(forged, await withSignatureOf(readFileSync(honest), second.archive));
	return { honest, forged };
}

/** The second bundle, all of it as its publisher signed it, with the first one's signature for the kernel. */
async function withSignatureOf(signed: Uint8Array, archive: Uint8Array): Promise<Uint8Array> {
	const [from, to] = [await openBundle(signed), await openBundle(archive)];
	const [[digest, insns] = ["", new Uint8Array()]] = instructionsOf(from);
	const [[otherDigest, otherInsns] = ["", new Uint8Array()]] = instructionsOf(to);
	const differing = insns.filter((byte, at) => byte !== otherInsns[at]).length;
	if (insns.length !== otherInsns.length || differing !== 1)
		throw new Error(`the programs must differ in one byte, not in ${differing}`);
	const [signature] = parseKernelSignatures(from.kernelSignatureBytes, [digest]);
	const moved = serializeKernelSignatures([{ insnsDigest: otherDigest, pkcs7: signature!.pkcs7 }]);
	return writeBundle(to.manifestBytes, to.signatureBytes, to.files, moved);
}

function layPlan(tree: string, name: string, entry: PlanFunction): void {
	const plan = {
		schema: "kfn.plan/1",
		generation: 1,
		created: CREATED,
		reason: name,
		functions: [entry],
	} as const;
	place(tree, `plans/${name}.json`, Buffer.from(serializePlan(plan)));
}

/** The command line, and node with the libraries that it is linked to. */
export async function placeCommandLine(tree: string): Promise<void> {
	const node = join(TOP, "node_modules/node/bin/node");
	// Its symbols are a fifth of it, and all of it must fit into the VM's memory twice.
	await run("strip", ["-o", join(tree, "bin/node"), node]);
	const { stdout } = await run("ldd", [node]);
	for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) place(tree, path!, readFileSync(path!), 0o755);
	await run("sh", ["-eu", "-c", 'mkdir -p "$1" && cp dist/*.cjs "$1"', "copy", join(tree, "kfn/dist")], {
		cwd: TOP,
	});
	place(tree, "etc/passwd", Buffer.from("root:x:0:0:root:/:/bin/sh\n"));
}
