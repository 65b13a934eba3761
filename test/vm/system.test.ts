// A full Debian system, as an operator has it: apt installs the package, kfn installs from a registry that the host serves, and the
// machine restarts: with the images of initramfs-tools and of dracut, with a generation that does not come up, and with kfn=off. Then
// apt removes it all. The machine's own systemd and network are never touched. Six boots; about five minutes where others keep both
// processors busy, most of it apt, node and the makers of images under emulation.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerUndo } from "../harness/cleanup.ts";
import { type Have, requireTools, skipUnless } from "../harness/feature.ts";
import type { Report } from "./boot.ts";
import { pppoeHashes } from "./pppoe.ts";
import { copyOf, type Debian, runDebian } from "./system/debian.ts";
import { serveDissector } from "./system/registry.ts";
import { buildSystem, makeDracutImage } from "./system-image.ts";

/** Boots of systemd under TCG, and node in them, take many minutes on a machine that is not idle. */
const LONG = 900_000;
const stack = new AsyncDisposableStack();
/** With the package, and 1.0.0 in the root namespace, which the timer has put in the place of 0.9.0. */
let installed: Debian;
let folder: string;
let reports: Reports;

type Reports = ReadonlyMap<string, Report>;
// biome-ignore lint/suspicious/noExplicitAny: answers of the loader and the command line, whose shape is what the tests check
type Json = any;

beforeAll(async () => {
	requireTools("qemu-system-x86_64", "mke2fs", "debugfs", "busybox", "systemctl");
	folder = mkdtempSync(join(tmpdir(), `kfn-system-${process.pid}-`));
	const undo = registerUndo(`vm system ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const registry = stack.use(await serveDissector(folder));
	installed = await buildSystem(folder, registry);
	reports = await runDebian(installed, "install");
}, LONG);
afterAll(() => stack.disposeAsync());

/** A report of a command that ended with this exit code. */
function text(from: Reports, name: string, exit = 0): string {
	const report = from.get(name);
	expect({ name, exit: report?.exit, text: report?.text }).toEqual({ name, exit, text: expect.any(String) });
	return report!.text;
}

const json = (from: Reports, name: string, exit = 0): Json => JSON.parse(text(from, name, exit));

/** setup.sh takes the newest kernel of bookworm where the affected one is not offered any more. */
function haveAffected(upstream: string | null): Have {
	const reason = `the system's kernel is ${upstream}`;
	return { have: upstream === "6.1.170" ? "yes" : "no", reason };
}

/** systemctl show's blocks, by unit. */
function unitsOf(blocks: string): Map<string, Record<string, string>> {
	const fields = blocks
		.trim()
		.split("\n\n")
		.map((block) => Object.fromEntries(block.split("\n").map((line) => line.split("=", 2))));
	return new Map(fields.map((unit) => [unit["Id"]!, unit]));
}

/** Attached by the initramfs, the same program still when systemd's unit looks, and all of that before networkd began. */
function expectEarly(from: Reports, boot: string): void {
	const early = json(from, `initramfs-${boot}`);
	expect(early).toMatchObject({ generation: 2, functions: [{ step: "attach" }] });
	const late = json(from, `system-${boot}`);
	expect(late).toMatchObject({ generation: 2, counted: true, functions: [{ step: "keep" }] });
	expect(json(from, `inspect-${boot}`).pins).toMatchObject([{ scope: "netns:root", link: { alive: true } }]);
	expect(json(from, `counter-${boot}`)).toMatchObject({ booted: 2, unfinished: [] });
	expect(text(from, `failed-${boot}`)).toBe("");
	const units = unitsOf(text(from, `units-${boot}`));
	expect(units.get("kfn-boot-good.service")).toMatchObject({ ActiveState: "active" });
	const networkd = Number(units.get("systemd-networkd.service")?.["ExecMainStartTimestampMonotonic"]);
	const exit = Number(units.get("kfn-boot.service")?.["ExecMainExitTimestampMonotonic"]);
	expect(exit).toBeGreaterThan(0);
	expect(exit).toBeLessThan(networkd);
	expect(early.endMicroseconds).toBeLessThan(networkd);
}

it("apt installs the package, kfn installs from the host's registry, and the image of the next boot carries it", () => {
	expect(text(reports, "apt")).toContain("Setting up kfn ");
	expect(text(reports, "pin")).toContain("pinned");
	expect(json(reports, "install")).toMatchObject({
		generation: 2,
		functions: [{ version: "1.0.0", scope: "netns:root", running: true }],
	});
	expect(json(reports, "enable").initramfs).toEqual(["initramfs-tools", "dracut"]);
	expect(text(reports, "image")).not.toContain("kfn");
	expect(text(reports, "in-image")).toContain("usr/lib/kfn/kfn-load\n");
});

it("CVE-2026-46306: audit says exposed, the timer upgrades by the smallest step, audit says fixed, and nobody rebooted", (context) => {
	const before = json(reports, "audit-before", 1);
	skipUnless(context, haveAffected(before.kernel.upstream));
	const running = (report: Json) =>
		report.subjects.filter(
			(subject: Json) => subject.where === "running" && subject.function === "flow-dissector",
		);
	const ids = (report: Json) =>
		running(report).flatMap((subject: Json) => subject.advisories.map((open: Json) => open.id));
	expect(json(reports, "install-old").functions).toMatchObject([{ version: "0.9.0", step: "attach" }]);
	expect(before.exposed).toBe(true);
	expect(ids(before)).toEqual(["x_TEST-2026-46306", "x_TEST-2026-98950"]);
	// The kernel's own code looks behind the compressed field, and finds what it finds in the lawful twins.
	const exposed = pppoeHashes(json(reports, "hash-before"));
	expect(exposed.compressed).toEqual(exposed.lawful);

	expect(json(reports, "auto-enable")).toMatchObject({ mode: "security", timer: true });
	expect(text(reports, "auto-timer")).toMatch(/^LastTriggerUSec=.+\nActiveState=active$/m);
	expect(text(reports, "auto-service")).toBe("Result=success\nExecMainStatus=0\n");
	const run = json(reports, "auto-log");
	expect(run.done).toEqual([
		"generation 2: upgrade flow-dissector 0.9.0 → 1.0.0",
		"flow-dissector 0.9.0 → 1.0.0, set patch=pppoe-pfc in netns:root closes x_TEST-2026-46306",
	]);
	// What only a kernel can fix is said to be open, by the run and by the audit after it.
	expect(run.left).toEqual([
		expect.stringMatching(
			/^open: x_TEST-2026-98950 \(CVE-2026-98950\) .*: no bundle can patch it|takes a kernel/,
		),
	]);
	const after = json(reports, "audit-after", 1);
	expect(ids(after)).toEqual(["x_TEST-2026-98950"]);
	expect(running(after)).toMatchObject([{ version: "1.0.0", advisories: [{ kind: "kernel-only" }] }]);
	const fixed = pppoeHashes(json(reports, "hash-after"));
	expect(new Set(fixed.compressed).size).toBe(1);
	expect(fixed.lawful).toEqual(exposed.lawful);
	const [began, ended] = ["before", "after"].map((when) =>
		Number(text(reports, `clock-${when}`).split(" ")[0]),
	);
	process.stdout.write(`  exposed, upgraded by the timer, and fixed: ${(ended! - began!).toFixed(0)} s\n`);
	expect(text(reports, "boot-after")).toBe(text(reports, "boot-before"));
});

it(
	"restarts with it before networkd, passes over an upgrade that does not come up, loads for a namespace that appears, and leaves nothing when it is removed",
	async () => {
		const seen = await runDebian(await copyOf(installed, join(folder, "boots.img")), "boots");

		// The first restart, and an upgrade from the registry.
		expectEarly(seen, "1");
		expect(json(seen, "boot-status")).toMatchObject({ enabled: true });
		expect(json(seen, "upgrade")).toMatchObject({
			generation: 3,
			functions: [{ version: "1.0.1", step: "replace" }],
		});

		// The second: generation 3 took the place of what the initramfs carried, and the machine did not come up.
		const crashed = json(seen, "crashed");
		expect(crashed).toMatchObject({ generation: 3, why: "current", functions: [{ step: "replace" }] });

		// The third: what came up before, by itself.
		const third = { current: 3, generation: 2, why: "unfinished", booted: 2 };
		expect(json(seen, "system-2")).toMatchObject(third);
		expect(json(seen, "counter-2")).toMatchObject({ unfinished: [{ generation: 3, boots: 1 }] });
		expect(json(seen, "inspect-2").pins).toMatchObject([{ scope: "netns:root", link: { alive: true } }]);

		// A namespace appears: the path unit sees it.
		const [{ scope }] = json(seen, "install-blue").functions;
		expect(scope).toBe("netns:/run/netns/blue");
		expect(json(seen, "absent")).toMatchObject({ functions: [], absent: [{ scope }] });
		const attached = { stage: "again", functions: [{ step: "attach" }], absent: [] };
		expect(json(seen, "autoload")).toMatchObject(attached);
		expect(json(seen, "inspect-autoload").pins).toMatchObject([{ scope, link: { alive: true } }]);

		// apt removes it: nothing runs, and after the purge nothing is there.
		text(seen, "remove");
		expect(json(seen, "inspect-removed")).toMatchObject({ pins: [], foreign: [] });
		text(seen, "purge");
		text(seen, "image-purged");
		expect(text(seen, "in-image-purged", 1)).toBe("");
		expect(text(seen, "leavings")).toBe("");
		expect(text(seen, "units-purged", 1)).toBe("");
	},
	LONG,
);

it(
	"kfn=off: the machine comes up with nothing of kfn's",
	async () => {
		const off = await runDebian(await copyOf(installed, join(folder, "off.img")), "off", {
			append: "kfn=off",
		});
		for (const stage of ["initramfs-off", "system-off"])
			expect(json(off, stage)).toMatchObject({ off: "parameter", functions: [], generation: 0 });
		expect(json(off, "inspect-off")).toMatchObject({ pins: [], foreign: [] });
		text(off, "counter-off", 1);
	},
	LONG,
);

it(
	"dracut's image attaches, too, before udev",
	async () => {
		const own = await copyOf(installed, join(folder, "dracut-disk.img"));
		const initrd = await makeDracutImage(own, folder);
		expectEarly(await runDebian(own, "dracut", { initrd }), "dracut");
	},
	LONG,
);
