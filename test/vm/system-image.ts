// Makes the disk of a full Debian system with systemd that knows nothing of kfn but the package that lies on it, and the dracut image
// of one that has it. Refuses to attach anything on the building machine: files, and chroots that make initramfs images.
import {
	chmodSync,
	copyFileSync,
	cpSync,
	mkdirSync,
	readdirSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildHashOracle } from "../dissector/build.ts";
import { run } from "../harness/command.ts";
import { buildFlowHash } from "./image.ts";
import { PPPOE_INPUT } from "./pppoe.ts";
import { type Debian, REGISTRY } from "./system/debian.ts";
import type { ServedRegistry } from "./system/registry.ts";

const TOP = join(import.meta.dirname, "../..");
export const SYSTEM_TAR = join(TOP, "build/vm/system.tar");
const FILES = join(import.meta.dirname, "system");
/** Nothing of these helps a test, and each costs seconds under TCG. */
const MASKED = [
	...["getty@tty1.service", "serial-getty@ttyS0.service", "apt-daily.timer", "apt-daily-upgrade.timer"],
	...[
		"e2scrub_all.timer",
		"e2scrub_reap.service",
		"fstrim.timer",
		"systemd-logind.service",
		"dpkg-db-backup.timer",
	],
	...["systemd-networkd-wait-online.service", "systemd-pcrphase.service", "logrotate.timer"],
];
/** Only what this VM has, and packed with little effort: else half of a boot is unpacking, and half of making an image is packing. */
const DRIVERS = ["virtio_pci", "virtio_blk", "ext4"];

/** A fresh system, with the package as a file and an initramfs that is Debian's own. */
export async function buildSystem(folder: string, registry: ServedRegistry): Promise<Debian> {
	const tree = join(folder, "system");
	const release = await unpackSystem(tree);
	laySystem(tree);
	await layTest(tree, registry);
	const made = await run(process.execPath, [join(TOP, "cli/package/main.ts"), "--out", folder], { cwd: TOP });
	renameSync(made.stdout.trim(), join(tree, "vm-test/package.deb"));
	const units = ["vm-test.service", "vm-crash.service", "systemd-networkd.service"];
	await run("systemctl", ["--root", tree, "enable", ...units]);
	await run("systemctl", ["--root", tree, "mask", ...MASKED]);
	await inSystem(tree, "update-initramfs", "-u", "-k", release);
	const disk = join(folder, "system.img");
	await run("truncate", ["-s", "900M", disk]);
	await run("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk], { timeoutMs: 120_000 });
	rmSync(tree, { recursive: true });
	return { disk, release, port: registry.port };
}

/** Debian as mmdebstrap made it (setup.sh), for initramfs images of this VM alone; returns its kernel's release. */
export async function unpackSystem(tree: string): Promise<string> {
	mkdirSync(tree);
	await run("tar", ["-xf", SYSTEM_TAR, "-C", tree]);
	writeFileSync(join(tree, "etc/initramfs-tools/modules"), `${DRIVERS.join("\n")}\n`);
	writeFileSync(
		join(tree, "etc/initramfs-tools/conf.d/vm"),
		"MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n",
	);
	return readdirSync(join(tree, "lib/modules"))[0]!;
}

/** Runs a command in the tree, as the tree's own; throws where the hook says that the image carries nothing. */
export async function inSystem(tree: string, ...command: string[]): Promise<void> {
	const script = 'mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$@"';
	const said = await run("unshare", ["-m", "sh", "-eu", "-c", script, "make", tree, ...command], {
		timeoutMs: 120_000,
	});
	if (/kfn: /.test(said.stderr + said.stdout)) throw new Error(said.stderr + said.stdout);
}

/** The image that dracut makes on a system as it stands on its disk, which no VM may be using. */
export async function makeDracutImage(debian: Debian, folder: string): Promise<string> {
	const tree = join(folder, "dracut-system");
	mkdirSync(tree);
	await run("debugfs", ["-R", `rdump / ${tree}`, debian.disk], { timeoutMs: 120_000 });
	const options = ["--force", "--no-hostonly", "--no-hostonly-cmdline", "--drivers", DRIVERS.join(" ")];
	await inSystem(tree, "dracut", ...options, "/boot/dracut.img", debian.release);
	const image = join(folder, "dracut.img");
	copyFileSync(join(tree, "boot/dracut.img"), image);
	rmSync(tree, { recursive: true });
	return image;
}

function laySystem(tree: string): void {
	writeFileSync(join(tree, "etc/fstab"), "/dev/vda / ext4 defaults 0 1\n");
	writeFileSync(join(tree, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
	writeFileSync(
		join(tree, "etc/systemd/network/eth0.network"),
		"[Match]\nName=eth0\n\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
	);
}

async function layTest(tree: string, registry: ServedRegistry): Promise<void> {
	const test = join(tree, "vm-test");
	mkdirSync(test);
	const environment = `KFN_REGISTRY=${REGISTRY}\nKFN_FINGERPRINT=${registry.fingerprint}\n`;
	writeFileSync(join(test, "environment"), environment);
	for (const file of ["guest.sh", "seen.conf", "auto-now.conf", "auto-seen.conf"])
		cpSync(join(FILES, file), join(test, file));
	cpSync(join(import.meta.dirname, "report.sh"), join(test, "report.sh"));
	// The package takes its own loader with it, and something must say afterwards what the kernel runs.
	cpSync(join(TOP, "build/kfn-load"), join(test, "load"));
	writeFileSync(join(test, "flows"), PPPOE_INPUT.flows);
	buildHashOracle(join(test, "hash_oracle.bpf.o"));
	await buildFlowHash(join(test, "flow_hash"));
	for (const file of ["guest.sh", "load"]) chmodSync(join(test, file), 0o755);
	for (const unit of ["vm-test.service", "vm-crash.service"])
		cpSync(join(FILES, unit), join(tree, "etc/systemd/system", unit));
}
