// The Debian package, installed, used, removed and purged by apt itself: in a copy-on-write view of this machine's own system,
// with a bpffs of its own, so that nothing of it reaches the machine.

import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { registerUndo } from "../harness/cleanup.ts";
import { run } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";
import { CLI, PASSPHRASE } from "../sessions/world.ts";

const stack = new AsyncDisposableStack();
let folder: string;
let system: string;
let pair: VethPair;
let deb: string;

/** A command in the system that has the package. */
function inside(...command: string[]) {
	const env = {
		PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
		DEBIAN_FRONTEND: "noninteractive",
		KFN_PASSPHRASE: PASSPHRASE,
	};
	return run("chroot", [system, ...command], { env, allowFailure: true, timeoutMs: 120_000 });
}

async function mountSystem(): Promise<void> {
	await run("mount", ["-t", "tmpfs", "tmpfs", folder]);
	for (const name of ["upper", "work", "system"]) mkdirSync(join(folder, name));
	system = join(folder, "system");
	const layers = `lowerdir=/,upperdir=${folder}/upper,workdir=${folder}/work`;
	await run("mount", ["-t", "overlay", "overlay", "-o", layers, system]);
	for (const path of ["etc/kfn", "var/lib/kfn", "usr/lib/kfn"])
		rmSync(join(system, path), { recursive: true, force: true });
	for (const path of ["sys/fs/bpf", "run/netns", "kfn-test"])
		mkdirSync(join(system, path), { recursive: true });
	await run("mount", ["-t", "proc", "proc", join(system, "proc")]);
	await run("mount", ["--rbind", "--make-rslave", "/dev", join(system, "dev")]);
	await run("mount", ["-t", "bpf", "bpf", join(system, "sys/fs/bpf")]);
	await run("mount", ["--rbind", "--make-rslave", "/run/netns", join(system, "run/netns")]);
}

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-deb-"));
	const undo = registerUndo(`system ${folder}`, () => {
		execFileSync("sh", ["-c", 'umount --recursive --lazy "$0" 2>/dev/null || true', folder]);
		rmSync(folder, { recursive: true, force: true });
	});
	stack.defer(() => undo.run());
	pair = stack.use(await openVethPair("deb"));
	await mountSystem();
	deb = (
		await run(process.execPath, ["cli/package/main.ts", "--out", join(system, "kfn-test")])
	).stdout.trim();
	const env = { ...process.env, KFN_PASSPHRASE: PASSPHRASE };
	const work = join(system, "kfn-test");
	await run(CLI, ["key", "generate", "--out", "publisher.key"], { cwd: work, env });
	const { before } = await layDissectorVersions(work);
	await run(CLI, ["build", before, "--key", "publisher.key"], { cwd: work, env });
});
afterAll(() => stack.disposeAsync());
beforeEach((context) => skipUnlessKernel(context));

test("apt installs it; the command line runs, with its page and its units, and nothing is enabled", async () => {
	const installed = await inside(
		"apt-get",
		"install",
		"-y",
		"--no-install-recommends",
		`/kfn-test/${deb.split("/").at(-1)}`,
	);
	expect(installed.code, installed.stderr).toBe(0);
	const version = await inside("kfn", "--version");
	expect(version.stdout).toContain("kfn/0.1.0");
	const status = JSON.parse((await inside("kfn", "status", "--json")).stdout) as { generation: number };
	expect(status.generation).toBe(0);
	expect(existsSync(join(system, "usr/share/man/man1/kfn-install.1.gz"))).toBe(true);
	expect(globSync("etc/systemd/system/*.wants/kfn*", { cwd: system })).toEqual([]);
});

test("zsh completes words and flags where its user presses tab", async () => {
	const script = readFileSync(join(import.meta.dirname, "tab.zsh"), "utf8");
	const lines = [
		["kfn inst", "kfn install "],
		["kfn registry tok", "kfn registry token "],
		["kfn trust root pin --fi", "kfn trust root pin --fingerprint "],
		["kfn root rotate --role tar", "kfn root rotate --role targets "],
		["kfn status --fi", "kfn status --fi"],
	] as const;
	const typed = await inside("zsh", "-f", "-c", script, "tab", ...lines.map(([line]) => line));
	expect(typed.code, typed.stderr).toBe(0);
	expect(typed.stdout.split("\n").slice(0, -1)).toEqual(lines.map(([, became]) => became));
});

test("fish offers words, flags and choices, and what each is for", async () => {
	const offered = async (line: string) => {
		const answer = await inside("fish", "--private", "-c", "complete --do-complete $argv", line);
		expect(answer, line).toMatchObject({ code: 0, stderr: "" });
		return answer.stdout.split("\n").slice(0, -1);
	};
	const first = await offered("kfn ins");
	expect(first.map((line) => line.split("\t")[0])).toEqual(["inspect", "install"]);
	expect(first[1]).toContain("Install a function");
	expect(await offered("kfn trust root pin --fi")).toEqual([
		expect.stringMatching(/^--fingerprint\tsha256 of/),
	]);
	expect((await offered("kfn root rotate --role ")).map((line) => line.split("\t")[0])).toEqual([
		"root",
		"targets",
	]);
	expect(await offered("kfn status --fi")).toEqual([]);
});

test("it loads a function, and enables the boot with the units that it brought", async () => {
	await inside("kfn", "trust", "add", "flow-dissector", "--key", "/kfn-test/publisher.key.pub");
	const scope = `netns:${pair.right.netns.path}`;
	const bundle = "/kfn-test/flow-dissector-1.0.0.kfn";
	const installed = await inside("kfn", "install", bundle, "--scope", scope);
	expect(installed.stderr).toBe("");
	expect(installed.stdout).toContain("attached");
	const enabled = await inside("kfn", "boot", "enable");
	expect(enabled.code, enabled.stderr).toBe(0);
	expect(existsSync(join(system, "etc/systemd/system/kfn-boot.service"))).toBe(false);
	expect(globSync("etc/systemd/system/*.wants/kfn-boot.service", { cwd: system }).length).toBe(1);
});

test("an upgrade of the package leaves what runs", async () => {
	const again = await inside("apt-get", "install", "-y", "--reinstall", `/kfn-test/${deb.split("/").at(-1)}`);
	expect(again.code, again.stderr).toBe(0);
	expect(readdirSync(join(system, "sys/fs/bpf/kfn"))).toEqual(["flow-dissector"]);
});

test("remove detaches and unpins, and keeps what was installed; purge removes that too", async () => {
	const removed = await inside("apt-get", "remove", "-y", "kfn");
	expect(removed.code, removed.stderr).toBe(0);
	expect(existsSync(join(system, "sys/fs/bpf/kfn"))).toBe(false);
	expect(globSync("etc/{systemd/system,udev/rules.d}/**/*kfn*", { cwd: system })).toEqual([]);
	expect(existsSync(join(system, "usr/lib/kfn"))).toBe(false);
	expect(readdirSync(join(system, "var/lib/kfn/generations"))).toEqual(["1"]);
	const links = await run("bpftool", ["-j", "link", "show"]);
	const inode = pair.right.netns.inode;
	expect(
		(JSON.parse(links.stdout) as { netns_ino?: number }[]).filter((link) => link.netns_ino === inode),
	).toEqual([]);
	const purged = await inside("apt-get", "purge", "-y", "kfn");
	expect(purged.code, purged.stderr).toBe(0);
	for (const path of ["var/lib/kfn", "etc/kfn", "usr/share/doc/kfn"]) {
		expect(existsSync(join(system, path)), path).toBe(false);
	}
});
