// The registry that the Debian VM installs from: the real one, on the host's loopback, with both versions of the flow dissector.
// Refuses to be reached from anywhere else: QEMU carries what the VM sends to one address, and nothing else (debian.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "#bundle/digest.ts";
import { parsePublicKeyFile } from "#signing/public-key.ts";
import { run } from "../../harness/command.ts";
import { layDissectorVersions } from "../../harness/dissector-bundles.ts";
import { openTestRegistry, type TestRegistry } from "../../harness/registry.ts";

const KFN = join(import.meta.dirname, "../../../node_modules/.bin/kfn");

export interface ServedRegistry extends TestRegistry {
	readonly port: number;
	/** What the operator was told over another channel: sha256 of the registry's root. */
	readonly fingerprint: string;
}

/** Builds and signs 1.0.0 and 1.0.1 below `folder`, and publishes them to a registry that serves until it is disposed of. */
export async function serveDissector(folder: string): Promise<ServedRegistry> {
	const versions = await layDissectorVersions(folder);
	const env: NodeJS.ProcessEnv = { ...process.env, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	for (const version of [versions.before, versions.after])
		await kfn("build", version, "--key", "publisher.key");
	const publisher = parsePublicKeyFile(readFileSync(join(folder, "publisher.key.pub"), "utf8"));
	const served = await openTestRegistry({ trust: { publishers: [publisher] } });
	Object.assign(env, { KFN_REGISTRY: served.url, KFN_TOKEN: served.token });
	for (const version of ["1.0.0", "1.0.1"]) await kfn("publish", `flow-dissector-${version}.kfn`);
	return { ...served, port: Number(new URL(served.url).port), fingerprint: sha256(served.trust.rootBytes) };
}
