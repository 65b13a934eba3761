// Enabling and disabling unattended upgrades below a root, as systemd itself reads it; auto.json in its one form; a host's turn; the
// wait for the lock.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { withLock } from "../lock.ts";
import { appendLog, readLog } from "../log.ts";
import { disableAuto, enableAuto, isTimerLinked } from "./enable.ts";
import { machineIdOf, phaseOf } from "./phase.ts";
import { type AutoSettings, parseAuto, readAuto, serializeAuto } from "./settings.ts";
import { parseWindow } from "./window.ts";

const UNITS = join(import.meta.dirname, "../boot/systemd");
const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/auto.md"), "utf8");
const SETTINGS: AutoSettings = {
	mode: "all",
	windows: [parseWindow("Mon-Fri 02:00-04:00 Europe/Berlin", undefined)!],
	phaseHours: 24,
	parameters: false,
};
let fake: FakeHost;
let root: string;
beforeEach(async () => {
	fake = openFakeHost({ key: await generateKeyPair("test") });
	root = fake.host.layout.root;
});
afterEach(() => fake[Symbol.dispose]());

const enable = (settings = SETTINGS) => fake.locked((lock) => enableAuto(lock, settings));

function layPackage(): void {
	const units = join(root, "usr/lib/systemd/system");
	mkdirSync(units, { recursive: true });
	for (const unit of ["kfn-auto.timer", "kfn-auto.service"]) cpSync(join(UNITS, unit), join(units, unit));
}

function isEnabled(): string {
	const args = ["--root", root, "is-enabled", "kfn-auto.timer"];
	return spawnSync("systemctl", args, { encoding: "utf8" }).stdout.trim();
}

test("systemd calls the timer enabled that enabling linked, and disabling leaves nothing", async () => {
	layPackage();
	expect(isEnabled()).toBe("disabled");
	expect(await enable()).toEqual({ changed: true, timer: true });
	expect(isEnabled()).toBe("enabled");
	expect(isTimerLinked(fake.host)).toBe(true);
	expect(readAuto(fake.host)).toEqual(SETTINGS);
	expect(await enable()).toEqual({ changed: false, timer: true });
	expect(await enable({ ...SETTINGS, windows: [] })).toEqual({ changed: true, timer: true });
	expect(await fake.locked(disableAuto)).toEqual({ changed: true });
	expect(isEnabled()).toBe("disabled");
	expect(readAuto(fake.host)).toBeUndefined();
	expect(existsSync(join(root, "etc/systemd/system/timers.target.wants"))).toBe(false);
	expect(await fake.locked(disableAuto)).toEqual({ changed: false });
});

test("without a package there are settings and no timer", async () => {
	expect(await enable()).toEqual({ changed: true, timer: false });
	expect(readdirSync(join(root, "etc"))).toEqual(["kfn"]);
	expect(readAuto(fake.host)).toEqual(SETTINGS);
	expect(isTimerLinked(fake.host)).toBe(false);
});

test("a damaged file is refused, and enabling replaces it", async () => {
	mkdirSync(dirname(fake.host.layout.auto), { recursive: true });
	const good = serializeAuto(SETTINGS);
	const documents = [
		"{}",
		good.replace("all", "everything"),
		good.replace("Mon-Fri 02:00-04:00 Europe/Berlin", "Mon-Fri 02:00-04:00"),
		good.replace("Mon-Fri 02:00", "Mon..Fri 02:00"),
		good.replace("24", "169"),
		good.replace('"mode"', '"mode": "all",\n  "mode"'),
		good.slice(0, -3),
	];
	for (const text of documents) {
		expect(text).not.toBe(good);
		writeFileSync(fake.host.layout.auto, text);
		expect(() => readAuto(fake.host), text).toThrow(expect.objectContaining({ code: "HOST_AUTO_MALFORMED" }));
	}
	await enable();
	expect(readAuto(fake.host)).toEqual(SETTINGS);
});

test("the page's examples are what kfn writes", async () => {
	const text = /```json auto\n(.*?)```/s.exec(PAGE)?.[1] ?? "";
	expect(serializeAuto(parseAuto(Buffer.from(text)))).toBe(text);
	const { at, command, ...entry } = JSON.parse(/```json log\n(.*?)```/s.exec(PAGE)?.[1] ?? "");
	await withLock(fake.host, command, (lock) => appendLog(lock, entry));
	expect(readLog(fake.host)).toEqual([{ at, command, ...entry }]);
});

test("a host's turn is its own, within the hours, and the same at each look", () => {
	const release = { name: "gro", version: "1.0.1", publishedAt: "2026-11-23T10:00:00.000Z" };
	const published = Date.parse(release.publishedAt);
	const turns = Array.from({ length: 500 }, (_, n) => {
		const id = n.toString(16).padStart(32, "0");
		expect(phaseOf(id, release, 24)).toEqual(phaseOf(id, release, 24));
		return (phaseOf(id, release, 24).getTime() - published) / 3_600_000;
	});
	expect(Math.min(...turns)).toBeGreaterThanOrEqual(0);
	expect(Math.max(...turns)).toBeLessThan(24);
	// A quarter of the fleet in a quarter of the time, and for another release another quarter.
	expect(turns.filter((hours) => hours < 6).length).toBeGreaterThan(90);
	expect(turns.filter((hours) => hours < 6).length).toBeLessThan(160);
	const id = "0".repeat(32);
	expect(phaseOf(id, release, 24)).not.toEqual(phaseOf(id, { ...release, version: "1.0.2" }, 24));
});

test("a machine without an id has no turn", () => {
	expect(machineIdOf(fake.host)).toBeUndefined();
	mkdirSync(join(root, "etc"), { recursive: true });
	writeFileSync(fake.host.layout.machineId, "uninitialized\n");
	expect(machineIdOf(fake.host)).toBeUndefined();
	writeFileSync(fake.host.layout.machineId, `${"ab".repeat(16)}\n`);
	expect(machineIdOf(fake.host)).toBe("ab".repeat(16));
});

test("who may wait gets the lock once its holder is done, and is told who has it where that takes too long", async () => {
	const waiting = { ...fake.host, lockWaitMs: 30_000 };
	const order: string[] = [];
	const second = withLock(fake.host, "install", async () => {
		const waits = withLock(waiting, "auto run", () => void order.push("auto run"));
		await expect(withLock({ ...fake.host, lockWaitMs: 1 }, "auto run", () => {})).rejects.toMatchObject({
			code: "HOST_LOCKED",
			details: { command: "install" },
		});
		order.push("install");
		return { waits };
	});
	await (await second).waits;
	expect(order).toEqual(["install", "auto run"]);
});

test("systemd finds nothing to say about the units", () => {
	layPackage();
	const units = ["kfn-auto.timer", "kfn-auto.service"].map((unit) => join(UNITS, unit));
	const said = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], { encoding: "utf8" });
	// The only complaint may be that the package is not installed here.
	const lines = said.stderr.split("\n").filter((line) => line.includes("kfn-auto"));
	expect(lines.filter((line) => !line.includes("/usr/bin/kfn"))).toEqual([]);
	const next = execFileSync("systemd-analyze", ["calendar", "*:0/15"], { encoding: "utf8" });
	expect(next).toContain("Next elapse");
});
