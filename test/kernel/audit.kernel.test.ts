// kfn audit on a real kernel, through the real command line and a registry: exposed, fixed, only a kernel can fix it, and what
// happens where the registry does not answer.
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuditReport } from "#cli/output/audit.ts";
import { type Document, ofBundle, ofKernel } from "#host/advisories/testing/documents.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

let world: HostWorld;
beforeAll(async () => {
	world = await openHostWorld("audit");
});
afterAll(() => world[Symbol.asyncDispose]());

const SAID = { names: ["flow-dissector"], modified: "2026-11-28T12:00:00Z" };
const NEXT_KERNEL = `${Number(release().split(".")[0]) + 1}.0`;

async function publish(document: Document): Promise<void> {
	const { id } = document;
	writeFileSync(join(world.folder, `${id}.osv`), JSON.stringify(document));
	for (const args of [
		["advisory", "new", `${id}.osv`, "--key", "publisher.key", "-o", `${id}.json`],
		["advisory", "publish", `${id}.json`],
	]) {
		const { code, stderr } = await world.kfn(...args);
		expect([code, stderr]).toEqual([0, ""]);
	}
}

async function withdraw(id: string): Promise<void> {
	for (const args of [
		[
			"advisory",
			"withdraw",
			`${id}.json`,
			"--reason",
			"a test",
			"--key",
			"publisher.key",
			"-o",
			`${id}.gone.json`,
		],
		["advisory", "publish", `${id}.gone.json`],
	])
		expect((await world.kfn(...args)).code).toBe(0);
}

async function audit(...args: string[]) {
	const { code, stdout } = await world.kfn("audit", "--json", ...args);
	const report = JSON.parse(stdout) as AuditReport;
	const open = report.subjects.flatMap(({ now, where, bundle, version, advisories }) =>
		advisories.map(({ id, fix }) =>
			[now ? "now" : where, bundle ?? "kernel", version ?? "-", id, fix?.version ?? "no fix"].join(" "),
		),
	);
	return { code, open, report };
}

test("exposed, upgraded, fixed; what only a kernel can fix stays; a withdrawal ends it", async (context) => {
	await skipUnlessKernel(context);
	expect(await audit()).toMatchObject({ code: 0, open: [], report: { exposed: false, notices: [] } });
	const installed = await world.kfn(
		"install",
		"flow-dissector@1.0.0",
		"--scope",
		world.scope,
		"--health-window",
		"0.1",
	);
	expect(installed.code).toBe(0);
	await publish(ofBundle("x_T-1", ["0", { fixed: "1.0.1" }], SAID));
	expect(await audit()).toMatchObject({ code: 1, open: ["now flow-dissector 1.0.0 x_T-1 1.0.1"] });
	// Exposure is never silent: a hold, and an upgrade that it keeps from happening, say what they leave open.
	const leaves = "leaves open x_T-1: what x_T-1 says\n";
	expect((await world.kfn("hold", "flow-dissector")).stdout).toContain(leaves);
	const kept = await world.kfn("upgrade", "flow-dissector");
	expect([kept.code, kept.stderr]).toEqual([1, expect.stringContaining(leaves)]);
	expect((await world.kfn("upgrade")).stdout).toContain(leaves);
	expect((await world.kfn("unhold", "flow-dissector")).code).toBe(0);
	expect((await world.kfn("upgrade", "flow-dissector", "--health-window", "0.1")).code).toBe(0);
	expect(await audit()).toMatchObject({ code: 0, open: ["stored flow-dissector 1.0.0 x_T-1 1.0.1"] });

	const only = { ...SAID, function: "flow-dissector", events: ["0", { fixed: NEXT_KERNEL }] as const };
	await publish(ofKernel("x_T-2", "kernel-only", only));
	const exposed = await audit();
	expect(exposed).toMatchObject({ code: 1, report: { kernel: { upstream: expect.any(String), why: null } } });
	expect(exposed.open).toEqual([
		"now flow-dissector 1.0.1 x_T-2 no fix",
		"now kernel - x_T-2 no fix",
		"stored flow-dissector 1.0.0 x_T-1 1.0.1",
	]);
	expect((await world.kfn("audit")).stdout).toContain("only a kernel can fix it; no bundle patches it");
	await withdraw("x_T-2");
	expect(await audit()).toMatchObject({ code: 0 });
});

test("a registry that does not answer is no clean bill: what is remembered goes on counting", async (context) => {
	await skipUnlessKernel(context);
	await publish(ofBundle("x_T-3", ["1.0.1"], SAID));
	expect(await audit()).toMatchObject({
		code: 1,
		open: expect.arrayContaining(["now flow-dissector 1.0.1 x_T-3 no fix"]),
	});
	const nobody = await audit("--registry", "http://127.0.0.1:9");
	expect(nobody).toMatchObject({
		code: 1,
		report: { exposed: true, registry: { asked: false, error: { code: "CLI_REGISTRY_UNREACHABLE" } } },
	});
	expect(await audit("--offline")).toMatchObject({
		code: 1,
		report: { registry: { asked: false, error: null } },
	});
	await withdraw("x_T-3");
	expect(await audit()).toMatchObject({ code: 0 });
	expect((await audit("--registry", "http://127.0.0.1:9")).code).toBe(1);
});
