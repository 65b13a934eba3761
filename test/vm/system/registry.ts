// The registry that the Debian VM installs from: the real one, on the host's loopback, with three versions of the flow dissector and two
// advisories.
// Refuses to be reached from anywhere else: QEMU carries what the VM sends to one address, and nothing else (debian.ts).
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** What CVE-2026-46306 says of this function, as docs/formats/advisory.md has it, but fixed by 1.0.0. */
const PPPOE = {
	id: "x_TEST-2026-46306",
	aliases: ["CVE-2026-46306"],
	summary: "The kernel's flow dissector misreads PPPoE frames with a compressed protocol field",
	affected: [kernelsFrom("6.0", "6.1.175")],
	database_specific: {
		kfn: {
			kind: "kernel-code",
			names: ["flow-dissector"],
			fixedBy: [{ bundle: "flow-dissector", from: "1.0.0", config: { patch: ["pppoe-pfc"] } }],
		},
	},
};
/** The counter-example: no bundle can patch it. */
const HOOK = {
	id: "x_TEST-2026-98950",
	aliases: ["CVE-2026-98950"],
	summary: "A bug in the hook itself",
	affected: [kernelsFrom("6.0", "6.1.176")],
	database_specific: { kfn: { kind: "kernel-only", names: ["flow-dissector"] } },
};

function kernelsFrom(introduced: string, fixed: string) {
	return {
		package: { ecosystem: "Linux", name: "Kernel" },
		ranges: [{ type: "ECOSYSTEM", events: [{ introduced }, { fixed }] }],
		database_specific: { kfn: { function: "flow-dissector" } },
	};
}

/**
 * Builds and signs 0.9.0 (which leaves PPPoE to the kernel's own code), 1.0.0 and 1.0.1 below `folder`, and publishes them, with
 * advisories, to a registry that serves until it is disposed of.
 */
export async function serveDissector(folder: string): Promise<ServedRegistry> {
	const versions = await layDissectorVersions(folder);
	const env: NodeJS.ProcessEnv = { ...process.env, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(KFN, args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	for (const version of [await layOldest(folder, versions.before), versions.before, versions.after])
		await kfn("build", version, "--key", "publisher.key");
	const publisher = parsePublicKeyFile(readFileSync(join(folder, "publisher.key.pub"), "utf8"));
	const served = await openTestRegistry({ trust: { publishers: [publisher] } });
	Object.assign(env, { KFN_REGISTRY: served.url, KFN_TOKEN: served.token });
	for (const version of ["0.9.0", "1.0.0", "1.0.1"]) await kfn("publish", `flow-dissector-${version}.kfn`);
	for (const advisory of [PPPOE, HOOK]) {
		writeFileSync(join(folder, "osv.json"), JSON.stringify(advisory));
		await kfn("advisory", "new", "osv.json", "--key", "publisher.key", "-o", `${advisory.id}.json`);
		await kfn("advisory", "publish", `${advisory.id}.json`);
	}
	return { ...served, port: Number(new URL(served.url).port), fingerprint: sha256(served.trust.rootBytes) };
}

/** A copy of 1.0.0 that asks the C code about PPPoE, as it does about what it does not know. */
async function layOldest(folder: string, first: string): Promise<string> {
	const oldest = join(folder, "oldest/flow-dissector");
	cpSync(join(first, ".."), join(folder, "oldest"), { recursive: true });
	const change = (file: string, from: string | RegExp, to: string) => {
		const path = join(oldest, file);
		const before = readFileSync(path, "utf8");
		const after = before.replace(from, to);
		if (after === before) throw new Error(`${file} has nothing like ${from}`);
		writeFileSync(path, after);
	};
	change("kfn.package.json", '"version": "1.0.0"', '"version": "0.9.0"');
	change("src/flow_dissector.bpf.c", "return dissect_pppoe(d);", "return STEP_UNKNOWN;");
	change("vectors/history.jsonl", /^.*(?:cve-2026-46306|length-pppoe).*\n/gm, "");
	rmSync(join(oldest, "vectors/pppoe.jsonl"));
	return oldest;
}
