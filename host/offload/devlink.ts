// Reads what a driver says through devlink (docs/formats/devlink.md): running versions named fw.app.kfn.*. Refuses everything that a
// device says of kernel functions as soon as one of those versions is not understood.
import { mapOf, open, type Shape, text } from "../shape.ts";
import type { Claim, SourceAnswer } from "./source.ts";

/** One device's entry of `devlink -j dev info`, which is also what kfn-device answers. */
export interface DevlinkInfo {
	readonly driver?: string;
	readonly versions?: {
		readonly fixed?: Readonly<Record<string, string>>;
		readonly running?: Readonly<Record<string, string>>;
		readonly stored?: Readonly<Record<string, string>>;
	};
}

const versions = mapOf(text);
export const devlinkInfo: Shape<DevlinkInfo> = open(
	{},
	{ driver: text, versions: open({}, { fixed: versions, running: versions, stored: versions }) },
);

/** What `devlink -j dev info` printed, by handle (`pci/0000:03:00.0`); ShapeError of anything else. */
export const devlinkDocument: Shape<Readonly<Record<string, DevlinkInfo>>> = (value, where) =>
	open({ info: mapOf(devlinkInfo) })(value, where).info;

const PREFIX = "fw.app.kfn.";
const NAME = /^([a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)(?:\.([1-9]|1[0-5]))?$/;
const VALUE = /^(kfn1:[0-9a-f]{64})(?: abi=([1-9]\d{0,8}))?(?: config=(any|[0-9a-f]{64}))?$/;

/** The claims in a device's running versions. `none` where it has none; `malformed` where one of them is no claim. */
export function devlinkClaims(info: DevlinkInfo | null): SourceAnswer {
	const claims: Claim[] = [];
	for (const [name, value] of Object.entries(info?.versions?.running ?? {})) {
		if (name !== PREFIX.slice(0, -1) && !name.startsWith(PREFIX)) continue;
		const claim = claimOf(name, value);
		if (typeof claim === "string") return { kind: "none", reason: "malformed", why: claim };
		if (claims.some((other) => sameClaim(other, claim)))
			return { kind: "none", reason: "malformed", why: `${name} says again what another version says` };
		claims.push(claim);
	}
	if (claims.length > 0) return { kind: "claims", claims };
	const why = info === null ? "the device has no devlink" : "devlink names no kernel function";
	return { kind: "none", reason: "none", why };
}

/** The claim, or why it is none. */
function claimOf(name: string, value: string): Claim | string {
	const [, functionName] = NAME.exec(name.slice(PREFIX.length)) ?? [];
	if (functionName === undefined || !name.startsWith(PREFIX))
		return `${name} is no name of a kernel function`;
	const [, tag, abi, config] = VALUE.exec(value) ?? [];
	if (tag === undefined) return `${name} is not TAG[ abi=ABI][ config=CONFIG]`;
	return {
		source: "devlink",
		function: functionName,
		abi: abi === undefined ? null : Number(abi),
		tag,
		config: config ?? null,
		limits: {},
		from: name,
	};
}

const sameClaim = (one: Claim, other: Claim) =>
	one.function === other.function &&
	one.tag === other.tag &&
	one.abi === other.abi &&
	one.config === other.config;
