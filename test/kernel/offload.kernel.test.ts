// Offload on this kernel through the whole command line: veth's real TSO is the engine, a catalogue that the operator's map lets speak for
// veth is its vendor's word. Features are read by ethtool, not by kfn.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parsePublicKeyFile } from "#signing/public-key.ts";
import { serializeVendors } from "#signing/vendors.ts";
import { endChild, waitForLine } from "../harness/command.ts";
import { layCountingPackage } from "../harness/counting-package.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { CLI } from "../sessions/world.ts";
import { expectShape } from "./shapes.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

const LIMITS = [
	"--max-segments",
	"65535",
	"--header-depth",
	"256",
	"--protocol",
	"ipv4",
	"--protocol",
	"ipv6",
	"--protocol",
	"tcp",
];

interface Lab extends AsyncDisposable {
	readonly world: HostWorld;
	/** As commands name it. */
	readonly device: string;
	ok(...args: string[]): Promise<Record<string, unknown> & { [key: string]: never }>;
	fails(
		...args: string[]
	): Promise<{ code: number | null; error: { code: string; details: Record<string, unknown> } }>;
	/** A catalogue for veth, signed and put where the operator's lie. */
	catalogue(version: string, serial: number, key?: string): Promise<void>;
	/** Which of these features ethtool says are on. */
	on(): Promise<string[]>;
	ethtool(...words: string[]): Promise<void>;
}

async function openLab(): Promise<Lab> {
	const world = await openHostWorld("offload");
	const { left } = world.pair;
	const device = `${left.device}@${left.netns.path}`;
	const read = async (...args: string[]) => {
		const { code, stdout, stderr } = await world.kfn(...args, "--json");
		return { code, document: JSON.parse(stdout), told: `${args.join(" ")}: ${stdout}${stderr}` };
	};
	const ok: Lab["ok"] = async (...args) => {
		const { code, document, told } = await read(...args);
		expect(code, told).toBe(0);
		if (args[0] === "offload") expectShape(`offload:${args[1]}`, document);
		return document;
	};
	const etc = join(world.root.path, "etc/kfn");
	for (const [version, step] of [
		["1.0.0", 1],
		["1.1.0", 2],
	] as const) {
		const spec = { name: "tso", version, section: "tc/egress", step } as const;
		await ok("build", layCountingPackage(world.folder, spec), "--key", "publisher.key");
	}
	await ok("trust", "add", "tso", "--key", "publisher.key.pub");
	await ok("key", "generate", "--out", "vendor.key");
	const key = parsePublicKeyFile(readFileSync(join(world.folder, "vendor.key.pub"), "utf8"));
	const vendor = {
		issuer: "lab",
		bus: "virtual",
		vendor: "linux",
		devices: ["veth"],
		threshold: 1,
		keys: [key],
	} as const;
	writeFileSync(join(etc, "trust/vendors.json"), serializeVendors({ vendors: [vendor] }));
	mkdirSync(join(etc, "catalogues"), { recursive: true });
	return {
		world,
		device,
		ok,
		async fails(...args) {
			const { code, document, told } = await read(...args);
			expect(code, told).not.toBe(0);
			return { code, error: document.error };
		},
		async catalogue(version, serial, signer = "vendor.key") {
			const of = [
				"--hardware",
				"virtual:linux",
				"--device",
				"veth",
				"--driver",
				"veth",
				"--firmware",
				release(),
			];
			const from =
				serial === 1
					? ["--id", "veth", "--issuer", "lab", ...of]
					: ["--from", "catalogue.json", "--keep-entries"];
			const claim = ["--bundle", `tso-${version}.kfn`, "--config", "any", ...LIMITS];
			await ok("catalogue", "make", ...from, ...claim, "--key", signer, "-o", "next.json");
			renameSync(join(world.folder, "next.json"), join(world.folder, "catalogue.json"));
			writeFileSync(join(etc, "catalogues/veth.json"), readFileSync(join(world.folder, "catalogue.json")));
		},
		async on() {
			const { stdout } = await left.netns.run("ethtool", ["-k", left.device]);
			return [...stdout.matchAll(/^\s*(tx-tcp\S*segmentation): on/gm)].map(([, name]) => name!);
		},
		async ethtool(...words) {
			await left.netns.run("ethtool", ["-K", left.device, ...words]);
		},
		[Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
	};
}

/** All but mangled ids; Linux 6.17 and later have the last. */
const IN = [
	...["tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp6-segmentation"],
	"tx-tcp-accecn-segmentation",
];

test("veth's TSO: given, taken out by an upgrade, let in by a new catalogue, given back as it was", {
	timeout: 240_000,
}, async (context) => {
	await skipUnlessKernel(context);
	await using lab = await openLab();
	const { device, ok, fails } = lab;
	const scope = `dev:${device}`;
	await ok("install", "tso-1.0.0.kfn", "--scope", scope);
	await lab.ethtool("tx-tcp6-segmentation", "off");
	const before = await lab.on();
	expect(before).toContain("tx-tcp-mangleid-segmentation");
	expect(before).not.toContain("tx-tcp6-segmentation");

	const nobody = await fails("offload", "enable", device);
	expect(nobody.error).toMatchObject({
		code: "OFFLOAD_REFUSED",
		details: { failed: [{ condition: "no-catalogue" }] },
	});
	await lab.catalogue("1.0.0", 1);
	expect(await ok("offload", "check", device)).toMatchObject({
		functions: [{ function: "tso", offloadable: true, evidence: "claimed" }],
	});
	expect(await ok("offload", "enable", device, "tso")).toMatchObject({
		changed: true,
		moved: [{ to: "in" }],
	});
	expect(await lab.on()).toEqual(IN);
	expect(await ok("status")).toMatchObject({
		health: "good",
		functions: [{ scope, running: true, offload: [{ device, state: "in" }], programs: [{ id: null }] }],
	});
	// The catalogue speaks for every veth: the other end of the wire stands there, too.
	expect(await ok("offload", "list")).toMatchObject({
		devices: expect.arrayContaining([
			expect.objectContaining({
				device,
				functions: [expect.objectContaining({ state: "in", offloadable: true })],
			}),
		]),
	});

	const upgraded = await ok("upgrade", "tso-1.1.0.kfn");
	expect(upgraded).toMatchObject({
		warnings: [expect.stringContaining("stays out for tso: this host runs tso 1.1.0, the device tso 1.0.0")],
	});
	expect(await lab.on()).toEqual([]);
	expect(await ok("status")).toMatchObject({
		health: "good",
		functions: [{ version: "1.1.0", running: true, offload: [{ state: "out", why: "tag" }] }],
	});
	expect((await lab.world.kfn("offload", "check", device)).stdout).toMatch(
		/not offloadable\n {2}tag: this host runs tso 1\.1\.0, the device tso 1\.0\.0 \(of \d{4}-/,
	);

	await lab.catalogue("1.1.0", 2);
	expect(await ok("offload", "watch", "--once")).toMatchObject({ moved: [{ to: "in" }] });
	expect(await lab.on()).toEqual(IN);
	expect(await ok("offload", "status")).toMatchObject({
		devices: [{ functions: [{ function: "tso", state: "in" }] }],
	});

	expect(await ok("offload", "disable", device)).toMatchObject({ moved: [{ to: "left" }] });
	expect(await lab.on()).toEqual(before);
	expect(await ok("status")).toMatchObject({
		health: "good",
		functions: [{ version: "1.1.0", running: true, offload: null }],
	});
	expect((await fails("offload", "disable", device)).error.code).toBe("OFFLOAD_NOT_ENABLED");
});

test("the watch takes a device out that somebody switched, and lets it in again; removing the function ends it", {
	timeout: 240_000,
}, async (context) => {
	await skipUnlessKernel(context);
	await using lab = await openLab();
	const { device, ok, world } = lab;
	await ok("install", "tso-1.0.0.kfn", "--scope", `dev:${device}`);
	await lab.catalogue("1.0.0", 1);
	await ok("offload", "enable", device);
	const { spawn } = await import("node:child_process");
	const watch = spawn(CLI, ["offload", "watch"], { cwd: world.folder, env: world.env });
	try {
		await waitForLine(watch, /start: all devices are as they should be/);
		const back = waitForLine(watch, /tso at \S+: runs in the device/);
		await lab.ethtool("tx-tcp-segmentation", "off");
		await back;
		expect(await lab.on()).toEqual(IN);
		const out = waitForLine(watch, /stays out for tso/);
		writeFileSync(join(world.root.path, "etc/kfn/catalogues/veth.json"), "{}");
		await out;
		expect(await lab.on()).toEqual([]);
	} finally {
		await endChild(watch);
	}
	await ok("remove", "tso");
	expect(await lab.on()).toEqual([]);
	await ok("offload", "disable", "--all");
	expect(await lab.on()).toContain("tx-tcp-segmentation");
});

test("a catalogue of somebody else's key is refused with exit 3, and names why", {
	timeout: 120_000,
}, async (context) => {
	await skipUnlessKernel(context);
	await using lab = await openLab();
	const { device, ok, fails, world } = lab;
	await ok("install", "tso-1.0.0.kfn", "--scope", `dev:${device}`);
	const before = await lab.on();
	await ok("key", "generate", "--out", "eve.key");
	await lab.catalogue("1.0.0", 1, "eve.key");
	const { code, error } = await fails("offload", "enable", device);
	expect([code, error.code]).toEqual([3, "OFFLOAD_UNTRUSTED"]);
	expect(error.details["failed"]).toMatchObject([{ condition: "untrusted", source: "catalogue" }]);
	expect((await world.kfn("offload", "check", device)).code).toBe(3);
	expect(await lab.on()).toEqual(before);
	expect((await fails("offload", "check", "nosuch@/run/netns/kfn-none")).error.code).toBe(
		"OFFLOAD_DEVICE_GONE",
	);
});

test("of every device of a driver, one is given the function: the others keep the software, through upgrades, too", {
	timeout: 240_000,
}, async (context) => {
	await skipUnlessKernel(context);
	await using lab = await openLab();
	const { device, ok, world } = lab;
	const { netns } = world.pair.left;
	await netns.run("ip", ["link", "add", "other0", "type", "veth", "peer", "name", "other1"]);
	await ok("install", "tso-1.0.0.kfn", "--scope", `dev:driver=veth@${netns.path}`);
	await lab.catalogue("1.0.0", 1);
	await ok("offload", "enable", device);
	const states = async () => {
		const { health, functions } = await ok("status");
		const rows = (
			functions as unknown as {
				scope: string;
				version: string;
				running: boolean;
				programs: { id: number | null }[];
			}[]
		).map(({ scope, version, running, programs }) => [scope, version, running, programs[0]!.id !== null]);
		return { health, rows: rows.sort() };
	};
	const rows = (version: string, attached: boolean) =>
		[
			[`dev:${device}`, version, true, attached],
			[`dev:other0@${netns.path}`, version, true, true],
			[`dev:other1@${netns.path}`, version, true, true],
		].sort();
	expect(await states()).toEqual({ health: "good", rows: rows("1.0.0", false) });
	await ok("upgrade", "tso-1.1.0.kfn");
	expect(await states()).toEqual({ health: "good", rows: rows("1.1.0", true) });
	await ok("rollback");
	expect(await states()).toEqual({ health: "good", rows: rows("1.0.0", false) });
	expect(await lab.on()).toEqual(IN);
	await ok("offload", "disable", device);
	expect(await states()).toEqual({ health: "good", rows: rows("1.0.0", true) });
});
