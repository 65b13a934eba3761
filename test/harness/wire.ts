// A veth wire with both ends in one throw-away namespace, which nothing but the test sends on and which takes packets of any length. Refuses the machine's own devices.
import { type NetworkNamespace, openNamespace } from "./namespace.ts";

/** The two ends are `OUT` and `IN`, up, without IPv6. */
export interface Wire extends AsyncDisposable {
	readonly netns: NetworkNamespace;
}

export const OUT = "out0";
export const IN = "in0";

/** The MTU is the highest that a veth device has: 65,535. */
export async function openWire(purpose: string): Promise<Wire> {
	const netns = await openNamespace(purpose);
	const ip = (...args: string[]) => netns.run("ip", args);
	await netns.sysctl("net.ipv6.conf.default.disable_ipv6", "1");
	await ip("link", "add", OUT, "mtu", "65535", "type", "veth", "peer", "name", IN, "mtu", "65535");
	await ip("link", "set", OUT, "up");
	await ip("link", "set", IN, "up");
	return { netns, [Symbol.asyncDispose]: () => netns[Symbol.asyncDispose]() };
}
