// The flow dissector's parameters as its manifest names them, and how they stand in an object. Refuses unknown names.

/** Effective values (packages/flow-dissector/kfn.package.json); ports in host byte order. */
export interface DissectorConfig {
	readonly geneve_ports: readonly number[];
	readonly gue_ports: readonly number[];
	readonly mpls_udp_ports: readonly number[];
	/** What must be answered with "bad" where the C code would be asked. */
	readonly patch: readonly PatchShape[];
	readonly vxlan_ports: readonly number[];
}

export const PATCH_SHAPES = ["pppoe-pfc", "tipc", "unknown"] as const;
export type PatchShape = (typeof PATCH_SHAPES)[number];

export const DEFAULT_CONFIG: DissectorConfig = {
	geneve_ports: [],
	gue_ports: [],
	mpls_udp_ports: [],
	patch: [],
	vxlan_ports: [],
};

/** The tunnels' ports as IANA assigned them, and nothing patched. */
export const TUNNEL_CONFIG: DissectorConfig = {
	geneve_ports: [6081],
	gue_ports: [6080],
	mpls_udp_ports: [6635],
	patch: [],
	vxlan_ports: [4789, 8472],
};

export const PATCH_CONFIG: DissectorConfig = { ...DEFAULT_CONFIG, patch: PATCH_SHAPES };

const LIST_ELEMENTS = 4;
const ABSENT = 0x10000;

/** The value of every element of every parameter, by parameter (in the order of names) and element: docs/formats/config.md. */
export function configValues(config: DissectorConfig): readonly (readonly number[])[] {
	const list = (ports: readonly number[]) =>
		Array.from({ length: LIST_ELEMENTS }, (_, index) => ports[index] ?? ABSENT);
	const bits = config.patch.reduce((sum, shape) => sum | (1 << PATCH_SHAPES.indexOf(shape)), 0);
	return [
		list(config.geneve_ports),
		list(config.gue_ports),
		list(config.mpls_udp_ports),
		[bits],
		list(config.vxlan_ports),
	];
}

/** What differs from an object's own values, as test programs take it: `parameter:element=value`. */
export function configAssignments(config: DissectorConfig): readonly string[] {
	const initial = configValues(DEFAULT_CONFIG);
	return configValues(config).flatMap((values, parameter) =>
		values.flatMap((value, element) =>
			value === initial[parameter]?.[element] ? [] : [`${parameter}:${element}=${value}`],
		),
	);
}
