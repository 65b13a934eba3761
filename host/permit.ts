// Which rollback permit lets a step down go (docs/formats/permit.md): verified here, against the publishers whom this host
// trusts now. Refuses to take a registry's word: a permit that came with an index is as unproved as one from a file.
import semver from "semver";
import type { Bundle } from "#bundle/bundle.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { demandPermitted, type OpenedPermit, openPermit, type RollbackStep } from "#signing/permit.ts";
import { HostError } from "./errors.ts";
import { currentGeneration, generationNumbers, planOrUndefined } from "./generations.ts";
import type { Host } from "./host.ts";
import type { PlanFunction } from "./plan.ts";
import { publishersInForce } from "./publishers.ts";
import { floorAbove } from "./trust-state/floors.ts";
import { effectiveTime, readMark } from "./trust-state/mark.ts";

/** The permits that a request brings; nothing about them is believed. */
export interface OfferedPermits {
	/** The one that the operator named: what is wrong with it is the error. */
	readonly named?: DsseEnvelope | undefined;
	/** Those that the registry's index lists: the first that covers the step serves, and the others do not matter. */
	readonly listed?: readonly DsseEnvelope[] | undefined;
}

/**
 * What lets a bundle take the place of `replaced`, and be on this host at all: undefined where every step goes up and none is below
 * the floor of its name; else errors of {@link permitFor}.
 */
export async function permitDown(
	host: Host,
	{ manifest, manifestDigest }: Bundle,
	replaced: readonly PlanFunction[],
	offered: OfferedPermits | undefined,
): Promise<OpenedPermit | undefined> {
	const { name, version } = manifest;
	const higher = replaced
		.filter(({ bundle }) => bundle.name === name && semver.gt(bundle.version, version))
		.map(({ bundle }) => bundle.version);
	const floor = floorAbove(host, name, version);
	const leaving = [...new Set([...higher, ...(floor === undefined ? [] : [floor])])];
	if (leaving.length === 0) return undefined;
	return permitFor(host, { name, leaving, to: { version, manifestSha256: manifestDigest } }, offered);
}

/**
 * A permit that is in force and covers exactly this step. The PERMIT_, SIGNATURE_ and PUBLISHERS_ codes for the named one;
 * without a named one HOST_DOWNGRADE, whose details say what kept each of the listed from serving.
 */
export async function permitFor(
	host: Host,
	step: RollbackStep,
	offered: OfferedPermits = {},
): Promise<OpenedPermit> {
	const { named, listed = [] } = offered;
	if (named !== undefined) return judge(host, step, named);
	const refused: { code: string; message: string }[] = [];
	for (const envelope of listed) {
		try {
			return await judge(host, step, envelope);
		} catch (error) {
			if (!(error instanceof SigningError)) throw error;
			refused.push({ code: error.code, message: error.message });
		}
	}
	throw downgrade(host, step, refused);
}

async function judge(host: Host, step: RollbackStep, envelope: DsseEnvelope): Promise<OpenedPermit> {
	const permit = await openPermit(envelope, step.name, publishersInForce(host));
	// A clock that was set back does not bring an expired permit back.
	demandPermitted(permit, step, effectiveTime(host, readMark(host)));
	return permit;
}

function downgrade(
	host: Host,
	{ name, leaving, to }: RollbackStep,
	permits: readonly { code: string; message: string }[],
): HostError {
	const message = `${name} ${to.version} is lower than what this host has had: ${leaving.join(", ")}`;
	return new HostError("HOST_DOWNGRADE", message, {
		hint: wayDown(host, name, to),
		details: { name, leaving, offered: to, permits },
	});
}

/** Both ways down: a generation that this host ran, and its publisher's leave. */
function wayDown(host: Host, name: string, { version, manifestSha256 }: RollbackStep["to"]): string {
	// A higher number than the current one's was never committed.
	const earlier = generationNumbers(host).filter((n) => n <= currentGeneration(host));
	const ran = earlier.findLast((n) => names(host, n, manifestSha256));
	const leave = `kfn upgrade ${name}@${version} --permit FILE, with a permit of its publisher (kfn permit create)`;
	return ran === undefined ? leave : `kfn rollback ${ran} goes back to when it ran here; else ${leave}`;
}

/** A generation that cannot be read is no way down, and no reason to refuse anything. */
function names(host: Host, n: number, manifestSha256: string): boolean {
	const functions = planOrUndefined(host, n)?.functions ?? [];
	return functions.some(({ bundle }) => bundle.manifestSha256 === manifestSha256);
}
