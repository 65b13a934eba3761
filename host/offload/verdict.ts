// Whether a device may take a function over: what runs here against what speaks for the device. Pure. Refuses on anything that is not
// known: a limit that nobody claims, a source that cannot be read, an engine that nobody signed for.
import { carriersOf, type Features } from "./features.ts";
import type { Claim, ClaimLimits, Identity, NoClaim, SourceAnswer } from "./source.ts";
import type { Standing } from "./standing.ts";

/** The function as this host runs it at the device. */
export interface RunningFunction {
	readonly function: string;
	readonly abi: number;
	readonly tag: string;
	readonly configDigest: string;
	readonly bundle: string;
	readonly version: string;
	readonly scope: string;
	/** Whether it is what the generation says: in the kernel, or already in the device. */
	readonly live: boolean;
}

/** A release that a tag belongs to, as far as this host knows it. */
export interface KnownRelease {
	readonly bundle: string;
	readonly version: string;
	/** When this host first had it (ISO 8601), or null. */
	readonly since: string | null;
	readonly advisories: readonly string[];
}

/** Closed: callers compare it. Those of `NoClaim` but `none` are of what a source said. */
export type ConditionName =
	| Exclude<NoClaim, "none">
	| "no-catalogue"
	| "sources-disagree"
	| "tag"
	| "abi"
	| "config"
	| "limits"
	| "revoked"
	| "observed-otherwise"
	| "not-running"
	| "no-feature";

export interface Condition {
	readonly condition: ConditionName;
	/** Which source it is about; absent of what is about this host. */
	readonly source?: Claim["source"];
	readonly message: string;
	readonly details?: Readonly<Record<string, unknown>>;
}

/** What the verdict rests on: a claim alone, or one that vectors run through the device agreed with. */
export type Evidence = "claimed" | "claimed and observed";

export interface Verdict {
	readonly function: string;
	readonly offloadable: boolean;
	/** Every failed condition; none where it is offloadable. */
	readonly failed: readonly Condition[];
	readonly running: RunningFunction | null;
	/** What the sources say of this function, signed or not. */
	readonly claims: readonly Claim[];
	/** The signed claim that fits; null where none does. */
	readonly fits: Claim | null;
	readonly evidence: Evidence;
}

export interface VerdictInput {
	readonly function: string;
	readonly identity: Identity;
	readonly running: RunningFunction | null;
	/** One of each source. */
	readonly answers: Readonly<Record<Claim["source"], SourceAnswer>>;
	readonly features: Features;
	readonly gsoMaxSegments: number;
	readonly standing: Standing;
	/** Which release a tag is; undefined where this host does not know it. */
	readonly release: (tag: string) => KnownRelease | undefined;
	/** What was seen of this function in this device with this firmware (probe.ts). */
	readonly observation?: { readonly agrees: boolean; readonly at: string } | undefined;
}

const SECURITY: ReadonlySet<ConditionName> = new Set([
	"unsigned",
	"untrusted",
	"foreign-vendor",
	"replayed",
	"malformed",
	"revoked",
	"observed-otherwise",
]);

/** Whether a failed condition is of security: what speaks for the device is not to be trusted. */
export const isSecurity = ({ condition }: Condition): boolean => SECURITY.has(condition);

/** Lines everything up (design §7) and names each condition that fails. */
export function verdictOf(input: VerdictInput): Verdict {
	const { running, answers } = input;
	const named = (answer: SourceAnswer) =>
		answer.kind === "claims" ? answer.claims.filter((claim) => claim.function === input.function) : [];
	const [signed, driver] = [named(answers.catalogue), named(answers.devlink)];
	const fitting =
		running === null ? [] : signed.filter((claim) => claimFails(input, running, claim).length === 0);
	const failed = [
		...runningFails(input),
		...featureFails(input),
		...observedFails(input),
		...catalogueFails(input, signed),
		...driverFails(answers.devlink),
		...(running === null ? [] : agreementFails(running, signed, driver)),
		...(running === null || fitting.length > 0 ? [] : bestFails(input, running, signed)),
	];
	const offloadable = failed.length === 0;
	return {
		function: input.function,
		offloadable,
		failed,
		running,
		claims: [...signed, ...driver],
		fits: fitting[0] ?? null,
		evidence: input.observation?.agrees === true ? "claimed and observed" : "claimed",
	};
}

function runningFails({ function: name, running, standing }: VerdictInput): Condition[] {
	if (running === null)
		return [{ condition: "not-running", message: `no generation of this host has ${name} at the device` }];
	const revoked = standing.revoked(running.tag, running.bundle);
	return [
		...(running.live
			? []
			: [
					{
						condition: "not-running",
						message: `${name} is installed for ${running.scope} and does not run`,
					} as const,
				]),
		...(revoked === undefined
			? []
			: [
					{
						condition: "revoked",
						message: `the tag is revoked by ${revoked.id}: ${revoked.reason}`,
						details: { id: revoked.id, tag: running.tag },
					} as const,
				]),
	];
}

function observedFails({ observation, identity }: VerdictInput): Condition[] {
	if (observation === undefined || observation.agrees) return [];
	const message = `${identity.device} was tried and made other packets than the function`;
	return [{ condition: "observed-otherwise", message, details: { at: observation.at } }];
}

function featureFails({ function: name, features, identity }: VerdictInput): Condition[] {
	const carriers = carriersOf(name);
	if (carriers === undefined)
		return [
			{ condition: "no-feature", message: `Linux has no feature by which a device takes ${name} over` },
		];
	const fixed = carriers.carried.filter((feature) => features[feature]?.fixed !== false);
	if (fixed.length === 0) return [];
	const message = `${identity.device} cannot switch ${fixed.join(", ")}`;
	return [{ condition: "no-feature", message, details: { features: fixed } }];
}

function catalogueFails({ answers, function: name }: VerdictInput, signed: readonly Claim[]): Condition[] {
	const answer = answers.catalogue;
	if (answer.kind === "none") {
		const condition = answer.reason === "none" ? "no-catalogue" : answer.reason;
		return [{ condition, source: "catalogue", message: answer.why }];
	}
	if (signed.length > 0) return [];
	return [
		{ condition: "no-catalogue", source: "catalogue", message: `no catalogue of the device names ${name}` },
	];
}

/** A driver that says nothing leaves the word to the catalogue; one that says what nobody understands does not. */
function driverFails(answer: SourceAnswer): Condition[] {
	if (answer.kind === "claims" || answer.reason === "none") return [];
	return [{ condition: answer.reason, source: "devlink", message: answer.why }];
}

/** Where both speak of a function, both must have the running tag, or neither; and the words beside it must not contradict. */
function agreementFails(
	running: RunningFunction,
	signed: readonly Claim[],
	driver: readonly Claim[],
): Condition[] {
	if (signed.length === 0 || driver.length === 0) return [];
	const same = (one: Claim, other: Claim) =>
		one.tag === other.tag &&
		(one.abi === null || other.abi === null || one.abi === other.abi) &&
		(one.config === null || other.config === null || one.config === other.config);
	const ofTag = (claims: readonly Claim[]) => claims.filter(({ tag }) => tag === running.tag);
	const [here, there] = [ofTag(signed), ofTag(driver)];
	const agree =
		here.length > 0 || there.length > 0
			? here.some((one) => there.some((other) => same(one, other)))
			: signed.some((one) => driver.some((other) => same(one, other)));
	if (agree) return [];
	return [
		{
			condition: "sources-disagree",
			message: "the driver says that the device runs something else than the catalogue says",
			details: { catalogue: signed.map(wordsOf), devlink: driver.map(wordsOf) },
		},
	];
}

const wordsOf = ({ tag, abi, config, from }: Claim) => ({ tag, abi, config, from });

/** Of the signed claims, what keeps the nearest one out: one of the running tag where there is one. */
function bestFails(input: VerdictInput, running: RunningFunction, signed: readonly Claim[]): Condition[] {
	const near = signed.find(({ tag }) => tag === running.tag);
	if (near !== undefined) return claimFails(input, running, near);
	if (signed.length === 0) return [];
	const tags = [...new Set(signed.map(({ tag }) => tag))];
	const releases = tags.map((tag) => releaseWords(input, tag));
	return [
		{
			condition: "tag",
			source: "catalogue",
			message: `this host runs ${running.bundle} ${running.version}, the device ${releases.map(({ words }) => words).join(" or ")}`,
			details: { running: running.tag, advertised: releases.map(({ words: _, ...rest }) => rest) },
		},
	];
}

function releaseWords({ release, standing }: VerdictInput, tag: string) {
	const known = release(tag);
	const revoked = standing.revoked(tag)?.id ?? null;
	if (known === undefined) {
		const words = `a tag that this host does not know (${tag.slice(0, 17)}…)`;
		return { tag, bundle: null, version: null, since: null, advisories: [], revoked, words };
	}
	const { bundle, version, since, advisories } = known;
	const notes = [
		...(since === null ? [] : [`of ${since.slice(0, 10)}`]),
		...(advisories.length === 0 ? [] : [`affected by ${advisories.join(", ")}`]),
		...(revoked === null ? [] : [`revoked by ${revoked}`]),
	];
	const words = `${bundle} ${version}${notes.length === 0 ? "" : ` (${notes.join("; ")})`}`;
	return { tag, bundle, version, since, advisories, revoked, words };
}

/** What keeps a claim from being the running function. */
function claimFails(input: VerdictInput, running: RunningFunction, claim: Claim): Condition[] {
	const source = claim.source;
	const failed: Condition[] = [];
	if (claim.tag !== running.tag)
		failed.push({ condition: "tag", source, message: `${claim.from} has another tag` });
	if (claim.abi !== running.abi) {
		const told = claim.abi === null ? "no ABI" : `ABI ${claim.abi}`;
		failed.push({
			condition: "abi",
			source,
			message: `${claim.from} names ${told}, this host runs ABI ${running.abi}`,
		});
	}
	if (claim.config !== "any" && claim.config !== running.configDigest) {
		const message = `${claim.from} is for ${claim.config === null ? "no config that it names" : "another config"}`;
		failed.push({
			condition: "config",
			source,
			message,
			details: { running: running.configDigest, claimed: claim.config },
		});
	}
	return [...failed, ...limitFails(input, claim)];
}

/** A limit that is not claimed is none that may be relied on. */
function limitFails(input: VerdictInput, { limits, from, source }: Claim): Condition[] {
	const carriers = carriersOf(input.function);
	if (carriers === undefined) return [];
	const short = (limit: keyof ClaimLimits, needs: unknown, message: string): Condition => ({
		condition: "limits",
		source,
		message: `${from} ${message}`,
		details: { limit, needs, claimed: limits[limit] ?? null },
	});
	const missing = carriers.protocols.filter((word) => !(limits.protocols ?? []).includes(word));
	return [
		...(missing.length === 0
			? []
			: [short("protocols", carriers.protocols, `does not claim ${missing.join(", ")}`)]),
		...((limits.headerDepth ?? 0) >= carriers.headerDepth
			? []
			: [
					short(
						"headerDepth",
						carriers.headerDepth,
						`does not claim headers of ${carriers.headerDepth} bytes`,
					),
				]),
		...(!carriers.segments || (limits.maxSegments ?? 0) >= segmentsOf(input)
			? []
			: [
					short(
						"maxSegments",
						segmentsOf(input),
						`does not claim the ${segmentsOf(input)} segments that the kernel may hand over (ip link set gso_max_segs lowers that)`,
					),
				]),
	];
}

/** What the kernel may hand over at most; where it does not say, its own limit (GSO_MAX_SEGS, linux/netdevice.h). */
const segmentsOf = ({ gsoMaxSegments }: VerdictInput) => (gsoMaxSegments === 0 ? 65_535 : gsoMaxSegments);
