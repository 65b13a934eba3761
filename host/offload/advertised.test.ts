// What an audit is told of devices: every claim, and which device carries a function.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { audit } from "../advisories/audit.ts";
import { knownOf, ofBundle } from "../advisories/testing/documents.ts";
import { install } from "../install.ts";
import { advertised } from "./advertised.ts";
import { enableOffload } from "./enable.ts";
import { OffloadError } from "./errors.ts";
import { DeviceWorld, ETH0, ETH1 } from "./testing/device-world.ts";
import { type Segmenter, segmenter } from "./testing/segmenter.ts";

const OLD = `kfn1:${"0b".repeat(32)}`;

let key: SecretKey;
let v1: Segmenter;
beforeAll(async () => {
	key = await generateKeyPair("test");
	v1 = await segmenter("1.0.0", key);
});

async function world(): Promise<DeviceWorld> {
	const made = new DeviceWorld(key, new Map([[v1.version, v1.tag]]));
	made.plugIn(ETH0, v1.tag, "1.0");
	made.plugIn(ETH1, OLD, "0.9");
	await made.locked((lock) => install(lock, { bundle: v1.archive, scope: ETH0 }));
	return made;
}

test("every claim is told; a device is in use while it carries the function", async () => {
	using devices = await world();
	const both = [
		{ device: "eth0", function: "tso", tag: v1.tag, inUse: false },
		{ device: "eth1", function: "tso", tag: OLD, inUse: false },
	];
	expect(await advertised(devices.quiet)).toEqual({ devices: both, problem: null });
	await devices.locked((lock) => enableOffload(lock, { device: ETH0 }));
	expect(await advertised(devices.quiet)).toEqual({
		devices: [{ ...both[0], inUse: true }, both[1]],
		problem: null,
	});
});

test("a vulnerable tag in a device: later where it is only advertised, now where the device carries it", async () => {
	using devices = await world();
	await devices.locked((lock) => enableOffload(lock, { device: ETH0 }));
	const known = knownOf(ofBundle("x_A-1", null, { tags: [OLD, v1.tag] }));
	const told = await advertised(devices.quiet);
	const { subjects } = await audit(devices.quiet, known, { upstream: "6.18.44", why: null }, told.devices);
	const ofDevices = subjects.filter(({ where }) => where === "device");
	expect(
		ofDevices.map(({ device, now, advisories }) => [device, now, advisories.map(({ id }) => id)]),
	).toEqual([
		["eth0", true, ["x_A-1"]],
		["eth1", false, ["x_A-1"]],
	]);
});

test("where devices cannot be asked, those that carry a function are told all the same, and the reason", async () => {
	using devices = await world();
	await devices.locked((lock) => enableOffload(lock, { device: ETH0 }));
	const show = async () => {
		throw new OffloadError("OFFLOAD_DEVICE_REFUSED", "nobody is there");
	};
	const host = { ...devices.quiet, devices: { ...devices.quiet.devices, show } };
	expect(await advertised(host)).toEqual({
		devices: [{ device: "eth0", function: "tso", tag: v1.tag, inUse: true }],
		problem: { code: "OFFLOAD_DEVICE_REFUSED", message: "nobody is there" },
	});
});
