// What kfn doctor finds on a fake host: nothing on a sound one, each fault by its check, and "could not tell" where it could not.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, trustKeys } from "#test/harness/host-world.ts";
import type { Check, CheckResult } from "./doctor/check.ts";
import { bpffsCheck, featuresCheck, jitCheck, loaderCheck } from "./doctor/kernel.ts";
import { CHECKS, doctor } from "./doctor.ts";
import { HostError } from "./errors.ts";
import { markBad } from "./health.ts";
import type { Host } from "./host.ts";
import { install } from "./install.ts";
import { writeJournal } from "./journal.ts";
import type { ProbeAnswer } from "./loader-answers.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/doctor.md"), "utf8");
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

/** Two generations, and a kernel that has everything. */
async function openHost(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	return fake;
}

const YES = { have: "yes", reason: "mounted" } as const;
const SOUND: ProbeAnswer = {
	ok: true,
	kernel: "6.18.0",
	features: { "link:netns": YES },
	bpffs: YES,
	kernelSignatures: { have: "no", reason: "built without" },
};

const probing = ({ host }: FakeHost, answer: Partial<ProbeAnswer>): Host => ({
	...host,
	loader: { ...host.loader, probe: async () => ({ ...SOUND, ...answer }) },
});

/** The checks whose answers do not depend on the machine that runs the test. */
const OURS = CHECKS.filter(({ name }) => name !== "jit" && name !== "disk");

async function findings(
	host: Host,
	state: CheckResult["state"],
	checks: readonly Check[] = OURS,
): Promise<string[]> {
	const report = await doctor(host, checks);
	expect(report.ok).toBe(report.checks.every((entry) => entry.state !== "problem"));
	return report.checks
		.filter((entry) => entry.state === state)
		.map(({ check, message }) => `${check}: ${message}`);
}

test("a sound host has no problem, and everything could be told", async () => {
	using fake = await openHost();
	const { ok, checks } = await doctor(probing(fake, {}), OURS);
	expect(checks.filter(({ state }) => state !== "ok")).toEqual([]);
	expect(ok).toBe(true);
	expect([...new Set(checks.map(({ check }) => check))]).toEqual(OURS.map(({ name }) => name));
});

describe("each fault is found by its check", () => {
	test.each<[string | RegExp, (fake: FakeHost) => void | Promise<void>]>([
		[
			"journal: test (generation 2 → 3) of 2026-11-23T10:00:00.000Z is unfinished",
			(fake) => fake.locked((lock) => writeJournal(lock, { from: 2, to: 3 })),
		],
		["journal: ", (fake) => writeFileSync(fake.host.layout.journal, "{")],
		[
			"generations: the plan of generation 1 cannot be read",
			(fake) => writeFileSync(fake.host.layout.plan(1), "{"),
		],
		[
			"generations: the current generation, 2, is marked bad; the last good one is 1",
			(fake) => fake.locked((lock) => markBad(lock, 2, { by: "operator", reason: "a test" })),
		],
		[
			"store: the store has no bundle",
			(fake) => rmSync(fake.host.layout.storeEntry(samples.v1.sha256), { recursive: true }),
		],
		["drift: flow-dissector is not loaded in", (fake) => fake.kernel.reboot()],
		[
			/^drift: program \d+ \(foreign\) that is not kfn's/,
			(fake) => fake.kernel.attachForeign("/run/netns/blue"),
		],
		[
			"drift: sample would not load again",
			({ host }) => trustKeys(host.layout.root, ["other"], [samples.key]),
		],
		[
			"holds: ",
			({ host: { layout } }) => {
				mkdirSync(layout.config, { recursive: true });
				writeFileSync(layout.holds, "{}");
			},
		],
		[
			"trust: ",
			({ host: { layout } }) => {
				mkdirSync(layout.trust, { recursive: true });
				writeFileSync(layout.trustRoot, "no root");
			},
		],
	])("%s", async (expected, damage) => {
		using fake = await openHost();
		await damage(fake);
		const problems = await findings(probing(fake, {}), "problem");
		expect(
			problems.some((line) =>
				typeof expected === "string" ? line.startsWith(expected) : expected.test(line),
			),
			problems.join("\n"),
		).toBe(true);
	});

	test("clock", async () => {
		using fake = await openHost();
		const host = { ...probing(fake, {}), now: () => new Date("2020-01-01T00:00:00.000Z") };
		expect(await findings(host, "problem")).toEqual([
			"clock: the clock says 2020-01-01T00:00:00.000Z, but it was 2026-11-23T10:00:00.000Z before",
		]);
	});

	test("boot", async () => {
		using fake = await openHost();
		const { layout } = fake.host;
		const enabled = { schema: "kfn.boot-enabled/1", initramfs: false, made: [] };
		const unfinished = [{ generation: 2, boots: 3 }];
		const counter = { bootId: "a", current: 2, generation: 1, booted: 1, unfinished };
		writeFileSync(layout.bootCounter, JSON.stringify({ schema: "kfn.boot-counter/1", ...counter }));
		expect(await findings(probing(fake, {}), "problem")).toEqual([]);
		writeFileSync(layout.bootEnabled, JSON.stringify(enabled));
		mkdirSync(layout.config, { recursive: true });
		writeFileSync(layout.off, "");
		expect(await findings(probing(fake, {}), "problem")).toEqual([
			"boot: the file /etc/kfn/off keeps the next boot from loading anything",
			"boot: generation 2, the current one, did not come up in 3 of the last boots",
		]);
	});

	test("lock", async () => {
		using fake = await openHost();
		const held = await fake.locked(() => findings(probing(fake, {}), "problem"));
		expect(held).toEqual([expect.stringMatching(/^lock: process -?\d+ is changing this host, or hangs$/)]);
		expect(await findings(probing(fake, {}), "problem")).toEqual([]);
	});

	test("loader, bpffs and features", async () => {
		using fake = await openHost();
		const missing = async () => Promise.reject(new HostError("HOST_LOADER_MISSING", "no loader"));
		const broken = { ...fake.host, loader: { ...fake.host.loader, version: missing, probe: missing } };
		expect(await findings(broken, "problem", [loaderCheck])).toEqual([
			"loader: no loader [HOST_LOADER_MISSING]",
		]);
		expect(await findings(broken, "unknown", [bpffsCheck])).toEqual([
			"bpffs: no loader [HOST_LOADER_MISSING]",
		]);
		const without = probing(fake, {
			bpffs: { have: "no", reason: "no bpffs" },
			features: {
				"link:netns": { have: "no", reason: "too old" },
				"ksym:softnet_data": { have: "no", reason: "the matter of the functions that read it" },
				x: { have: "unknown", reason: "EPERM" },
			},
		});
		expect(await findings(without, "problem", [bpffsCheck, featuresCheck])).toEqual([
			"bpffs: no bpffs",
			"kernel: the kernel lacks link:netns: too old",
		]);
		expect(await findings(without, "unknown", [featuresCheck])).toEqual([
			"kernel: whether the kernel has x could not be told: EPERM",
		]);
	});

	test("jit", async () => {
		const folder = mkdtempSync(join(tmpdir(), "kfn-jit-"));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		using fake = await openHost();
		const file = join(folder, "bpf_jit_enable");
		expect(await findings(fake.host, "unknown", [jitCheck(file)])).toHaveLength(1);
		writeFileSync(file, "0\n");
		expect(await findings(fake.host, "problem", [jitCheck(file)])).toHaveLength(1);
		writeFileSync(file, "1\n");
		expect(await findings(fake.host, "ok", [jitCheck(file)])).toHaveLength(1);
	});
});

test("one finding keeps no check from looking", async () => {
	using fake = await openHost();
	writeFileSync(fake.host.layout.plan(2), "{");
	const { checks } = await doctor(probing(fake, {}), OURS);
	expect([...new Set(checks.map(({ check }) => check))]).toEqual(OURS.map(({ name }) => name));
	expect(checks).toContainEqual(
		expect.objectContaining({
			check: "drift",
			state: "unknown",
			message: expect.stringMatching(/MALFORMED/),
		}),
	);
});

test("a host without anything is well", async () => {
	using fake = openFakeHost(samples);
	expect(await findings(probing(fake, {}), "problem")).toEqual([]);
	expect(await findings(probing(fake, {}), "unknown")).toEqual([
		"clock: nothing on this host says what time it must be at least",
	]);
});

test("docs/formats/doctor.md has the checks, in their order, and what is printed", async () => {
	const rows = [...PAGE.matchAll(/^\| `([a-z]+)` +\|/gm)].map(([, name]) => name);
	expect(rows).toEqual(CHECKS.map(({ name }) => name));
	using fake = await openHost();
	await fake.locked((lock) =>
		writeJournal({ ...lock, fd: lock.fd, command: "upgrade", host: fake.host }, { from: 2, to: 3 }),
	);
	const journal = CHECKS.filter(({ name }) => name === "journal");
	const example = /```json doctor\n(.*?)```/s.exec(PAGE)?.[1] ?? "";
	expect(await doctor(fake.host, journal)).toEqual(JSON.parse(example));
});
