import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { writePcap } from "#host/capture/pcap.ts";
import { checksum, ethernet, gre, ipv4, ipv6, type Layer, tcp, udp, vlan } from "./frames.ts";

const macs = { source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02" };
const v4 = (inner: Layer) => ipv4({ source: "198.18.7.1", destination: "198.18.7.2" }, inner);
const v6 = (inner: Layer) => ipv6({ source: "2001:db8:7::1", destination: "2001:db8:7::2" }, inner, 0xbeef);
const payload = Buffer.from("odd length!");
const web = tcp({ sourcePort: 40_001, destinationPort: 443, payload });
const dns = udp({ sourcePort: 40_002, destinationPort: 9999, payload });

/** What tcpdump, which knows none of our code, reads out of the frame. */
function tcpdump(inner: Layer): string {
	const bytes = ethernet(macs, inner).bytes();
	const file = writePcap({
		linkType: 1,
		packets: [{ timestampNs: 0n, bytes, originalLength: bytes.length }],
	});
	return execFileSync("tcpdump", ["-r", "-", "-nnvve"], {
		input: file,
		stdio: ["pipe", "pipe", "ignore"],
	}).toString();
}

describe("frames as tcpdump reads them", () => {
	it.each([
		["ipv4 tcp", v4(web), ["ethertype IPv4", "198.18.7.1.40001 > 198.18.7.2.443", "(correct)"]],
		["ipv4 udp", v4(dns), ["198.18.7.1.40002 > 198.18.7.2.9999", "[udp sum ok]"]],
		["ipv6 tcp", v6(web), ["flowlabel 0x0beef", "2001:db8:7::1.40001 > 2001:db8:7::2.443", "(correct)"]],
		["ipv6 udp", v6(dns), ["2001:db8:7::1.40002 > 2001:db8:7::2.9999", "[udp sum ok]"]],
		["vlan", vlan(7, v4(web)), ["802.1Q (0x8100)", "vlan 7", "(correct)"]],
		["qinq", vlan(8, vlan(7, v4(web)), 0x88a8), ["802.1Q-QinQ (0x88a8)", "vlan 8", "vlan 7", "(correct)"]],
		["gre", v4(gre({}, v4(web))), ["GREv0, Flags [none]", "proto IPv4 (0x0800)", "(correct)"]],
		[
			"gre key",
			v4(gre({ key: 7 }, v6(dns))),
			["GREv0, Flags [key present], key=0x7", "proto IPv6", "[udp sum ok]"],
		],
		[
			"gre all",
			v4(gre({ key: 7, sequence: 9, checksum: true }, v4(web))),
			["checksum present", "seq 9", "(correct)"],
		],
		["gre ethernet", v4(gre({}, ethernet(macs, v4(web)))), ["proto TEB (0x6558)", "(correct)"]],
		["ip in ip", v4(v6(web)), ["proto IPv6 (41)", "(correct)"]],
	])("%s", (_name, inner, expected) => {
		const text = tcpdump(inner);
		for (const part of expected) expect(text).toContain(part);
		expect(text).not.toMatch(/bad|incorrect|truncated|invalid/i);
	});
});

describe("layers", () => {
	it("refuse to be nested where they cannot say what they are", () => {
		expect(() => ethernet(macs, web).bytes()).toThrow("needs an IP header");
		expect(() => v4(vlan(1, v4(web))).bytes()).toThrow("no IP protocol number");
		expect(() => web.bytes()).toThrow("behind no IP header");
	});

	it("have the checksum of RFC 1071's example", () => {
		expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0x220d);
	});
});
