// A full Debian system: kfn's units and initramfs hook under systemd, three boots in one machine (one whose generation does not come
// up), autoload of a namespace, and kfn=off. The machine's own systemd and network are never touched.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { parseReports, type Report } from "./boot.ts";
import { buildSystem, type SystemImage } from "./system-image.ts";

/** Three boots of systemd under TCG take a minute on an idle machine, and many on one that is not. */
const LONG = 900_000;
let folder: string;
let undo: Undo;
let image: SystemImage;

beforeAll(async () => {
	requireTools("qemu-system-x86_64", "mke2fs", "systemctl");
	folder = mkdtempSync(join(tmpdir(), `kfn-system-${process.pid}-`));
	undo = registerUndo(`vm system ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	image = await buildSystem(folder);
}, LONG);
afterAll(() => undo.run());

/** Runs a copy of the disk until the machine powers off. */
async function runSystem(name: string, append: string): Promise<ReadonlyMap<string, Report>> {
	const disk = join(folder, `${name}.img`);
	const console = join(folder, `${name}.console`);
	copyFileSync(image.disk, disk);
	const start = performance.now();
	const { stderr } = await run(
		"qemu-system-x86_64",
		[
			...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "512", "-net", "none"],
			...["-display", "none", "-monitor", "none", "-serial", `file:${console}`],
			...["-drive", `file=${disk},format=raw,if=virtio,cache=writethrough`],
			...["-kernel", image.kernel, "-initrd", image.initrd],
			...[
				"-append",
				`console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check root=/dev/vda rw systemd.show_status=0 ${append}`,
			],
		],
		{ timeoutMs: LONG, allowFailure: true },
	);
	const text = existsSync(console) ? readFileSync(console, "utf8") : "";
	rmSync(disk);
	const reports = parseReports(text);
	if (!reports.has("done"))
		throw new Error(`the VM did not come to its end:\n${stderr}\n${text.slice(-4000)}`);
	const seconds = ((performance.now() - start) / 1000).toFixed(1);
	process.stdout.write(`  Debian with systemd, ${image.release} ${append}: ${seconds} s\n`);
	return reports;
}

// biome-ignore lint/suspicious/noExplicitAny: the loader's answers, whose shape is what the tests check
type Json = any;

const json = (reports: ReadonlyMap<string, Report>, name: string): Json =>
	JSON.parse(reports.get(name)?.text ?? "null");

/** systemctl show's blocks, by unit. */
function unitsOf(text: string): Map<string, Record<string, string>> {
	const blocks = text.trim().split("\n\n");
	const fields = blocks.map((block) =>
		Object.fromEntries(block.split("\n").map((line) => line.split("=", 2))),
	);
	return new Map(fields.map((unit) => [unit["Id"]!, unit]));
}

it(
	"is there before networkd, survives switch_root, passes over what did not come up, and loads for a namespace that appears",
	async () => {
		const reports = await runSystem("boots", "");
		const of = (name: string) => json(reports, name);

		// The first boot: attached in the initramfs, and still the same program when systemd's unit looks.
		expect(of("initramfs-0")).toMatchObject({ generation: 1, functions: [{ step: "attach" }] });
		expect(of("system-0")).toMatchObject({ generation: 1, counted: true, functions: [{ step: "keep" }] });
		expect(of("inspect-0").pins).toMatchObject([{ scope: "netns:root", link: { alive: true } }]);
		expect(of("counter-0")).toMatchObject({ booted: 1, unfinished: [] });
		expect(reports.get("failed-0")?.text).toBe("");
		const units = unitsOf(reports.get("units-0")?.text ?? "");
		const networkd = Number(units.get("systemd-networkd.service")?.["ExecMainStartTimestampMonotonic"]);
		const exit = Number(units.get("kfn-boot.service")?.["ExecMainExitTimestampMonotonic"]);
		expect(units.get("kfn-boot-good.service")).toMatchObject({ ActiveState: "active" });
		expect(exit).toBeGreaterThan(0);
		expect(exit).toBeLessThan(networkd);
		expect(of("initramfs-0").endMicroseconds).toBeLessThan(networkd);

		// The second: generation 2 took the place of what the initramfs carried, and the machine did not come up.
		expect(of("crashed")).toMatchObject({ generation: 2, why: "current", functions: [{ step: "replace" }] });

		// The third: what came up before, by itself.
		expect(of("system-1")).toMatchObject({ current: 2, generation: 1, why: "unfinished", booted: 1 });
		expect(of("counter-1")).toMatchObject({ unfinished: [{ generation: 2, boots: 1 }] });
		expect(of("inspect-1").pins).toMatchObject([{ scope: "netns:root", link: { alive: true } }]);

		// A namespace appears: the path unit sees it.
		expect(of("absent")).toMatchObject({
			generation: 3,
			functions: [],
			absent: [{ scope: "netns:/run/netns/blue" }],
		});
		expect(of("autoload")).toMatchObject({
			stage: "again",
			generation: 3,
			functions: [{ step: "attach" }],
			absent: [],
		});
		expect(of("inspect-autoload").pins).toMatchObject([
			{ scope: "netns:/run/netns/blue", link: { alive: true } },
		]);
	},
	LONG,
);

it(
	"kfn=off: the machine comes up with nothing of kfn's",
	async () => {
		const reports = await runSystem("off", "kfn=off");
		for (const stage of ["initramfs-0", "system-0"])
			expect(json(reports, stage)).toMatchObject({ off: "parameter", functions: [], generation: 0 });
		expect(json(reports, "inspect-0").pins).toEqual([]);
		expect(reports.get("counter-0")?.exit).not.toBe(0);
	},
	LONG,
);
