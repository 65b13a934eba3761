// Makes the initramfs of the test VM: busybox, the loader, and a KFN root with signed bundles and plans. Refuses to attach anything on the building machine: files only.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openBundle } from "#bundle/bundle.ts";
import { configDigest } from "#bundle/config.ts";
import { layoutOf } from "#host/layout.ts";
import { type PlanFunction, serializePlan } from "#host/plan.ts";
import { parseScope } from "#host/scope.ts";
import { run } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { requireTools } from "../harness/feature.ts";

const TOP = join(import.meta.dirname, "../..");
const KFN = join(TOP, "node_modules/.bin/kfn");

/** The versions that the VM goes through: `before` is replaced by `after`. */
export interface Image {
	readonly initrd: string;
	readonly before: PlanFunction;
	readonly after: PlanFunction;
}

/**
 * Builds the image below `folder`.
 *
 * Plans in `/plans`: `before`, `after`, `empty`, and `tampered`, whose object differs by one bit from the signed one.
 */
export async function buildImage(folder: string): Promise<Image> {
	requireTools("busybox", "cpio", "gzip");
	const tree = join(folder, "tree");
	const archives = await buildBundles(folder, tree);
	const before = await storeBundle(tree, archives.before);
	const after = await storeBundle(tree, archives.after);
	const tampered = await storeBundle(tree, archives.after, flipObjectBit);
	const plans = { before: [before], after: [after], tampered: [tampered], empty: [] };
	for (const [index, [name, functions]] of Object.entries(plans).entries()) {
		const created = "2026-11-23T10:00:00.000Z";
		const plan = { schema: "kfn.plan/1", generation: index + 1, created, reason: name, functions } as const;
		place(tree, `plans/${name}.json`, Buffer.from(serializePlan(plan)));
	}
	for (const mount of ["proc", "sys", "dev"]) mkdirSync(join(tree, mount), { recursive: true });
	place(tree, "bin/busybox", readFileSync("/bin/busybox"), 0o755);
	place(tree, "bin/kfn-load", readFileSync(join(TOP, "build/kfn-load")), 0o755);
	place(tree, "init", readFileSync(join(import.meta.dirname, "init.sh")), 0o755);
	const initrd = join(folder, "initrd.gz");
	await run("sh", ["-eu", "-c", 'find . | cpio --quiet -o -H newc | gzip -1 >"$1"', "pack", initrd], {
		cwd: tree,
	});
	return { initrd, before, after };
}

/** Builds and signs both versions with the real command line, and lets the image's root trust their key. */
async function buildBundles(folder: string, tree: string): Promise<{ before: string; after: string }> {
	const versions = await layDissectorVersions(folder);
	const env = { ...process.env, KFN_ROOT: tree, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	await kfn("build", versions.before, "--key", "publisher.key");
	await kfn("build", versions.after, "--key", "publisher.key");
	await kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	return {
		before: join(folder, "flow-dissector-1.0.0.kfn"),
		after: join(folder, "flow-dissector-1.0.1.kfn"),
	};
}

/** Lays a bundle out in the image's store, and plans it for the VM's root namespace. */
async function storeBundle(
	tree: string,
	archive: string,
	change?: (path: string, bytes: Uint8Array) => Uint8Array,
) {
	const bundle = await openBundle(readFileSync(archive));
	const entry = layoutOf("").storeEntry(change === undefined ? bundle.sha256 : "f".repeat(64));
	const files = new Map([
		["kfn.json", bundle.manifestBytes],
		["kfn.sig.json", bundle.signatureBytes],
		...bundle.files,
	]);
	for (const [path, bytes] of files) place(tree, join(entry, path), change?.(path, bytes) ?? bytes);
	const { manifest } = bundle;
	const planned: PlanFunction = {
		function: manifest.function.name,
		abi: manifest.function.abi,
		scope: parseScope("netns:root"),
		bundle: {
			name: manifest.name,
			version: manifest.version,
			sha256: entry.split("/").at(-1)!,
			manifestSha256: bundle.manifestDigest,
		},
		tag: manifest.tag.value,
		config: {},
		configDigest: configDigest({}),
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

function place(tree: string, path: string, bytes: Uint8Array, mode = 0o644): void {
	const file = join(tree, path);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, bytes);
	chmodSync(file, mode);
}
