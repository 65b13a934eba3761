// `kfn offload probe` on a device of our own making: what it finds is written down and changes the verdict, and the device is as before. About 20 seconds.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { DEVICE, openNic, PEER } from "./nic.ts";
import { type OffloadWorld, openOffloadWorld } from "./world.ts";

let world: OffloadWorld;
beforeAll(async () => {
	world = await openOffloadWorld("probe");
});
afterAll(() => world[Symbol.asyncDispose]());

const word = (device: string) => `${device}@${world.netns.path}`;

async function probe(device = DEVICE as string, peer = PEER as string) {
	const { code, stdout } = await world.kfn("offload", "probe", word(device), "--peer", word(peer), "--json");
	return { code, answer: JSON.parse(stdout) };
}

const ethtool = async () => (await world.netns.run("ethtool", ["--json", "-k", DEVICE])).stdout;
const state = (file: string) => join(world.root.path, "var/lib/kfn", file);
const observations = () => JSON.parse(readFileSync(state("observations.json"), "utf8")).observations;

function expectShape(document: unknown): void {
	const formats = join(import.meta.dirname, "../../docs/formats/cli.schema.json");
	const ajv = new Ajv2020({ allowUnionTypes: true });
	ajv.addSchema(JSON.parse(readFileSync(formats, "utf8")), "cli");
	expect(ajv.validate("cli#/$defs/offload:probe", document), ajv.errorsText()).toBe(true);
}

describe("a device that is tried", () => {
	test("and does what the function does has been observed to, and is as before", async (context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(world.tools, world.netns);
		const before = await ethtool();
		const { code, answer } = await probe();
		expect({ code, answer }).toMatchObject({
			code: 0,
			answer: {
				agrees: true,
				evidence: "claimed and observed",
				superpackets: 64,
				differences: [],
				moved: [],
			},
		});
		expectShape(answer);
		expect(await ethtool()).toBe(before);
		expect(existsSync(state("offload.json"))).toBe(false);
		expect(observations()).toMatchObject([
			{ tag: answer.tag, driver: "tun", agrees: true, device: `dev:${word(DEVICE)}` },
		]);
	});

	test("and lies is an error of security, and what was seen takes the place of what was seen before", async (context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(world.tools, world.netns, "psh");
		const before = await ethtool();
		const { code, answer } = await probe();
		expect(code).toBe(3);
		expect(answer.error).toMatchObject({ code: "OFFLOAD_PROBE_DIFFERS", details: { agrees: false } });
		expect(answer.error.message).toContain("segment 0 has other bytes");
		expect(await ethtool()).toBe(before);
		expect(observations()).toMatchObject([{ agrees: false }]);
		expect(observations()).toHaveLength(1);
	});

	test("needs a wire, and a function to compare it with", async (context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(world.tools, world.netns);
		const before = await ethtool();
		await world.netns.run("ip", ["link", "set", PEER, "down"]);
		expect(await probe()).toMatchObject({ code: 1, answer: { error: { code: "LOAD_NO_WIRE" } } });
		expect(await ethtool()).toBe(before);
		expect(await probe(PEER, DEVICE)).toMatchObject({
			code: 1,
			answer: { error: { code: "OFFLOAD_PROBE_FUNCTION" } },
		});
	});
});
