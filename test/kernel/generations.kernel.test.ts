// The verbs that look at and make generations, together on a real kernel and registry: apply, hold, upgrade, diff, history, rollback, gc.
// What each says must be what runs.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

async function answer(world: HostWorld, ...args: string[]): Promise<Record<string, unknown>> {
	const { stdout, code } = await world.kfn(...args, "--json");
	expect(code, `${args.join(" ")}: ${stdout}`).toBe(0);
	return JSON.parse(stdout) as Record<string, unknown>;
}

function state(world: HostWorld, version: string, set: Record<string, unknown> = {}): string {
	const functions = [{ bundle: "flow-dissector", version, scope: world.scope, set }];
	writeFileSync(join(world.folder, "state.json"), JSON.stringify({ schema: "kfn.state/1", functions }));
	return "state.json";
}

const versionThatRuns = async (world: HostWorld) =>
	(await answer(world, "status")) as { health: string; functions: { version: string; running: boolean }[] };

test("apply, hold, upgrade, diff, history, rollback and gc agree with the kernel", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("generations");
	const runs = async (version: string) =>
		expect(await versionThatRuns(world)).toMatchObject({
			health: "good",
			functions: [{ version, running: true }],
		});

	expect(await answer(world, "apply", state(world, "1.0.0"))).toMatchObject({ changed: true, generation: 1 });
	expect(await answer(world, "apply", "state.json")).toMatchObject({ changed: false, generation: 1 });
	expect(await answer(world, "hold", "flow-dissector")).toMatchObject({
		holds: [{ active: ["1.0.0"], keepsOut: [{ version: "1.0.1", fixes: [] }] }],
	});
	expect(await answer(world, "upgrade")).toMatchObject({
		changes: [],
		failures: [],
		holds: [{ name: "flow-dissector", keepsOut: [{ version: "1.0.1" }] }],
	});
	const held = await world.kfn("apply", state(world, "^1.0.1"), "--json");
	expect(JSON.parse(held.stdout)).toMatchObject({
		error: { code: "HOST_HELD", details: { entry: { index: 0 } } },
	});
	await runs("1.0.0");

	await answer(world, "unhold", "flow-dissector");
	const planned = await answer(world, "apply", state(world, "^1.0.1", { vxlan_ports: [4789] }), "--dry-run");
	expect(planned).toMatchObject({ generation: 2, functions: [{ step: "replace", from: "1.0.0" }] });
	await runs("1.0.0");
	expect(await answer(world, "apply", "state.json")).toMatchObject({ functions: [{ step: "replace" }] });
	await runs("1.0.1");

	expect(await answer(world, "diff", "--instructions")).toMatchObject({
		functions: [{ change: "changed", parameters: [{ name: "vxlan_ports", from: [], to: [4789] }] }],
		bundles: [
			{
				diff: {
					source: [{ path: "src/tunnel.h", patch: null }],
					programs: [{ patch: expect.stringMatching(/^-.*\n(.*\n)*?\+/m) }],
				},
			},
		],
	});
	expect(await answer(world, "rollback")).toMatchObject({ reason: "rollback to generation 1" });
	await runs("1.0.0");
	expect(await answer(world, "history")).toMatchObject({
		generation: 3,
		generations: [{ current: true, good: true }, { mark: "good" }, { changes: [{ change: "added" }] }],
	});
	expect(await answer(world, "gc", "--keep", "1")).toMatchObject({ generations: [1], bundles: [] });
	expect(await answer(world, "rollback")).toMatchObject({ reason: "rollback to generation 2" });
	await runs("1.0.1");
});
