// A network device that says through devlink which function it runs, in a VM: a PCI function with a driver of our own, whose engine is the
// tagged source of packages/tso, compiled into the module with gcc. What it sends is what the BPF program of the same tag sends, byte for byte;
// firmware that lies is found out; and it can be flashed, reset and unplugged. A minute to two, half of it building module and image.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel } from "./boot.ts";
import { haveHeaders } from "./device/build.ts";
import { buildDeviceImage, DEVICES, type DeviceImage } from "./device-image.ts";

const SERIES = "6.12";
const SLOT = "pci/0000:00:04.0";

let folder: string;
let undo: Undo;
let image: DeviceImage;
let booted: Boot;

beforeAll(async () => {
	if (haveKernel(SERIES).have !== "yes" || haveHeaders(SERIES).have !== "yes") return;
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-device-${process.pid}-`));
	undo = registerUndo(`vm device ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	image = await buildDeviceImage(folder, SERIES);
	booted = await boot(SERIES, image.initrd, 240_000, "", undefined, DEVICES);
	process.stdout.write(`  booted, tested and ended in ${(booted.milliseconds / 1000).toFixed(1)} s\n`);
});
afterAll(() => undo?.run());

const haveDevice = () => (haveKernel(SERIES).have === "yes" ? haveHeaders(SERIES) : haveKernel(SERIES));

function text(name: string, exit = 0): string {
	const report = booted.reports.get(name);
	expect({ name, exit: report?.exit, text: report?.text }).toEqual({ name, exit, text: expect.any(String) });
	return report!.text;
}

interface Versions {
	readonly running: Readonly<Record<string, string>>;
	readonly stored: Readonly<Record<string, string>>;
}

function versionsOf(name: string): Versions {
	const { info } = JSON.parse(text(name)) as { info: Record<string, { versions: Versions }> };
	return info[SLOT]!.versions;
}

function compared(name: string): { superpackets: number; ours: number; packets: number } {
	return JSON.parse(text(name).split("\n")[0]!);
}

/** Superpackets that the engine has segmented, up to this report. */
const byEngine = (name: string) => Number(/superpackets_engine: (\d+)/.exec(text(name))?.[1]);

const claim = (tag: string) => `${tag} abi=1 config=any`;
const segmentation = (on: string) => `\ttx-tcp-segmentation: ${on}\n\ttx-tcp6-segmentation: ${on}\n`;

describe("a device whose engine is the tagged source", () => {
	it("says so through devlink, and offers TSO without turning it on", (context) => {
		skipUnless(context, haveDevice());
		text("insmod");
		const { running, stored } = versionsOf("info");
		expect(running).toEqual({ fw: "1.0.0", "fw.app.kfn.tso": claim(image.tags.first) });
		expect(stored).toEqual({ fw: "1.0.0" });
		expect(text("drvinfo")).toMatch(/^driver: kfn_device\n(.*\n)*firmware-version: 1\.0\.0\n/);
		const [link] = JSON.parse(text("link"));
		expect(link).toMatchObject({ parentbus: "pci", parentdev: "0000:00:04.0" });
		expect(text("features")).toBe(segmentation("off"));
		expect(text("features-on")).toBe(segmentation("on"));
	});

	it("sends the bytes that the BPF program of its tag sends", (context) => {
		skipUnless(context, haveDevice());
		expect(compared("table")).toMatchObject({ superpackets: 46, ours: 32 });
		expect(byEngine("stats-table")).toBe(32);
		const random = compared("random");
		expect(random.superpackets).toBe(400);
		expect(random.ours).toBeGreaterThan(300);
		// At the device there are more: the kernel makes unfinished checksums of those that have none (tcp6_gso_segment()), behind the hook.
		expect(byEngine("stats-random") - 32).toBeGreaterThanOrEqual(random.ours);
	});

	it("carries TCP whole, with good checksums", (context) => {
		skipUnless(context, haveDevice());
		for (const name of ["ipv4", "ipv6"]) {
			const [sent, received, names, counts] = text(name).split("\n");
			expect(JSON.parse(received!).hash).toBe(JSON.parse(sent!).hash);
			const wrong = names!.split(" ").indexOf("InCsumErrors");
			expect(counts!.split(" ")[wrong]).toBe("0");
		}
		expect(byEngine("stats-transfer")).toBeGreaterThan(100);
		text("complaints", 1);
	});
});

describe("its firmware", () => {
	it("runs another engine once it is flashed and reset; the port then waits to be asked again", (context) => {
		skipUnless(context, haveDevice());
		text("flash-second");
		expect(versionsOf("info-flashed-second")).toMatchObject({
			running: { fw: "1.0.0", "fw.app.kfn.tso": claim(image.tags.first) },
			stored: { fw: "2.0.0" },
		});
		expect(JSON.parse(text("reload-second"))).toEqual({
			reload: { reload_actions_performed: ["fw_activate"] },
		});
		expect(versionsOf("info-second").running).toEqual({
			fw: "2.0.0",
			"fw.app.kfn.tso": claim(image.tags.second),
		});
		expect(image.tags.second).not.toBe(image.tags.first);
		expect(text("features-second")).toBe(segmentation("off"));
		expect(compared("second").ours).toBeGreaterThan(250);
		expect(byEngine("stats-second") - byEngine("stats-random")).toBeGreaterThanOrEqual(
			compared("second").ours,
		);
	});

	it("without an engine offers nothing", (context) => {
		skipUnless(context, haveDevice());
		expect(versionsOf("info-none").running).toEqual({ fw: "2.0.1" });
		expect(text("none-on", 1)).toContain("Could not change any device features");
	});

	it.for(["psh", "id"])("that lies (%s) is seen in its packets, and nowhere else", (lie, context) => {
		skipUnless(context, haveDevice());
		expect(versionsOf(`info-${lie}`).running["fw.app.kfn.tso"]).toBe(claim(image.tags.first));
		expect(text(lie, 1)).toMatch(
			/v4: packet [01] of the batch differs\ndevice, 1514 bytes: .*\nprogram, 1514 bytes: /,
		);
	});

	it("that is none is refused, and what runs goes on", (context) => {
		skipUnless(context, haveDevice());
		expect(text("flash-broken", 1)).toContain("not a line of a firmware image");
		expect(versionsOf("info-broken")).toMatchObject({ running: { fw: "3.0.1" }, stored: { fw: "3.0.1" } });
	});

	it("is what a device comes back with", (context) => {
		skipUnless(context, haveDevice());
		expect(Object.keys(JSON.parse(text("info-removed")).info)).toEqual(["pci/0000:00:05.0"]);
		expect(text("carrier-removed")).toBe("0\n");
		expect(versionsOf("info-back").running["fw"]).toBe("3.0.1");
		expect(text("features-back")).toBe(segmentation("off"));
	});

	it("and its going and coming are told", (context) => {
		skipUnless(context, haveDevice());
		const told = text("monitor").match(/^\[\w+,\w+\] \S+/gm);
		// Four resets, then unplugged and found again.
		expect(told).toEqual([
			...Array<string>(4).fill(`[dev,new] ${SLOT}:`),
			...[`[port,del] ${SLOT}/0:`, `[dev,del] ${SLOT}:`, `[dev,new] ${SLOT}:`, `[port,new] ${SLOT}/0:`],
		]);
	});
});
