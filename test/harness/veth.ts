// A pair of throw-away namespaces joined by one veth wire, addressed and quiet: every packet on it is one that the test sent. Refuses to create devices in the root namespace, even for a moment.
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { endChild } from "./command.ts";
import { type NetworkNamespace, openNamespace } from "./namespace.ts";

/** One end of the wire. Addresses are without prefix length; both ends share a /24 and a /64. */
export interface Endpoint {
	readonly netns: NetworkNamespace;
	readonly device: string;
	readonly mac: string;
	readonly ipv4: string;
	readonly ipv6: string;
}

/** Two namespaces and the wire between them; disposing of it removes all three. */
export interface VethPair extends AsyncDisposable {
	readonly left: Endpoint;
	readonly right: Endpoint;
}

export interface VethOptions {
	/** False: at most one segment per packet on the wire (gso_max_segs 1), as a capture of a real wire has it. Default true. */
	readonly segmentation?: boolean;
}

/**
 * Makes two namespaces with a veth pair, IPv4 and IPv6 up and usable on return.
 *
 * Duplicate address detection, link-local addresses, router solicitation and ARP/ND are off (permanent neighbours),
 * so counts of packets can be exact.
 */
export async function openVethPair(purpose: string, options: VethOptions = {}): Promise<VethPair> {
	await using stack = new AsyncDisposableStack();
	const left = endpoint(stack.use(await openNamespace(`${purpose}-left`)), 1);
	const right = endpoint(stack.use(await openNamespace(`${purpose}-right`)), 2);
	for (const { netns } of [left, right]) await quieten(netns);
	const gso = options.segmentation === false ? ["gso_max_segs", "1"] : [];
	await left.netns.run("ip", [
		...["link", "add", left.device, "address", left.mac, ...gso, "type", "veth"],
		...["peer", "name", right.device, "address", right.mac, ...gso, "netns", right.netns.name],
	]);
	await address(left, right);
	await address(right, left);
	await Promise.all([left, right].map(bringUp));
	const owned = stack.move();
	return { left, right, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function endpoint(netns: NetworkNamespace, n: 1 | 2): Endpoint {
	// RFC 2544 benchmarking and RFC 3849 documentation addresses: never those of a real host.
	return {
		netns,
		device: n === 1 ? "left0" : "right0",
		mac: `02:00:5e:00:53:0${n}`,
		ipv4: `198.18.0.${n}`,
		ipv6: `2001:db8::${n}`,
	};
}

async function quieten(netns: NetworkNamespace): Promise<void> {
	for (const which of ["all", "default"]) {
		await netns.sysctl(`net.ipv6.conf.${which}.accept_dad`, "0");
		await netns.sysctl(`net.ipv6.conf.${which}.accept_ra`, "0");
		await netns.sysctl(`net.ipv6.conf.${which}.router_solicitations`, "0");
	}
}

async function address(own: Endpoint, other: Endpoint): Promise<void> {
	const ip = (...args: string[]) => own.netns.run("ip", args);
	// Without ARP the IPv6 stack joins no solicited-node group either, so it has no membership to report.
	await ip("link", "set", own.device, "addrgenmode", "none", "arp", "off");
	await ip("address", "add", `${own.ipv4}/24`, "dev", own.device);
	await ip("-6", "address", "add", `${own.ipv6}/64`, "dev", own.device, "nodad");
	for (const peer of [other.ipv4, other.ipv6]) {
		await ip("neigh", "replace", peer, "lladdr", other.mac, "dev", own.device, "nud", "permanent");
	}
}

/** Sets the device up and waits, on the kernel's link events, until it has carrier and its IPv6 address is usable. */
async function bringUp(own: Endpoint): Promise<void> {
	const monitor = own.netns.spawn("ip", ["-o", "monitor", "link", "address"], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	try {
		if (monitor.stdout === null) throw new Error("no stdout");
		const events = createInterface({ input: monitor.stdout });
		await own.netns.run("ip", ["link", "set", own.device, "up"]);
		const deadline = AbortSignal.timeout(10_000);
		while (!(await usable(own))) await nextEvent(events, deadline);
	} finally {
		await endChild(monitor);
	}
}

/** Resolves on the next event line, or after 100 ms: an event from before the monitor's subscription is never seen. */
async function nextEvent(events: Interface, deadline: AbortSignal): Promise<void> {
	deadline.throwIfAborted();
	await once(events, "line", { signal: AbortSignal.timeout(100) }).catch(() => undefined);
}

async function usable(own: Endpoint): Promise<boolean> {
	const { stdout } = await own.netns.run("ip", ["-j", "address", "show", "dev", own.device]);
	const [found] = JSON.parse(stdout) as {
		operstate?: string;
		addr_info?: { local?: string; tentative?: boolean }[];
	}[];
	const ipv6 = found?.addr_info?.find((info) => info.local === own.ipv6);
	return found?.operstate === "UP" && ipv6 !== undefined && ipv6.tentative !== true;
}
