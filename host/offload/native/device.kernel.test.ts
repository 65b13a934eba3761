// kfn-device on this kernel: what it shows is what ethtool shows, what it sets is set, what changes it tells, and it refuses in words.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openNamespace } from "#test/harness/namespace.ts";
import { identityOf, lookAt, parseDevice, spawnDevices } from "../device.ts";
import { parseEthtoolFeatures } from "../features.ts";

const TOP = join(import.meta.dirname, "../../..");
const BINARY = join(TOP, "build/kfn-device-asan");
execFileSync("make", ["-s", "-C", import.meta.dirname, "asan"]);
const devices = spawnDevices(BINARY);

async function withVeth<T>(
	body: (netns: Awaited<ReturnType<typeof openNamespace>>) => Promise<T>,
): Promise<T> {
	await using netns = await openNamespace("offdev");
	await netns.run("ip", ["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
	return await body(netns);
}

test("features are those that ethtool shows, of every device of the namespace", () =>
	withVeth(async (netns) => {
		const found = await devices.show(netns.path);
		expect(found.map(({ device }) => device).sort()).toEqual(expect.arrayContaining(["lo", "v0", "v1"]));
		for (const { device, features } of found) {
			const { stdout } = await netns.run("ethtool", ["--json", "-k", device]);
			const theirs = Object.entries(parseEthtoolFeatures(JSON.parse(stdout)).features);
			// ethtool also shows names for several features at once, and has no value of its own for those.
			const single = theirs.filter(([name, one]) => one.fixed !== null && Object.hasOwn(features, name));
			expect(single.length).toBeGreaterThan(40);
			expect(Object.fromEntries(single.map(([name]) => [name, features[name]]))).toEqual(
				Object.fromEntries(single),
			);
		}
	}));

test("a virtual device is the kernel's own code, and is named so", () =>
	withVeth(async (netns) => {
		const report = await lookAt(devices, parseDevice(`v0@${netns.path}`));
		expect(report).toMatchObject({ kind: "veth", parent: null, devlink: null, problem: null });
		const identity = {
			...{ device: "v0", bus: "virtual", driver: "veth" },
			...{ vendor: "linux", deviceId: "veth", firmware: "6.18.44" },
		};
		expect(identityOf(report, "6.18.44")).toEqual(identity);
	}));

test("set switches several features at once, and ethtool sees it", () =>
	withVeth(async (netns) => {
		await devices.set(netns.path, "v0", { "tx-tcp-segmentation": false, "tx-tcp6-segmentation": false });
		const { stdout } = await netns.run("ethtool", ["-k", "v0"]);
		expect(stdout).toMatch(/tx-tcp-segmentation: off\n/);
		expect(stdout).toMatch(/tx-tcp6-segmentation: off\n/);
		// Its own switch stays as it was; the kernel takes it off with the two (netdev_fix_features).
		expect(stdout).toMatch(/tx-tcp-ecn-segmentation: off \[requested on\]\n/);
	}));

test("a wish that the driver does not grant is no error, and reading again shows it", () =>
	withVeth(async (netns) => {
		await devices.set(netns.path, "v0", { "rx-gro-hw": true });
		const [report] = await devices.show(netns.path, "v0");
		expect(report?.features["rx-gro-hw"]).toEqual({ active: false, fixed: true, requested: false });
	}));

test("refusals: a feature that no kernel has, a device and a namespace that are gone, a name that is none", async () => {
	await withVeth(async (netns) => {
		const set = devices.set(netns.path, "v0", { turbo: true });
		await expect(set).rejects.toMatchObject({
			code: "OFFLOAD_DEVICE_REFUSED",
			details: { kernel: "bit name not found" },
		});
		await expect(devices.show(netns.path, "v9")).rejects.toMatchObject({ code: "OFFLOAD_DEVICE_GONE" });
	});
	await expect(devices.show("/run/netns/kfn-none")).rejects.toMatchObject({ code: "OFFLOAD_DEVICE_GONE" });
	for (const word of ["", "a b", "driver=veth", "x".repeat(16)])
		expect(() => parseDevice(word)).toThrow(expect.objectContaining({ code: "OFFLOAD_DEVICE_MALFORMED" }));
	const tool = spawnDevices("/nonexistent/kfn-device").show("/proc/self/ns/net");
	await expect(tool).rejects.toMatchObject({ code: "OFFLOAD_DEVICE_TOOL" });
});

test("watch tells of a feature that is switched and of a device that comes and goes", () =>
	withVeth(async (netns) => {
		const watch = await devices.watch([netns.path]);
		const seen = watch.events[Symbol.asyncIterator]();
		const until = async (event: string) => {
			for (;;) {
				const { value, done } = await seen.next();
				if (done === true) throw new Error("the watch ended");
				if (value.event === event) return value;
			}
		};
		await devices.set(netns.path, "v0", { "tx-tcp-segmentation": false });
		expect(await until("features")).toEqual({ event: "features", netns: netns.path });
		await netns.run("ip", ["link", "add", "w0", "type", "veth", "peer", "name", "w1"]);
		expect(await until("link")).toMatchObject({ event: "link" });
		watch.end();
		for await (const event of { [Symbol.asyncIterator]: () => seen })
			expect(event.event).toMatch(/^link|features$/);
	}));
