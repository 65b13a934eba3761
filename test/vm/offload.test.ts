// A host gives tso to a device that runs it, with the real command line, through real devlink and ethtool netlink, in a VM: catalogues that do
// not count are refused by name, one that does lets the device in, a patch of the host takes it out before the swap, firmware with the patch
// lets it in again, and firmware that lies is believed until it is tried. About two minutes, most of it node under emulation.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel } from "./boot.ts";
import { haveHeaders } from "./device/build.ts";
import { DEVICES } from "./device-image.ts";
import { buildOffloadImage, type OffloadImage } from "./offload-image.ts";

const SERIES = "6.12";

let folder: string;
let undo: Undo;
let image: OffloadImage;
let booted: Boot;

const haveDevice = () => (haveKernel(SERIES).have === "yes" ? haveHeaders(SERIES) : haveKernel(SERIES));

beforeAll(async () => {
	if (haveDevice().have !== "yes") return;
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-offload-${process.pid}-`));
	undo = registerUndo(`vm offload ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	image = await buildOffloadImage(folder, SERIES);
	booted = await boot(SERIES, image.initrd, 500_000, "", undefined, DEVICES);
	process.stdout.write(`  booted, tested and ended in ${(booted.milliseconds / 1000).toFixed(1)} s\n`);
}, 600_000);
afterAll(() => undo?.run());

function text(name: string, exit = 0): string {
	const report = booted.reports.get(name);
	expect({ name, exit: report?.exit, text: report?.text }).toEqual({ name, exit, text: expect.any(String) });
	return report!.text;
}

// biome-ignore lint/suspicious/noExplicitAny: answers of the loader and the command line, whose shape is what the tests check
const answer = (name: string, exit = 0): any => JSON.parse(text(name, exit));

/** The device has the features on and no program is at its port; or it has them off, and the program is there. */
function expectIn(when: string, where: "device" | "kernel" | "neither"): void {
	const on = where === "device" ? "on" : "off";
	const features = `\ttx-tcp-segmentation: ${on}\n\ttx-tcp6-segmentation: ${on}\n`;
	const pins = (answer(`inspect-${when}`).pins as { scope: string }[]).map(({ scope }) => scope);
	expect({ when, features: text(`features-${when}`), pins }).toEqual({
		...{ when, features },
		pins: where === "kernel" ? ["dev:eth0"] : [],
	});
}

/** What `kfn offload enable` refused, and by which conditions. */
function refusal(name: string, exit: number): { code: string; failed: string[] } {
	const { code, details } = answer(name, exit).error;
	const failed = details.failed.map(({ condition }: { condition: string }) => condition);
	return { code, failed: failed.toSorted() };
}

describe("a device that runs the host's function", () => {
	it("is not given it by a catalogue that is unsigned, a foreign vendor's, stale, or of another tag", (context) => {
		skipUnless(context, haveDevice());
		expect(answer("install").functions).toMatchObject([{ scope: "dev:eth0", step: "attach" }]);
		const untrusted = (condition: string) => ({ code: "OFFLOAD_UNTRUSTED", failed: [condition] });
		expect(refusal("enable-unsigned", 3)).toEqual(untrusted("unsigned"));
		expect(refusal("enable-foreign", 3)).toEqual(untrusted("foreign-vendor"));
		expect(refusal("enable-stale", 1)).toEqual({ code: "OFFLOAD_REFUSED", failed: ["expired"] });
		expect(refusal("enable-lying", 1)).toEqual({
			code: "OFFLOAD_REFUSED",
			failed: ["sources-disagree", "tag"],
		});
		expectIn("refused", "kernel");
	});

	it("is given it by its vendor's catalogue, and makes the same packets", (context) => {
		skipUnless(context, haveDevice());
		expect(answer("enable").moved).toMatchObject([{ device: "eth0", function: "tso", to: "in" }]);
		expectIn("in", "device");
		expect(answer("probe")).toMatchObject({
			...{ device: "eth0", peer: "eth1", tag: image.tags.first, firmware: "1.0.0" },
			...{ superpackets: 64, agrees: true, evidence: "claimed and observed", differences: [], moved: [] },
		});
	});

	it("is out before the host's function is patched, and in again with firmware that has the patch", (context) => {
		skipUnless(context, haveDevice());
		expect(answer("patch").functions).toMatchObject([{ version: "1.0.1", tag: image.tags.second }]);
		expectIn("out", "kernel");
		const log = text("log")
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line))
			.filter(({ command }) => command === "upgrade");
		expect(log).toMatchObject([
			{ event: "offload", from: 1, reason: expect.stringMatching(/^tso at eth0: out/) },
			{ event: "changed", from: 1, to: 2 },
		]);
		expect(answer("reload-second").reload.reload_actions_performed).toEqual(["fw_activate"]);
		expect(answer("follow").moved).toMatchObject([{ device: "eth0", function: "tso", to: "in" }]);
		expectIn("back", "device");
	});

	it("with firmware that lies is believed by its claims, until it is tried; then it is out", (context) => {
		skipUnless(context, haveDevice());
		// The driver took it out by itself when other firmware ran; nobody has told the host yet.
		expectIn("reset", "neither");
		expect(answer("rollback").functions).toMatchObject([{ version: "1.0.0" }]);
		expectIn("believed", "device");
		const { code, details } = answer("probe-psh", 3).error;
		expect({ code, details }).toMatchObject({
			code: "OFFLOAD_PROBE_DIFFERS",
			details: { firmware: "3.0.0", agrees: false, moved: [{ device: "eth0", to: "out" }] },
		});
		expect(details.differences[0]).toMatchObject({ what: "bytes", segment: 0 });
		expectIn("caught", "kernel");
		expect(answer("disable").moved).toMatchObject([{ device: "eth0", to: "left" }]);
		expectIn("disabled", "kernel");
	});
});
