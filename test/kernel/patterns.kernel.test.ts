// A pattern of namespaces with the real command line, loader and kernel: those that are there, one that appears, one that ends.

import { expect, test } from "vitest";
import { run } from "../harness/command.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { openNamespace } from "../harness/namespace.ts";
import { openHostWorld } from "./world.ts";

const LOADER = "build/kfn-load";

interface Status {
	readonly health: string;
	readonly drift: readonly { readonly kind: string; readonly scope: string }[];
	readonly functions: readonly { scope: string; planned: string; version: string; running: boolean }[];
}

test("install, appear, upgrade, end, remove: every namespace that matches, and no other", async (context) => {
	await skipUnlessKernel(context);
	await using stack = new AsyncDisposableStack();
	const world = stack.use(await openHostWorld("patterns"));
	const open = async () => stack.use(await openNamespace(`pat${process.pid}`));
	const kfn = async (...args: string[]) => {
		const { stdout, stderr, code } = await world.kfn(...args, "--json");
		expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
		return JSON.parse(stdout);
	};
	const status = (): Promise<Status> => kfn("status");
	const first = await open();
	const second = await open();
	const prefix = first.path.slice(0, first.path.lastIndexOf("-") + 1);
	const pattern = `netns:${prefix}*`;
	const scopes = [first, second].map(({ path }) => `netns:${path}`).sort();

	const installed = await kfn("install", "flow-dissector@1.0.0", "--scope", pattern);
	expect(
		installed.functions.map(({ scope, step }: { scope: string; step: string }) => [scope, step]),
	).toEqual(scopes.map((scope) => [scope, "attach"]));
	expect(installed.warnings).toEqual([expect.stringContaining("kfn boot enable")]);
	expect(await status()).toMatchObject({
		health: "good",
		functions: scopes.map((scope) => ({ scope, planned: pattern, running: true })),
	});

	const third = await open();
	const appeared = `netns:${third.path}`;
	expect((await status()).drift).toMatchObject([{ kind: "not-pinned", scope: appeared }]);
	// What kfn-autoload@.service runs when a namespace appears.
	await run(LOADER, ["--root", world.root.path, "boot", "--stage", "again"]);
	expect(await status()).toMatchObject({ health: "good", drift: [] });
	expect((await kfn("verify", "--running")).functions).toHaveLength(3);

	const upgraded = await kfn("upgrade", "flow-dissector");
	const steps = upgraded.functions.map(({ step }: { step: string }) => step);
	expect(steps).toEqual(["replace", "replace", "replace"]);
	const exact = await kfn(
		"install",
		"flow-dissector@1.0.1",
		"--scope",
		appeared,
		"--set",
		"vxlan_ports=4789",
	);
	expect(exact.functions.find(({ scope }: { scope: string }) => scope === appeared)).toMatchObject({
		planned: appeared,
		step: "replace",
	});
	const overlap = await world.kfn(
		"install",
		"flow-dissector@1.0.1",
		"--scope",
		`netns:${prefix.slice(0, -1)}*`,
		"--json",
	);
	expect(JSON.parse(overlap.stdout)).toMatchObject({ error: { code: "HOST_SCOPE_OVERLAP" } });

	await second[Symbol.asyncDispose]();
	expect(await status()).toMatchObject({ health: "good", drift: [] });
	await kfn("remove", "flow-dissector");
	expect((await kfn("status")).functions).toEqual([]);
	const { stdout } = await run(LOADER, ["--root", world.root.path, "inspect"]);
	expect(JSON.parse(stdout).pins).toEqual([]);
});
