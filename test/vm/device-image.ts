// Makes the initramfs of the VM with the test device: its driver, firmware for it, and the tools that ask the kernel about it. Refuses to
// load the driver on the building machine: files only.
import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { openBundle } from "#bundle/bundle.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { layTsoVersions } from "../harness/tso-bundles.ts";
import { buildTools } from "../tso/build.ts";
import { buildModule, type Engines } from "./device/build.ts";
import { packTree, place, placeBase } from "./image.ts";

const KFN = join(import.meta.dirname, "../../node_modules/.bin/kfn");

/** QEMU's arguments for two ports and the wire between them. */
export const DEVICES = ["edu,addr=4", "edu,addr=5"] as const;

export interface DeviceImage {
	readonly initrd: string;
	/** What is the first engine's and the second's tag. */
	readonly tags: { readonly first: string; readonly second: string };
}

export const FIRMWARE = {
	"second.fw": "version 2.0.0\nengine second\n",
	"none.fw": "version 2.0.1\nengine none\n",
	"psh.fw": "version 3.0.0\nengine first\nlie psh\n",
	"id.fw": "version 3.0.1\nengine first\nlie id\n",
	"broken.fw": "version 4.0.0\nengine third\n",
} as const;

/** Builds the image below `folder`: kfn_device.ko, /first.bpf.o and /second.bpf.o, and FIRMWARE in /lib/firmware. */
export async function buildDeviceImage(folder: string, series: string): Promise<DeviceImage> {
	requireTools("busybox", "cpio", "devlink", "ethtool", "ip", "make", "zstd");
	const tree = join(folder, "tree");
	placeBase(tree, "device-init.sh");
	const engines = await buildEngines(folder);
	const module = await buildModule(folder, series, engines);
	place(tree, "kfn_device.ko", readFileSync(module));
	for (const [name, text] of Object.entries(FIRMWARE))
		place(tree, join("lib/firmware", name), Buffer.from(text));
	const tags = {
		first: await placeObject(tree, "first", engines.first),
		second: await placeObject(tree, "second", engines.second),
	};
	mkdirSync(join(folder, "tools"));
	const tools = await buildTools(join(folder, "tools"), "static");
	for (const tool of ["differential", "stream"] as const)
		place(tree, join("bin", tool), readFileSync(tools[tool]), 0o755);
	for (const tool of ["devlink", "ethtool", "ip"]) await placeTool(tree, tool);
	const initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
	return { initrd, tags };
}

/** Both versions of packages/tso as bundles, by the publisher whose key is in `folder`. */
export async function buildEngines(folder: string): Promise<Engines> {
	const versions = layTsoVersions(folder);
	const env = { ...process.env, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	for (const version of [versions.before, versions.after])
		await kfn("build", version, "--key", "publisher.key");
	return { first: join(folder, "tso-1.0.0.kfn"), second: join(folder, "tso-1.0.1.kfn") };
}

/** The bundle's object, for comparison; returns the bundle's tag. */
async function placeObject(tree: string, name: string, archive: string): Promise<string> {
	const bundle = await openBundle(readFileSync(archive));
	place(tree, `${name}.bpf.o`, bundle.files.get("obj/tso.bpf.o")!);
	return bundle.manifest.tag.value;
}

/** A command of the building machine, by its name or its path, with the libraries that it is linked to. */
export async function placeTool(tree: string, name: string, folder = "tools"): Promise<void> {
	const { stdout: found } = await run("sh", ["-c", `command -v ${name}`]);
	const path = found.trim();
	place(tree, join(folder, basename(path)), readFileSync(path), 0o755);
	const { stdout } = await run("ldd", [path]);
	for (const [, library] of stdout.matchAll(/(\/\S+) \(0x/g))
		place(tree, library!, readFileSync(library!), 0o755);
}
