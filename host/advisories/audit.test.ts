// What of a host is judged, and which of it counts as now; on a fake kernel, with a real store and real generations.
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { hold } from "../holds.ts";
import { install } from "../install.ts";
import { upgrade } from "../upgrade.ts";
import { type AuditDevice, audit } from "./audit.ts";
import type { KernelVersion } from "./kernel-version.ts";
import { advisoryNames } from "./names.ts";
import { openAdvisoryStanding } from "./standing.ts";
import { type Document, knownOf, ofBundle, ofKernel } from "./testing/documents.ts";

const KERNEL: KernelVersion = { upstream: "6.1.170", why: null };

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const sample = (id: string, version: string): Document =>
	ofBundle(id, [version, { last_affected: version }], { names: ["sample"] });

async function judged(
	{ host }: FakeHost,
	documents: readonly Document[],
	devices: readonly AuditDevice[] = [],
) {
	const { subjects, unseen } = await audit(host, knownOf(...documents), KERNEL, devices);
	expect(unseen).toBe(null);
	return subjects
		.filter(({ advisories }) => advisories.length > 0)
		.map(({ where, now, scope, device, bundle, version, advisories }) =>
			[now ? "NOW" : "later", where, scope ?? device, bundle, version, ...advisories.map(({ id }) => id)]
				.filter((word) => word !== null)
				.join(" "),
		);
}

test("what runs counts as now; what is only stored does not", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	const both = [sample("x_A-1", samples.v1.version), sample("x_A-2", samples.v2.version)];
	expect(await judged(fake, both)).toEqual([
		`NOW running ${BLUE} sample ${samples.v2.version} x_A-2`,
		`later stored sample ${samples.v1.version} x_A-1`,
	]);
	expect(advisoryNames(fake.host)).toEqual(["flow-dissector", "gro", "sample", "tso"]);
});

test("a version that a hold lets it go to is looked at, too", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => hold(lock, { name: "sample", version: "7.0.0" }));
	expect(await judged(fake, [sample("x_A-1", "7.0.0")])).toEqual(["later held sample 7.0.0 x_A-1"]);
	const { subjects } = await audit(fake.host, knownOf(), KERNEL, []);
	expect(subjects.filter(({ held }) => held)).toHaveLength(2);
});

test("the kernel's own code counts wherever no bundle runs, and where the planned one does not run", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	const fixedBy = [{ bundle: "sample", from: samples.v1.version, config: {} }];
	const said = { function: "flow-dissector", names: ["sample"] };
	const code = ofKernel("x_K-1", "kernel-code", { ...said, fixedBy });
	expect(await judged(fake, [code])).toEqual(["NOW running x_K-1"]);
	fake.kernel.reboot();
	expect(await judged(fake, [code])).toEqual([`NOW running ${BLUE} x_K-1`, "NOW running x_K-1"]);
	// What only a kernel fixes is open beside the bundle, too.
	const only = ofKernel("x_K-2", "kernel-only", said);
	expect(await judged(fake, [only])).toEqual([`NOW running ${BLUE} x_K-2`, "NOW running x_K-2"]);
});

test("a device counts as now while it carries the function, by its tag alone", async () => {
	using fake = openFakeHost(samples);
	const tag = `kfn1:${"f".repeat(64)}`;
	const known = [ofBundle("x_A-1", null, { tags: [tag] })];
	const device = { device: "eth0", function: "gro", tag, inUse: false };
	expect(await judged(fake, known, [device, { ...device, device: "eth1", inUse: true }])).toEqual([
		"later device eth0 x_A-1",
		"NOW device eth1 x_A-1",
	]);
});

test("what is remembered is what offload is told", () => {
	using fake = openFakeHost(samples);
	expect(openAdvisoryStanding(fake.host).advisories("sample", "1.0.0", `kfn1:${"f".repeat(64)}`)).toEqual([]);
});
