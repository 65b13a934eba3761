// Enabling and disabling boot loading below a root, as systemd itself reads it, and what status says of the loader's records.
import { execFileSync, spawnSync } from "node:child_process";
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples } from "#test/harness/host-world.ts";
import { install } from "../install.ts";
import { remove } from "../remove.ts";
import { disableBoot, enableBoot } from "./enable.ts";
import { bootStatus } from "./status.ts";

let fake: FakeHost;
let root: string;
beforeEach(async () => {
	fake = openFakeHost({ key: await generateKeyPair("test") });
	root = fake.host.layout.root;
});
afterEach(() => fake[Symbol.dispose]());

const LOADER = join(import.meta.dirname, "boot.test.ts");
const enable = (initramfs = false) =>
	fake.locked((lock) => enableBoot(lock, { files: import.meta.dirname, loader: LOADER, initramfs }));
const disable = () => fake.locked((lock) => disableBoot(lock));

function place(path: string, text = ""): void {
	mkdirSync(dirname(join(root, path)), { recursive: true });
	writeFileSync(join(root, path), text);
}

/** Every file and link below the root, but kfn's own state. */
function tree(): string[] {
	const all = readdirSync(root, { recursive: true, withFileTypes: true });
	return all
		.filter((entry) => !entry.isDirectory())
		.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
		.filter((path) => !path.startsWith("var/lib/kfn/") && path !== "etc/kfn/boot-enabled.json")
		.sort();
}

function isEnabled(unit: string): string {
	return spawnSync("systemctl", ["--root", root, "is-enabled", unit], { encoding: "utf8" }).stdout.trim();
}

test("systemd calls the units enabled that enabling linked, and disabling leaves nothing", async () => {
	const before = tree();
	const report = await enable();
	expect(report).toMatchObject({ changed: true, initramfs: [] });
	expect(tree()).toEqual([...before, ...report.made].sort());
	for (const unit of [
		"kfn-boot.service",
		"kfn-boot-good.service",
		"kfn-autoload.path",
		"kfn-offload.service",
	])
		expect([unit, isEnabled(unit)]).toEqual([unit, "enabled"]);
	// It stays resident: only where the operator asks for it.
	expect(isEnabled("kfn-offload-watch.service")).toBe("disabled");
	// Started by udev and by the path unit only.
	expect(isEnabled("kfn-autoload@eth0.service")).toBe("static");
	expect(statSync(join(root, "usr/lib/kfn/kfn-load")).mode & 0o777).toBe(0o755);
	expect(bootStatus(fake.host)).toMatchObject({ enabled: true, initramfs: false });
	expect(await enable()).toMatchObject({ changed: false });
	expect(await disable()).toEqual({ changed: true, removed: [...report.made] });
	expect(tree()).toEqual(before);
	expect(bootStatus(fake.host).enabled).toBe(false);
	expect(await disable()).toEqual({ changed: false, removed: [] });
});

test("what a package brought is linked, not copied, and stays", async () => {
	place("usr/lib/kfn/kfn-load", "the package's");
	for (const unit of readdirSync(join(import.meta.dirname, "systemd")))
		place(`usr/lib/systemd/system/${unit}`, readFileSync(join(import.meta.dirname, "systemd", unit), "utf8"));
	const before = tree();
	const { made } = await enable();
	expect(made).not.toContain("etc/systemd/system/kfn-boot.service");
	expect(isEnabled("kfn-boot.service")).toBe("enabled");
	expect(readFileSync(join(root, "usr/lib/kfn/kfn-load"), "utf8")).toBe("the package's");
	await disable();
	expect(tree()).toEqual(before);
});

test("the initramfs's hooks go where their makers are, and go when they are not asked for any more", async () => {
	await expect(enable(true)).rejects.toMatchObject({ code: "HOST_BOOT_NO_INITRAMFS" });
	expect(bootStatus(fake.host).enabled).toBe(false);
	mkdirSync(join(root, "etc/initramfs-tools"), { recursive: true });
	mkdirSync(join(root, "usr/lib/dracut/modules.d"), { recursive: true });
	const report = await enable(true);
	expect(report.initramfs).toEqual(["initramfs-tools", "dracut"]);
	for (const path of report.made.filter((made) => /initramfs-tools|dracut/.test(made)))
		expect(statSync(join(root, path)).mode & 0o111, path).toBe(0o111);
	expect((await enable()).made.filter((path) => /initramfs-tools|dracut/.test(path))).toEqual([]);
	expect(tree().filter((path) => /initramfs-tools|90kfn/.test(path))).toEqual([]);
});

test("systemd finds nothing wrong in the units, and a shell nothing in the hooks", async () => {
	const folder = mkdtempSync(join(tmpdir(), "kfn-units-"));
	try {
		for (const unit of readdirSync(join(import.meta.dirname, "systemd"))) {
			const text = readFileSync(join(import.meta.dirname, "systemd", unit), "utf8");
			writeFileSync(
				join(folder, unit),
				text
					.replaceAll(/\/usr\/(lib\/kfn\/kfn-load|bin\/kfn)\b/g, "/bin/true")
					.replace(/^Documentation.*$/m, ""),
			);
		}
		const units = readdirSync(folder).map((unit) => join(folder, unit.replace("@", "@x")));
		writeFileSync(
			join(folder, "kfn-autoload@x.service"),
			readFileSync(join(folder, "kfn-autoload@.service")),
		);
		const done = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], { encoding: "utf8" });
		expect(done.stderr.split("\n").filter((line) => line.includes("kfn"))).toEqual([]);
		expect(done.status).toBe(0);
	} finally {
		rmSync(folder, { recursive: true });
	}
	for (const script of [
		"initramfs-tools/hooks/kfn",
		"initramfs-tools/scripts/init-top/kfn",
		"dracut/90kfn/kfn-boot.sh",
	])
		execFileSync("dash", ["-n", join(import.meta.dirname, script)]);
	execFileSync("bash", ["-n", join(import.meta.dirname, "dracut/90kfn/module-setup.sh")]);
});

test("a purge of the last bundle forgets what was counted of boots; boot loading stays enabled", async () => {
	const samples = await makeSamples();
	using other = openFakeHost(samples);
	const { layout } = other.host;
	await other.locked((lock) =>
		enableBoot(lock, { files: import.meta.dirname, loader: LOADER, initramfs: false }),
	);
	await other.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	writeFileSync(layout.bootCounter, example("counter"));
	mkdirSync(layout.initramfs);
	writeFileSync(join(layout.initramfs, "x.json"), example("initramfs"));
	await other.locked((lock) => remove(lock, { name: "sample", purge: true }));
	expect(existsSync(layout.state)).toBe(false);
	expect(bootStatus(other.host)).toMatchObject({ enabled: true, booted: 0, images: [] });
	await other.locked(disableBoot);
	expect(existsSync(layout.bootEnabled)).toBe(false);
});

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/boot.md"), "utf8");
const example = (name: string) => new RegExp(`\`\`\`json ${name}\n([^]*?)\`\`\``).exec(PAGE)![1]!;

test("status reads the records, the counter and the images as boot.md shows them", async () => {
	place("run/kfn/boot/system.json", example("record"));
	place("run/kfn/boot/again.json", "{");
	place("var/lib/kfn/boot.json", example("counter"));
	place("var/lib/kfn/initramfs/6.12.41-cloud-amd64.json", example("initramfs"));
	expect(bootStatus(fake.host).images).toEqual([]);
	place("boot/initrd.img-6.12.41-cloud-amd64");
	place("etc/kfn/off");
	expect(bootStatus(fake.host)).toMatchObject({
		off: "file",
		boot: { initramfs: null, system: JSON.parse(example("record")), again: null },
		unfinished: [{ generation: 3, boots: 1 }],
		images: [{ release: "6.12.41-cloud-amd64", generation: 3, stale: true }],
	});
	await enable();
	expect(bootStatus(fake.host).unfinished).toEqual([]);
	expect(JSON.parse(readFileSync(fake.host.layout.bootCounter, "utf8"))).toEqual({
		...JSON.parse(example("counter")),
		unfinished: [],
	});
});
