// A function at a device's egress and one without a hook, through the whole command line: built from C with maps, signed, installed,
// swapped, proved, rolled back, watched and removed. Its programs only count and pass packets on.
import { expect, test } from "vitest";
import { run } from "../harness/command.ts";
import { layCountingPackage } from "../harness/counting-package.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

async function ok(world: HostWorld, ...args: string[]) {
	const { code, stdout, stderr } = await world.kfn(...args, "--json");
	expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
	return JSON.parse(stdout);
}

test("at a device: installed, kept, upgraded, proved, rolled back and removed", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("device");
	const scope = `dev:${world.pair.left.device}@${world.pair.left.netns.path}`;
	for (const [version, step] of [
		["1.0.0", 1],
		["1.1.0", 2],
	] as const) {
		const spec = { name: "pass", version, section: "tc/egress", step } as const;
		await ok(world, "build", layCountingPackage(world.folder, spec), "--key", "publisher.key");
	}
	await ok(world, "trust", "add", "pass", "--key", "publisher.key.pub");
	const nowhere = await world.kfn("install", "pass-1.0.0.kfn", "--json");
	expect(JSON.parse(nowhere.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");
	const wrong = await world.kfn("install", "pass-1.0.0.kfn", "--scope", world.scope, "--json");
	expect(JSON.parse(wrong.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");

	expect(await ok(world, "preflight", "pass-1.0.0.kfn", "--scope", scope)).toMatchObject({
		functions: [{ loads: { have: "yes" }, hook: { have: "yes" } }],
	});
	const installed = await ok(world, "install", "pass-1.0.0.kfn", "--scope", scope);
	expect(installed.functions).toMatchObject([{ step: "attach", scope }]);
	const status = await ok(world, "status");
	expect(status).toMatchObject({ health: "good", functions: [{ running: true, scope, version: "1.0.0" }] });
	const [program] = status.functions[0].programs;
	expect(program.kernelTag).toBe(program.insnsDigest.slice(0, 16));
	expect(await ok(world, "install", "pass-1.0.0.kfn", "--scope", scope)).toMatchObject({ changed: false });
	await ok(world, "verify", "--running");

	await ok(world, "upgrade", "pass-1.1.0.kfn");
	expect((await ok(world, "status")).functions).toMatchObject([{ version: "1.1.0", running: true }]);
	// The one instruction that differs stands in the subprogram.
	expect((await ok(world, "diff", "1", "2")).bundles[0].diff.programs).toMatchObject([
		{ program: "pass", added: 1, removed: 1 },
	]);
	await ok(world, "rollback");
	expect((await ok(world, "status")).functions).toMatchObject([{ version: "1.0.0", running: true }]);
	await ok(world, "verify", "--running");
	await ok(world, "verify", "pass-1.0.0.kfn", "--rebuild");
	await ok(world, "remove", "pass");
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [] });
});

test("without a hook: proved, listed, and said to be attached nowhere", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("hookless");
	const spec = { name: "merge", version: "1.0.0", section: "xdp.frags", step: 1 } as const;
	await ok(world, "build", layCountingPackage(world.folder, spec), "--key", "publisher.key");
	await ok(world, "trust", "add", "merge", "--key", "publisher.key.pub");
	const installed = await ok(world, "install", "merge-1.0.0.kfn");
	expect(installed.functions).toMatchObject([{ step: "none", scope: "none", vectors: 1 }]);
	expect(await ok(world, "status")).toMatchObject({
		health: "good",
		functions: [{ scope: "none", running: false }],
		drift: [],
	});
	expect((await world.kfn("status")).stdout).toContain("not attached: the kernel has no hook for it");
	const wrong = await world.kfn("install", "merge-1.0.0.kfn", "--scope", world.scope, "--json");
	expect(JSON.parse(wrong.stdout).error.code).toBe("HOST_SCOPE_UNSUPPORTED");
	// It does not stand in the way of others, and stays with them.
	const both = await ok(world, "install", "flow-dissector", "--scope", world.scope);
	expect(both.functions.map(({ step }: { step: string }) => step).sort()).toEqual(["attach", "none"]);
	await ok(world, "verify", "--running");
	const unproved = await world.kfn("verify", "--running", "merge", "--json");
	expect(JSON.parse(unproved.stdout).error.code).toBe("HOST_RUNNING_UNPROVED");
	await ok(world, "remove", "merge");
	await ok(world, "remove", "flow-dissector");
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [] });
});

test("at every device of a driver: those that are there, one that appears, a name before its driver", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("driver");
	const { netns, device } = world.pair.left;
	const scope = `dev:driver=veth@${netns.path}`;
	const at = (name: string) => `dev:${name}@${netns.path}`;
	const add = (...names: [string, string]) =>
		netns.run("ip", ["link", "add", names[0], "type", "veth", "peer", "name", names[1]]);
	const steps = ({ functions }: { functions: { scope: string; planned: string; step: string }[] }) =>
		functions.map((entry) => [entry.scope, entry.planned, entry.step]);
	for (const [version, step] of [
		["1.0.0", 1],
		["1.1.0", 2],
	] as const) {
		const spec = { name: "pass", version, section: "tc/egress", step } as const;
		await ok(world, "build", layCountingPackage(world.folder, spec), "--key", "publisher.key");
	}
	await ok(world, "trust", "add", "pass", "--key", "publisher.key.pub");
	const installed = await ok(world, "install", "pass-1.0.0.kfn", "--scope", scope);
	expect(steps(installed)).toEqual([[at(device), scope, "attach"]]);
	expect(installed.warnings).toEqual([expect.stringContaining("kfn boot enable")]);

	await add("new0", "new1");
	expect((await ok(world, "status")).drift.map(({ kind }: { kind: string }) => kind)).toEqual([
		"not-pinned",
		"not-pinned",
	]);
	// What the udev rule starts for a device that appears.
	await run("build/kfn-load", ["--root", world.root.path, "boot", "--stage", "again"]);
	expect(await ok(world, "status")).toMatchObject({ health: "good", drift: [] });

	const exact = await ok(world, "install", "pass-1.1.0.kfn", "--scope", at("new0"));
	expect(steps(exact)).toEqual(
		expect.arrayContaining([
			[at("new0"), at("new0"), "replace"],
			[at("new1"), scope, "keep"],
		]),
	);
	await netns.run("ip", ["link", "del", "new0"]);
	expect((await ok(world, "status")).drift).toMatchObject([{ kind: "device-gone", scope: at("new0") }]);
	await ok(world, "remove", "pass");
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [], drift: [] });
});
