// Power cuts: VMs are killed at random moments of a loop of installs, upgrades, rollbacks and removals, and started again on the same
// disk. Each time the machine must boot, run exactly one complete generation, and have a store of which every byte is right.
// 20 cuts, or KFN_POWER_CUTS=200; two machines side by side. What counts as a cut within a change stands in power/result.ts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { requireTools } from "../harness/feature.ts";
import { anotherOf, buildMachine, live, type Machine } from "./power/machine.ts";
import { CALIBRATION, calibrated, changesIn, drawCut, STEPS, stepAtCut, WARM } from "./power/moment.ts";
import { addResult, lineOf, noCuts, type PowerResult, within, writeResult } from "./power/result.ts";

const LONG = 3_600_000;
const WANTED = process.env["KFN_POWER_CUTS"];
const CUTS = Number(WANTED ?? 20);
/** As many as the machines of CI have processors. */
const MACHINES = 2;

let folder: string;
let undo: Undo;
let machine: Machine;

beforeAll(async () => {
	requireTools("qemu-system-x86_64", "mke2fs", "busybox", "cpio");
	folder = mkdtempSync(join(tmpdir(), `kfn-power-${process.pid}-`));
	undo = registerUndo(`vm power ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	machine = await buildMachine(folder);
}, LONG);
afterAll(() => undo.run());

// biome-ignore lint/suspicious/noExplicitAny: what the VM told, whose shape is what the test checks
function told(text: string, what: string): any {
	const line = new RegExp(`^@@ ${what} (\\{.*\\})$`, "m").exec(text)?.[1];
	if (line === undefined) throw new Error(`the VM did not say \`${what}\`:\n${text.slice(-3000)}`);
	return JSON.parse(line);
}

/** What every life must say of the cut before it; says whether that one left a journal. */
function expectWhole(text: string, where: string): boolean {
	const boot = told(text, "boot");
	const found = told(text, "found");
	const booted = { ok: true, why: "current", left: [], refused: [], counted: true };
	expect(boot, where).toMatchObject(booted);
	expect(boot.generation, where).toBe(found.generation);
	expect(told(text, "good"), where).toMatchObject({ ok: true });
	// All of the current generation, and nothing else.
	expect(
		found.functions.every(({ running }: { running: boolean }) => running),
		where,
	).toBe(true);
	expect(found.pins, where).toBe(found.functions.length);
	expect(found, where).toMatchObject({ health: "good", drift: [], leavings: [] });
	expect(text, where).not.toContain("@@ ended");
	return found.interrupted;
}

/** One machine's lives. Its first is from an empty state and ends between two changes; each later one begins with a cut behind it. */
async function cutOften(lane: number, cuts: number): Promise<PowerResult> {
	const own = await anotherOf(machine, join(folder, `disk-${lane}.img`));
	const result = noCuts();
	const console = join(folder, `console-${lane}`);
	const first = await live(own, console, WARM, calibrated);
	expectWhole(first.text, "the first life");
	const changeMs = first.milliseconds / (CALIBRATION - 1);
	let step: string | undefined;
	for (let cut = 1; cut <= cuts + 1; cut++) {
		const { text } = await live(own, console, WARM, cut > cuts ? calibrated : drawCut(changeMs));
		const where = `machine ${lane}, cut ${cut - 1} in ${step ?? "no change"}`;
		if (expectWhole(text, where)) result.journals++;
		step = stepAtCut(text);
		result.changes += changesIn(text);
		if (cut > cuts) break;
		result.cuts++;
		if (step !== undefined) result.within.set(step, (result.within.get(step) ?? 0) + 1);
	}
	return result;
}

it(
	`boots, runs one complete generation and has a sound store after each of ${CUTS} power cuts`,
	async () => {
		const start = performance.now();
		const lanes = Array.from({ length: Math.min(MACHINES, CUTS) }, (_, lane) =>
			cutOften(lane, Math.floor((CUTS + lane) / Math.min(MACHINES, CUTS))),
		);
		const result = noCuts();
		for (const lane of await Promise.all(lanes)) addResult(result, lane);
		const seconds = (performance.now() - start) / 1000;
		process.stdout.write(`  ${lineOf(result)}; ${seconds.toFixed(0)} s\n`);
		expect(result.cuts).toBe(CUTS);
		if (WANTED !== undefined && process.env["KFN_UPDATE"] === "1")
			writeResult(result, machine.release, seconds);
		// A cut that met no change would prove nothing.
		for (const met of result.within.keys()) expect([...STEPS, "verify", "purge"]).toContain(met);
		if (CUTS >= 8) {
			expect(within(result)).toBeGreaterThan(CUTS / 2);
			expect(result.journals).toBeGreaterThan(0);
		}
	},
	LONG,
);
