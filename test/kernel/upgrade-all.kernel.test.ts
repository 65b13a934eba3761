// kfn upgrade without a name: one bundle that cannot be upgraded keeps nothing else from its newest version, and is reported
// with its own advice and the gravest exit code.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { formatPublicKey } from "#signing/public-key.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { signedSample } from "../harness/host-world.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

interface UpgradeDocument {
	readonly changes: readonly { readonly reason: string }[];
	readonly failures: readonly {
		readonly bundle: string;
		readonly scope: string;
		readonly exit: number;
		readonly error: { readonly code: string; readonly hint?: string };
	}[];
}

async function versions(world: HostWorld): Promise<string[]> {
	const { functions } = JSON.parse((await world.kfn("status", "--json")).stdout) as {
		functions: { bundle: string; version: string; running: boolean }[];
	};
	return functions.map(({ bundle, version, running }) => `${bundle} ${version} ${running}`).sort();
}

test("upgrading everything goes past a bundle that the registry lacks, and past one that is not its publisher's", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("upgradeall");
	const done = async (...args: string[]) => {
		const { code, stderr } = await world.kfn(...args);
		expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
	};
	const key = await generateKeyPair("local");
	writeFileSync(join(world.folder, "local.key.pub"), `${formatPublicKey(key.publicKey)}\n`);
	const local = await signedSample({ version: "1.0.0", offset: 20, signers: [key] });
	writeFileSync(join(world.folder, "sample-1.0.0.kfn"), local.archive);
	await done("trust", "add", "sample", "--key", "local.key.pub");
	await done("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	// The left end's name sorts before the right's: what fails comes first.
	const left = `netns:${world.pair.left.netns.path}`;
	expect(left < world.scope).toBe(true);
	await done("install", "sample-1.0.0.kfn", "--scope", left);
	await done("install", "flow-dissector@1.0.0", "--scope", world.scope);

	const first = await world.kfn("upgrade", "--json");
	const document = JSON.parse(first.stdout) as UpgradeDocument;
	expect(document.changes).toMatchObject([{ reason: "upgrade flow-dissector 1.0.0 → 1.0.1" }]);
	expect(document.failures).toEqual([
		{
			bundle: "sample",
			version: "1.0.0",
			scope: left,
			open: [],
			exit: 1,
			error: expect.objectContaining({ code: "TRUST_NO_TARGET", hint: expect.any(String) }),
		},
	]);
	expect(first.code).toBe(1);
	expect(await versions(world)).toEqual(["flow-dissector 1.0.1 true", "sample 1.0.0 true"]);

	await done("rollback");
	const text = await world.kfn("upgrade");
	expect(text.code).toBe(1);
	expect(text.stdout).toContain("upgrade flow-dissector 1.0.0 → 1.0.1");
	expect(text.stdout).toMatch(/not upgraded: sample 1\.0\.0 in \S+: .* \[TRUST_NO_TARGET\]\n {2}hint: /);

	// The operator's own word for a name comes before the registry's: its publisher is now somebody else.
	await done("rollback", "2");
	await done("trust", "remove", "flow-dissector");
	await done("trust", "add", "flow-dissector", "--key", "local.key.pub");
	const second = await world.kfn("upgrade", "--json");
	const { changes, failures } = JSON.parse(second.stdout) as UpgradeDocument;
	expect(changes).toEqual([]);
	expect(failures).toMatchObject([
		{ bundle: "sample", exit: 1, error: { code: "TRUST_NO_TARGET" } },
		{ bundle: "flow-dissector", exit: 3, error: { code: "SIGNATURE_UNKNOWN_KEY" } },
	]);
	expect(second.code).toBe(3);
	expect(await versions(world)).toEqual(["flow-dissector 1.0.0 true", "sample 1.0.0 true"]);
	await done("remove", "flow-dissector");
	await done("remove", "sample");
});
