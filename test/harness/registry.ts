// Starts the real registry on loopback with a throw-away data folder. Refuses nothing that the registry itself would take.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRegistry, type Registry, type RegistryOptions } from "#registry/main.ts";
import { initialiseTestTrust, type TestTrust, type TestTrustOptions } from "#registry/testing/trust.ts";
import { registerUndo } from "./cleanup.ts";

/** A registry that serves until it is disposed of. */
export interface TestRegistry extends AsyncDisposable {
	/** `http://127.0.0.1:PORT`. */
	readonly url: string;
	readonly dataDir: string;
	readonly registry: Registry;
	/** The keys behind it. Bundles of `testBundle` may be published to it, unless `options.trust` said otherwise. */
	readonly trust: TestTrust;
	/** A token that may publish, yank and read every name for an hour. */
	readonly token: string;
}

/** Initialises and serves a registry; `options` other than the data folder and `trust` go to it as they are. */
export async function openTestRegistry(
	options: Omit<RegistryOptions, "dataDir"> & { readonly trust?: TestTrustOptions } = {},
): Promise<TestRegistry> {
	const dataDir = mkdtempSync(join(tmpdir(), `kfn-registry-${process.pid}-`));
	const undo = registerUndo(`registry ${dataDir}`, () => rmSync(dataDir, { recursive: true, force: true }));
	const now = options.now?.() ?? new Date();
	const trust = await initialiseTestTrust(dataDir, { now, ...options.trust });
	const registry = await openRegistry({ ...options, dataDir });
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const { token } = await registry.tokens.create({
		label: "test",
		names: "*",
		verbs: ["publish", "yank", "read"],
		expiresAt: new Date(now.getTime() + 3_600_000).toISOString(),
	});
	return {
		url,
		dataDir,
		registry,
		trust,
		token,
		async [Symbol.asyncDispose]() {
			await registry.close();
			undo.run();
		},
	};
}
