// Which of a device's features carry a function, and the shape in which devices list them: that of `ethtool --json -k`, under the
// kernel's names. Refuses a function for which Linux has no feature: nothing then says when the device runs it.
import { exact, flag, mapOf, open, orNull, type Shape, ShapeError, text } from "../shape.ts";

/** One feature of a device. `ethtool` shows null for what stands for several at once. */
export interface Feature {
	readonly active: boolean;
	/** The driver lets nobody switch it. */
	readonly fixed: boolean | null;
	readonly requested: boolean | null;
}

export type Features = Readonly<Record<string, Feature>>;

/** How a function goes into a device (docs/formats/offload.md). */
export interface Carriers {
	/** On while the device runs the function, off while it is out; the device must be able to switch each. */
	readonly carried: readonly string[];
	/** The same, where the device has it: variants that the function covers. */
	readonly also: readonly string[];
	/** Off in both cases: other ways to do the same, which no tag stands for. */
	readonly never: readonly string[];
	/** What the engine must read, in the words of catalogues. */
	readonly protocols: readonly string[];
	/** Bytes from the start of the frame to the end of the last header: Ethernet, IPv6, TCP with all its options. */
	readonly headerDepth: number;
	/** Whether the kernel hands over packets of up to `gso_max_segs` segments, all of which the engine must take. */
	readonly segments: boolean;
}

const TCP_DEPTH = 14 + 40 + 60;
const TCP = ["ipv4", "ipv6", "tcp"];

/**
 * Linux's features, by function. The two of ECN are TSO of packets with CWR, which `tso` handles; mangled IP ids are not
 * what it answers. LRO merges what GRO would not. The flow dissector is not here: `rx-hashing` gives a hash of the device's own,
 * and no feature gives the dissector's keys.
 */
const CARRIERS: Readonly<Record<string, Carriers>> = {
	tso: {
		carried: ["tx-tcp-segmentation", "tx-tcp6-segmentation"],
		also: ["tx-tcp-ecn-segmentation", "tx-tcp-accecn-segmentation"],
		never: ["tx-tcp-mangleid-segmentation"],
		protocols: TCP,
		headerDepth: TCP_DEPTH,
		segments: true,
	},
	gro: {
		carried: ["rx-gro-hw"],
		also: [],
		never: ["rx-lro"],
		protocols: TCP,
		headerDepth: TCP_DEPTH,
		segments: false,
	},
};

export const OFFLOADABLE_FUNCTIONS = Object.keys(CARRIERS);

/** How the function goes into devices; undefined where Linux has no feature for it. */
export function carriersOf(functionName: string): Carriers | undefined {
	return Object.hasOwn(CARRIERS, functionName) ? CARRIERS[functionName] : undefined;
}

/** What switching a device does: values by feature, of those that the device lets anybody switch. */
export function switched(carriers: Carriers, features: Features, on: boolean): Record<string, boolean> {
	const wanted = [
		...[...carriers.carried, ...carriers.also].map((name) => [name, on] as const),
		...carriers.never.map((name) => [name, false] as const),
	];
	return Object.fromEntries(wanted.filter(([name]) => features[name]?.fixed === false));
}

/** Features that are not what they must be in that case; a missing one is off. */
export function wrongFeatures(carriers: Carriers, features: Features, on: boolean): string[] {
	const active = (name: string) => features[name]?.active === true;
	const wrong = on
		? carriers.carried.filter((name) => !active(name))
		: [...carriers.carried, ...carriers.also].filter(active);
	return [...wrong, ...carriers.never.filter(active)];
}

const feature: Shape<Feature> = exact({ active: flag, fixed: orNull(flag), requested: orNull(flag) });
export const featuresShape: Shape<Features> = mapOf(feature);

/** ethtool has names of its own for what it showed before the kernel had any (ethtool/ethtool.c, off_flag_def). */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
	"large-receive-offload": "rx-lro",
	"generic-receive-offload": "rx-gro",
	"generic-segmentation-offload": "tx-generic-segmentation",
	"receive-hashing": "rx-hashing",
};

/** What `ethtool --json -k DEVICE` printed, as features of one device; ShapeError of anything else. */
export function parseEthtoolFeatures(document: unknown): { device: string; features: Features } {
	if (!Array.isArray(document) || document.length !== 1) throw new ShapeError("", "a list with one device");
	const { ifname } = open({ ifname: text })(document[0], "[0]");
	const { ifname: _, ...rest } = document[0] as Record<string, unknown>;
	const entries = Object.entries(featuresShape(rest, "[0]"));
	return {
		device: ifname,
		features: Object.fromEntries(entries.map(([name, one]) => [KERNEL_NAMES[name] ?? name, one])),
	};
}
