// Boots a kernel with an initramfs in QEMU (TCG, no network, no disk) and reads what its pid 1 reports on the serial console. Refuses a boot that did not come to its end.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../harness/command.ts";
import { type Have, requireTools } from "../harness/feature.ts";

const KERNELS = join(import.meta.dirname, "../../build/vm/kernels");

/** Says whether test/vm/setup.sh got a kernel of this series; a kernel that is neither there nor given up on is unknown. */
export function haveKernel(series: string): Have {
	const unavailable = join(KERNELS, series, "unavailable");
	if (existsSync(kernelPath(series))) return { have: "yes", reason: kernelPath(series) };
	if (existsSync(unavailable)) return { have: "no", reason: readFileSync(unavailable, "utf8").trim() };
	return { have: "unknown", reason: `no kernel ${series}: run: npm run setup -- --vm` };
}

/** What a command of the VM's pid 1 printed, and its exit code. */
export interface Report {
	readonly text: string;
	readonly exit: number;
}

export interface Boot {
	readonly reports: ReadonlyMap<string, Report>;
	/** From the start of QEMU to its end, in milliseconds; says nothing about a real machine. */
	readonly milliseconds: number;
}

/** Boots and waits until the VM ends; throws, with the console, where the report `done` did not come. */
export async function boot(series: string, initrd: string, timeoutMs: number): Promise<Boot> {
	requireTools("qemu-system-x86_64");
	const start = performance.now();
	const { stdout, stderr } = await run(
		"qemu-system-x86_64",
		[
			...[
				"-accel",
				"tcg,thread=multi",
				"-cpu",
				"max",
				"-m",
				"512",
				"-nographic",
				"-no-reboot",
				"-net",
				"none",
			],
			...["-kernel", kernelPath(series), "-initrd", initrd],
			...["-append", "console=ttyS0 quiet loglevel=1 panic=-1"],
		],
		{ timeoutMs, allowFailure: true },
	);
	const reports = parseReports(stdout);
	if (!reports.has("done"))
		throw new Error(`the VM did not come to its end:\n${stderr}\n${stdout.slice(-4000)}`);
	return { reports, milliseconds: performance.now() - start };
}

/** The reports between `@@ begin NAME` and `@@ end NAME EXIT` lines of a serial console. */
export function parseReports(console: string): Map<string, Report> {
	const reports = new Map<string, Report>();
	// The serial line ends lines with CR LF; the firmware leaves escape codes before the first.
	const text = console.replaceAll("\r", "");
	for (const match of text.matchAll(/^@@ begin (\S+)\n(.*?)^@@ end \1 (\d+)$/gms)) {
		reports.set(match[1]!, { text: match[2]!, exit: Number(match[3]) });
	}
	return reports;
}

function kernelPath(series: string): string {
	return join(KERNELS, series, "vmlinuz");
}
