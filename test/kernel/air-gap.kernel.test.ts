// The air gap from end to end with the real command line: a registry outside, a host inside that never reaches it, and a file
// that is carried between them; then the same after the metadata on the file has expired.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRegistry } from "#registry/main.ts";
import { initialiseTestTrust } from "#registry/testing/trust.ts";
import { parsePublicKeyFile } from "#signing/public-key.ts";
import { registerUndo } from "../harness/cleanup.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { openRoot } from "../harness/root.ts";
import { writePolicy } from "../harness/trust-world.ts";
import { openVethPair } from "../harness/veth.ts";
import { CLI, PASSPHRASE } from "../sessions/world.ts";

const DAY_MS = 86_400_000;

interface StatusDocument {
	readonly functions: readonly { readonly version: string; readonly running: boolean }[];
	readonly trust: {
		readonly state: string;
		readonly suspended: {
			readonly guarantee: string;
			readonly since: string;
			readonly roles: readonly string[];
		} | null;
	};
}

async function openWorld(stack: AsyncDisposableStack) {
	const folder = mkdtempSync(join(tmpdir(), "kfn-airgap-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const inside = stack.use(await openRoot("airgap"));
	const pair = stack.use(await openVethPair("airgap"));
	const outside = join(folder, "outside");
	const kfnOn = (root: string, env: NodeJS.ProcessEnv) => (line: string) =>
		run(CLI, line.split(" "), {
			cwd: folder,
			env: { ...process.env, KFN_PASSPHRASE: PASSPHRASE, KFN_ROOT: root, ...env },
			allowFailure: true,
		});
	await kfnOn(outside, {})("key generate --out publisher.key");
	const publisher = parsePublicKeyFile(readFileSync(join(folder, "publisher.key.pub"), "utf8"));
	const dataDir = join(folder, "registry");
	const { rootBytes } = await initialiseTestTrust(dataDir, { publishers: [publisher] });
	for (const root of [outside, inside.path]) {
		mkdirSync(join(root, "etc/kfn/trust"), { recursive: true });
		writeFileSync(join(root, "etc/kfn/trust/root.json"), rootBytes);
	}
	let clock = () => new Date();
	const registry = await openRegistry({ dataDir, now: () => clock() });
	stack.defer(() => registry.close());
	const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
	const expiresAt = new Date(Date.now() + DAY_MS).toISOString();
	const { token } = await registry.tokens.create({
		label: "test",
		names: "*",
		verbs: ["publish"],
		expiresAt,
	});
	return {
		folder,
		outside,
		inside: inside.path,
		scope: `netns:${pair.right.netns.path}`,
		kfnOutside: kfnOn(outside, { KFN_REGISTRY: url, KFN_TOKEN: token }),
		// Inside nobody knows where the registry is.
		kfnInside: kfnOn(inside.path, { KFN_REGISTRY: undefined, KFN_TOKEN: undefined }),
		setBack: (days: number) => {
			clock = () => new Date(Date.now() - days * DAY_MS);
		},
		closeRegistry: () => registry.close(),
	};
}

const done = async (result: Promise<CommandResult>): Promise<string> => {
	const { code, stdout, stderr } = await result;
	expect(code, stderr).toBe(0);
	return stdout;
};

const refused = async (result: Promise<CommandResult>): Promise<string> => {
	const { code, stderr } = await result;
	return `${code} ${/\[([A-Z_]+)\]/.exec(stderr)?.[1]}`;
};

test("out, across and in; then with a file whose metadata has expired", {
	timeout: 300_000,
}, async (context) => {
	await skipUnlessKernel(context);
	await using stack = new AsyncDisposableStack();
	const world = await openWorld(stack);
	const { kfnOutside, kfnInside, scope } = world;
	const status = async () => JSON.parse(await done(kfnInside("status --json"))) as StatusDocument;
	const { before, after } = await layDissectorVersions(world.folder);
	await done(kfnOutside(`build ${before} --key publisher.key`));
	await done(kfnOutside(`build ${after} --key publisher.key`));
	await done(kfnOutside("publish flow-dissector-1.0.0.kfn"));
	await done(kfnOutside("export first.tar"));
	world.setBack(5);
	await done(kfnOutside("publish flow-dissector-1.0.1.kfn"));
	writePolicy(world.outside, 30);
	await done(kfnOutside("export second.tar --since first.tar"));
	await world.closeRegistry();

	const imported = await done(kfnInside("import first.tar"));
	const url = imported.split("\n")[0]!;
	expect(url).toBe(`file://${world.inside}/var/lib/kfn/registry`);
	await done(kfnInside("trust add flow-dissector --key publisher.key.pub"));
	await done(kfnInside(`install flow-dissector --scope ${scope} --registry ${url}`));
	expect(await status()).toMatchObject({
		functions: [{ version: "1.0.0", running: true }],
		trust: { state: "fresh", suspended: null },
	});

	expect(await refused(kfnInside("import second.tar"))).toBe("3 TRUST_EXPIRED");
	writePolicy(world.inside, 3);
	expect(await refused(kfnInside("import second.tar"))).toBe("3 TRUST_EXPIRED");
	expect((await status()).trust.state).toBe("fresh");

	writePolicy(world.inside, 30);
	await done(kfnInside("import second.tar"));
	await done(kfnInside(`upgrade --registry ${url}`));
	const now = await status();
	expect(now.functions).toMatchObject([{ version: "1.0.1", running: true }]);
	expect(now.trust).toMatchObject({ state: "suspended", suspended: { guarantee: "freshness" } });
	expect(now.trust.suspended!.roles).toContain("timestamp");
	const since = Date.parse(now.trust.suspended!.since);
	expect(Math.abs(since - (Date.now() - 4 * DAY_MS))).toBeLessThan(600_000);
	const text = await done(kfnInside("status"));
	expect(text).toContain("freshness");
	expect(text).toContain(now.trust.suspended!.since);

	writePolicy(world.inside, 3);
	expect(await refused(kfnInside(`upgrade --registry ${url}`))).toBe("3 TRUST_EXPIRED");
	expect(await refused(kfnInside("import first.tar"))).toBe("3 TRUST_ROLLBACK");
	expect((await status()).functions).toMatchObject([{ version: "1.0.1", running: true }]);
});
