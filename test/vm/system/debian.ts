// A Debian system on a disk image, booted in QEMU as its boot loader would: with the kernel and the initramfs that the disk has now.
// Refuses a run that did not come to its end. A VM reaches one address of its network, which is the host's registry.
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { run } from "../../harness/command.ts";
import { parseReports, type Report } from "../boot.ts";

/** Where the VM finds the registry. */
export const REGISTRY = "http://10.0.2.100:7420";
const LONG = 900_000;

export interface Debian {
	readonly disk: string;
	readonly release: string;
	/** Of the registry, on the host's loopback. */
	readonly port: number;
}

export interface DebianRun {
	/** Instead of the initramfs that the disk's own /boot has. */
	readonly initrd?: string;
	readonly append?: string;
}

/** Another disk with the same bytes. */
export async function copyOf(debian: Debian, disk: string): Promise<Debian> {
	await run("cp", ["--sparse=always", debian.disk, disk], { timeoutMs: 120_000 });
	return { ...debian, disk };
}

/** Copies a file of the disk, which no VM may be using, to the host. */
export async function takeFile({ disk }: Debian, path: string, to: string): Promise<void> {
	rmSync(to, { force: true });
	const { stderr } = await run("debugfs", ["-R", `dump ${path} ${to}`, disk]);
	if (!existsSync(to)) throw new Error(`${path} is not on the disk: ${stderr}`);
}

/** Runs the part of system/guest.sh that is named, over as many boots as that takes, until the machine powers off. */
export async function runDebian(
	debian: Debian,
	part: string,
	options: DebianRun = {},
): Promise<ReadonlyMap<string, Report>> {
	const { append = "" } = options;
	const file = (name: string) => `${debian.disk}.${name}`;
	await takeFile(debian, `/boot/vmlinuz-${debian.release}`, file("vmlinuz"));
	if (options.initrd === undefined)
		await takeFile(debian, `/boot/initrd.img-${debian.release}`, file("initrd"));
	else copyFileSync(options.initrd, file("initrd"));
	rmSync(file("console"), { force: true });
	const start = performance.now();
	const { stderr } = await run(
		"qemu-system-x86_64",
		[
			...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768"],
			...["-display", "none", "-monitor", "none", "-serial", `file:${file("console")}`],
			...["-drive", `file=${debian.disk},format=raw,if=virtio,cache=unsafe`],
			...["-netdev", networkOf(debian), "-device", "virtio-net-pci,netdev=net,romfile="],
			...["-kernel", file("vmlinuz"), "-initrd", file("initrd")],
			...[
				"-append",
				`console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check root=/dev/vda rw net.ifnames=0 systemd.show_status=0 vm.part=${part} ${append}`,
			],
		],
		{ timeoutMs: LONG, allowFailure: true },
	);
	const text = existsSync(file("console")) ? readFileSync(file("console"), "utf8") : "";
	const reports = parseReports(text);
	if (!reports.has("done"))
		throw new Error(`the VM did not come to its end:\n${stderr}\n${text.slice(-4000)}`);
	tellTimes(part, reports, (performance.now() - start) / 1000);
	return reports;
}

/** Restricted: no name service, no host, no internet; one command of the host's carries one connection each. */
function networkOf({ port }: Debian): string {
	const { hostname, port: served } = new URL(REGISTRY);
	return `user,id=net,restrict=on,guestfwd=tcp:${hostname}:${served}-cmd:busybox nc 127.0.0.1 ${port}`;
}

function tellTimes(part: string, reports: ReadonlyMap<string, Report>, seconds: number): void {
	const boots = [...reports].filter(([name]) => name.startsWith("uptime-"));
	const each = boots.map(([, { text }]) => `${text.trim().split(" ")[0]} s`).join(", ");
	process.stdout.write(`  Debian, ${part}: up after ${each}; ${seconds.toFixed(0)} s in all\n`);
}
