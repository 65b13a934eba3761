// Parameters from the command line to the kernel: set at install, kept by an upgrade, changed by installing again, and a
// flow inside VXLAN seen only where its port was set.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writePcap } from "#host/capture/pcap.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { ethernet, ipv4, type Layer, tcp, udp } from "../harness/frames.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

const MACS = { source: "02:00:5e:00:53:01", destination: "02:00:5e:00:53:02" };

/** One TCP segment inside VXLAN (RFC 7348) on UDP port 4789. */
function vxlanCapture(): Uint8Array {
	const inner: Layer = ethernet(
		MACS,
		ipv4(
			{ source: "198.18.7.1", destination: "198.18.7.2" },
			tcp({ sourcePort: 40_001, destinationPort: 443 }),
		),
	);
	const vxlan = Buffer.concat([Buffer.from("0800000000002a00", "hex"), inner.bytes()]);
	const outer = ipv4(
		{ source: "198.18.8.1", destination: "198.18.8.2" },
		udp({ sourcePort: 50_000, destinationPort: 4789, payload: vxlan }),
	);
	const bytes = ethernet(MACS, outer).bytes();
	return writePcap({ linkType: 1, packets: [{ timestampNs: 0n, bytes, originalLength: bytes.length }] });
}

async function flowOf(
	world: HostWorld,
): Promise<{ protocol: string; destinationPort: number; encapsulated: boolean }> {
	const { stdout, stderr, code } = await world.kfn("dissect", "vxlan.pcap", "--json");
	expect(code, stderr).toBe(0);
	const { flows } = JSON.parse(stdout) as {
		flows: { protocol: string; destinationPort: number; encapsulated: boolean }[];
	};
	expect(flows).toHaveLength(1);
	const [{ protocol, destinationPort, encapsulated }] = flows as [(typeof flows)[number]];
	return { protocol, destinationPort, encapsulated };
}

const OUTER = { protocol: "udp", destinationPort: 4789, encapsulated: false };
const INNER = { protocol: "tcp", destinationPort: 443, encapsulated: true };

test("a parameter reaches the program, survives an upgrade, and is part of what runs", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("parameters");
	writeFileSync(join(world.folder, "vxlan.pcap"), vxlanCapture());
	const done = async (...args: string[]) => {
		const { code, stderr } = await world.kfn(...args);
		expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
	};
	const at = ["--scope", world.scope];
	await done("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	await done("install", "flow-dissector@1.0.0", ...at);
	expect(await flowOf(world)).toEqual(OUTER);
	await done("install", "flow-dissector@1.0.0", ...at, "--set", "vxlan_ports=4789,8472");
	expect(await flowOf(world)).toEqual(INNER);
	await done("upgrade", "flow-dissector@1.0.1");
	expect(await flowOf(world)).toEqual(INNER);
	const { functions } = JSON.parse((await world.kfn("status", "--json")).stdout) as {
		functions: { version: string; config: Record<string, unknown> }[];
	};
	expect(functions).toMatchObject([{ version: "1.0.1", config: { vxlan_ports: [4789, 8472], patch: [] } }]);
	await done("rollback");
	expect(await flowOf(world)).toEqual(INNER);
	await done("install", "flow-dissector@1.0.0", ...at);
	expect(await flowOf(world)).toEqual(INNER);
	await done("install", "flow-dissector@1.0.0", ...at, "--set", "patch=tipc,unknown");
	expect(await flowOf(world)).toEqual(INNER);
	const shown = "patch=tipc,unknown vxlan_ports=4789,8472";
	expect((await world.kfn("status")).stdout).toMatch(new RegExp(`kfn1:[0-9a-f]{64}  ${shown}$`, "m"));
	expect((await world.kfn("list")).stdout).toMatch(new RegExp(`^NAME .* PARAMETERS\\n.*  ${shown}\\n$`));
	await done("install", "flow-dissector@1.0.0", ...at, "--reset");
	expect(await flowOf(world)).toEqual(OUTER);
	expect((await world.kfn("list")).stdout).not.toContain("PARAMETERS");
	await done("install", "flow-dissector@1.0.0", ...at, "--set", "vxlan_ports=4789");
	await done("install", "flow-dissector@1.0.0", ...at, "--set", "vxlan_ports=");
	expect(await flowOf(world)).toEqual(OUTER);
	const refusals = [
		["vxlan_ports=70000", "BUNDLE_CONFIG_INVALID"],
		["vxlan_ports=1,2,3,4,5", "BUNDLE_CONFIG_TOO_MANY"],
		["patch=nonsense", "BUNDLE_CONFIG_INVALID"],
		["nonsense=1", "BUNDLE_CONFIG_INVALID"],
		["vxlan_ports", "BUNDLE_CONFIG_INVALID"],
	] as const;
	for (const [word, expected] of refusals) {
		const { stdout, code } = await world.kfn(
			"install",
			"flow-dissector@1.0.0",
			...at,
			"--set",
			word,
			"--json",
		);
		const refusal = (JSON.parse(stdout) as { error: { code: string } }).error.code;
		expect({ word, code, refusal }).toEqual({ word, code: 1, refusal: expected });
	}
	expect(await flowOf(world)).toEqual(OUTER);
	await done("remove", "flow-dissector");
});
