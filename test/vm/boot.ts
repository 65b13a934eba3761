// Boots a kernel with an initramfs in QEMU (TCG, no network, no disk) and reads what its pid 1 reports on the serial console. Refuses a boot that did not come to its end.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
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

/** What `uname -r` says in a VM with this kernel: the image's own version string (Documentation/arch/x86/boot.rst, kernel_version). */
export function releaseOf(series: string): string {
	const image = readFileSync(kernelPath(series));
	const at = image.readUInt16LE(0x20e) + 0x200;
	return image.toString("latin1", at, image.indexOf(" ", at));
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
export async function boot(
	series: string,
	initrd: string,
	timeoutMs: number,
	append = "",
	kernel = kernelPath(series),
	devices: readonly string[] = [],
): Promise<Boot> {
	requireTools("qemu-system-x86_64");
	const folder = mkdtempSync(join(tmpdir(), `kfn-boot-${process.pid}-`));
	const undo = registerUndo(`boot ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	try {
		const console = join(folder, "console");
		const start = performance.now();
		// The serial line goes to a file, not to stdout: QEMU's UART drops a byte when a pipe or socket stays full for a
		// few tries, and a reader that is busy for a moment is enough for that (17 of 327 reports were damaged, 0 of 330).
		const { stderr } = await run(
			"qemu-system-x86_64",
			[
				...["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-no-reboot", "-net", "none"],
				...["-display", "none", "-monitor", "none", "-serial", `file:${console}`],
				...["-kernel", kernel, "-initrd", initrd],
				...devices.flatMap((device) => ["-device", device]),
				// no_timer_check: on a busy machine the emulated timer is late, and the kernel would call it broken and panic.
				...["-append", `console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check ${append}`],
			],
			{ timeoutMs, allowFailure: true },
		);
		const milliseconds = performance.now() - start;
		const text = existsSync(console) ? readFileSync(console, "utf8") : "";
		const reports = parseReports(text);
		if (!reports.has("done"))
			throw new Error(`the VM did not come to its end:\n${stderr}\n${text.slice(-4000)}`);
		return { reports, milliseconds };
	} finally {
		undo.run();
	}
}

/**
 * The reports between `@@ begin NAME` and `@@ end NAME EXIT SHA256` lines of a serial console.
 *
 * Throws where a report is not what the VM wrote: a lost byte could otherwise read as another value.
 */
export function parseReports(console: string): Map<string, Report> {
	const reports = new Map<string, Report>();
	// The serial line ends lines with CR LF; the firmware leaves escape codes before the first.
	const text = console.replaceAll("\r", "");
	for (const match of text.matchAll(/^@@ begin (\S+)\n(.*?)^@@ end \1 (\d+) (\S*)$/gms)) {
		const [, name = "", output = "", exit, digest] = match;
		const found = createHash("sha256").update(output).digest("hex");
		if (found !== digest) throw new Error(`the report ${name} was damaged on the serial line:\n${output}`);
		reports.set(name, { text: output, exit: Number(exit) });
	}
	return reports;
}

export function kernelPath(series: string): string {
	return join(KERNELS, series, "vmlinuz");
}
