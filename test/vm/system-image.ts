// Makes the disk of a full Debian system with systemd, with kfn's units and initramfs hook laid down by the real command line.
// Refuses to attach anything on the building machine: files, and a chroot that makes the initramfs.
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Json, json, planOf, Rig } from "#host/native/fixture.ts";
import { run } from "../harness/command.ts";

const TOP = join(import.meta.dirname, "../..");
export const SYSTEM_TAR = join(TOP, "build/vm/system.tar");
const KFN = join(TOP, "node_modules/.bin/kfn");
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

export interface SystemImage {
	readonly disk: string;
	readonly kernel: string;
	readonly initrd: string;
	readonly release: string;
}

/** Generations 1 (current, good) and 2 for the root namespace, 3 for /run/netns/blue; the initramfs carries 1. */
export async function buildSystem(folder: string): Promise<SystemImage> {
	const tree = join(folder, "system");
	mkdirSync(tree);
	await run("tar", ["-xf", SYSTEM_TAR, "-C", tree]);
	const release = readdirSync(join(tree, "lib/modules"))[0]!;
	layState(tree, release);
	laySystem(tree);
	await run(KFN, ["boot", "enable", "--initramfs"], { env: { ...process.env, KFN_ROOT: tree } });
	const units = ["kfn-test.service", "kfn-crash.service", "systemd-networkd.service"];
	await run("systemctl", ["--root", tree, "enable", ...units]);
	await run("systemctl", ["--root", tree, "mask", ...MASKED]);
	const make = `mount -t proc proc "$1/proc" && exec chroot "$1" update-initramfs -u -k "$2"`;
	const said = await run("unshare", ["-m", "sh", "-eu", "-c", make, "make", tree, release], {
		timeoutMs: 120_000,
	});
	if (said.stderr.includes("kfn:")) throw new Error(said.stderr);
	const disk = join(folder, "system.img");
	await run("truncate", ["-s", "600M", disk]);
	await run("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk], { timeoutMs: 120_000 });
	const image = (name: string) => join(tree, "boot", `${name}-${release}`);
	return { disk, release, kernel: image("vmlinuz"), initrd: image("initrd.img") };
}

function layState(tree: string, release: string): void {
	const rig = new Rig();
	try {
		const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
		const plans: Json[] = [
			one.planned("netns:root"),
			two.planned("netns:root"),
			one.planned("netns:/run/netns/blue"),
		];
		const state = join(rig.root, "var/lib/kfn");
		for (const [i, planned] of plans.entries()) {
			mkdirSync(join(state, "generations", String(i + 1)), { recursive: true });
			const plan = json(planOf([planned], { generation: i + 1 }));
			writeFileSync(join(state, "generations", String(i + 1), "plan.json"), plan);
		}
		const health = { generation: 1, state: "good", kernels: [release] };
		writeFileSync(join(state, "generations/1/health.json"), json(health));
		for (const name of ["current", "good"]) symlinkSync("generations/1", join(state, name));
		for (const part of ["etc/kfn", "var/lib/kfn"])
			cpSync(join(rig.root, part), join(tree, part), { recursive: true, verbatimSymlinks: true });
	} finally {
		rig.dispose();
	}
}

function laySystem(tree: string): void {
	writeFileSync(join(tree, "etc/fstab"), "/dev/vda / ext4 defaults 0 1\n");
	writeFileSync(join(tree, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
	writeFileSync(join(tree, "etc/initramfs-tools/modules"), "virtio_pci\nvirtio_blk\n");
	// Only what this VM has, or half of its boot is unpacking.
	writeFileSync(join(tree, "etc/initramfs-tools/conf.d/vm"), "MODULES=list\nCOMPRESS=gzip\n");
	const network = join(tree, "etc/systemd/network");
	writeFileSync(join(network, "dummy.netdev"), "[NetDev]\nName=dummy0\nKind=dummy\n");
	writeFileSync(join(network, "dummy.network"), "[Match]\nName=dummy0\n\n[Network]\nAddress=192.0.2.1/24\n");
	const system = join(tree, "etc/systemd/system");
	for (const unit of ["kfn-test.service", "kfn-crash.service"]) cpSync(join(FILES, unit), join(system, unit));
	mkdirSync(join(system, "kfn-autoload@netns.service.d"));
	cpSync(join(FILES, "seen.conf"), join(system, "kfn-autoload@netns.service.d/seen.conf"));
	cpSync(join(FILES, "kfn-test.sh"), join(tree, "kfn-test.sh"));
	chmodSync(join(tree, "kfn-test.sh"), 0o755);
}
