// A kfn root on the real kernel: own bpffs, namespaces of its own, build/kfn-load. Refuses to attach anything outside them.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileObject } from "#bundle/testing/sample.ts";
import { spawnLoader } from "#host/loader.ts";
import type { SecretKey } from "#signing/ed25519.ts";
import { run } from "./command.ts";
import { trustKeys } from "./host-world.ts";
import type { LoaderWorld } from "./loader-contract.ts";
import { type NetworkNamespace, openNamespace } from "./namespace.ts";
import { openRoot } from "./root.ts";

const TOP = join(import.meta.dirname, "../..");
export const LOADER = join(TOP, "build/kfn-load");
/** The same with fault points (`make -C host/native faults`). */
export const FAULTY_LOADER = join(TOP, "build/kfn-load-faults");

const FOREIGN = `// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
__attribute__((section("license"), used)) const char _license[] = "Dual BSD/GPL";
__attribute__((section("flow_dissector"), used)) int foreign(void *ctx) { return 0; }
`;

/** Opens the real world; `loader` is another binary than build/kfn-load, if given. */
export async function openRealWorld(key: SecretKey, loader = LOADER): Promise<LoaderWorld> {
	await using stack = new AsyncDisposableStack();
	const root = stack.use(await openRoot("host"));
	trustKeys(root.path, ["sample"], [key]);
	const namespaces = new Map<string, NetworkNamespace>();
	const owned = stack.move();
	return {
		root: root.path,
		loader: spawnLoader(loader, root.path),
		unprivileged() {
			// Its files can be read, as on a real host: what is refused is refused by the kernel or by bpffs.
			chmodSync(root.path, 0o755);
			return spawnLoader(asNobody(loader, owned), root.path);
		},
		async addNamespace() {
			const namespace = owned.use(await openNamespace("host"));
			namespaces.set(namespace.path, namespace);
			return namespace.path;
		},
		async endNamespace(path) {
			await namespaces.get(path)?.[Symbol.asyncDispose]();
		},
		attachForeign: (path) => attachForeign(namespaces.get(path)!, root.bpffs),
		async unmountBpffs() {
			await run("umount", [root.bpffs]);
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

/** Loads a dissector that is not kfn's and attaches it, in the old manner without a link. */
export async function attachForeign(namespace: NetworkNamespace, bpffs: string): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-foreign-"));
	try {
		const object = join(folder, "foreign.o");
		writeFileSync(object, compileObject(FOREIGN));
		const pin = join(bpffs, `foreign_${process.pid}`);
		await run("bpftool", ["prog", "load", object, pin, "type", "flow_dissector"]);
		await namespace.run("bpftool", ["prog", "attach", "pinned", pin, "flow_dissector"]);
		// The attachment holds the program; a pin outside kfn's folder would only be in the way.
		rmSync(pin);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** A program that starts the loader as nobody. */
function asNobody(loader: string, stack: AsyncDisposableStack): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-nobody-"));
	stack.defer(() => rmSync(folder, { recursive: true }));
	const path = join(folder, "kfn-load");
	chmodSync(folder, 0o755);
	writeFileSync(path, `#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 --clear-groups ${loader} "$@"\n`);
	chmodSync(path, 0o755);
	return path;
}
