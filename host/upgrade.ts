// Takes an active bundle to another version, everywhere it is active or in one scope. Refuses to go down without a permit
// of its publisher; to what ran here before, rollback goes.
import semver from "semver";
import type { Bundle } from "#bundle/bundle.ts";
import type { Config } from "#bundle/config.ts";
import { change } from "./change.ts";
import { HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import { demandNotHeld } from "./holds.ts";
import type { Host, OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { setParameters } from "./parameters.ts";
import { type OfferedPermits, permitDown } from "./permit.ts";
import { keyOf, mergeFunctions, type Plan, type PlanFunction } from "./plan.ts";
import { recover, runnable } from "./recover.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";
import { parseScope } from "./scope.ts";
import { floored } from "./trust-state/floors.ts";
import { openVerified, planFunctionOf } from "./verified-bundle.ts";

export interface UpgradeRequest {
	/** The archive's bytes; nothing about them is believed. */
	bundle: Uint8Array | AsyncIterable<Uint8Array>;
	/** Where; every scope in which the bundle is active unless given. */
	scope?: string | undefined;
	/** Parameters to set besides those that are set. */
	config?: Config | undefined;
	/** What may let it go to a lower version. */
	permits?: OfferedPermits | undefined;
	/** It came through the registry's verified metadata: no lower version of it may come to this host afterwards. */
	raisesFloor?: boolean | undefined;
	onStep?: OnStep | undefined;
}

/**
 * Verifies the bundle and replaces other versions of it, in one new generation.
 *
 * HOST_NOT_INSTALLED: it is not active (there). HOST_HELD: the operator holds it. HOST_SAME_VERSION: the same version with other bytes is. The same bundle
 * changes nothing. Where a higher version is active, or came through the registry before, a permit must cover the step: errors of {@link permitDown}.
 */
export async function upgrade(lock: HostLock, request: UpgradeRequest): Promise<ChangeReport> {
	const recovery = await recover(lock, request.onStep);
	const bundle = await openVerified(lock.host, request.bundle, request.onStep);
	const { name, version } = bundle.manifest;
	const current = readCurrentPlan(lock.host);
	const active = activeOf(current, name, request.scope);
	const others = active.filter((entry) => isOther(entry, bundle));
	if (others.length === 0) {
		return floored(lock, request, bundle, unchangedReport(current, `upgrade ${name} ${version}`, recovery));
	}
	demandNotHeld(lock.host, bundle.manifest, versionsOf(others));
	const from = versionsOf(others).join(", ");
	const permit = await permitDown(lock.host, bundle, others, request.permits);
	const report = await change(lock, {
		reason: `upgrade ${name} ${from} → ${version}${permit === undefined ? "" : ` by permit ${permit.id}`}`,
		permit: permit?.id,
		functions: mergeFunctions(current.functions, replacements(lock.host, others, bundle, request.config)),
		bundles: [bundle],
		required: await requiredOf(lock, current, others, request.scope !== undefined),
		recovery,
		onStep: request.onStep,
	});
	return floored(lock, request, bundle, report);
}

function versionsOf(entries: readonly PlanFunction[]): string[] {
	return [...new Set(entries.map((entry) => entry.bundle.version))];
}

/** The plan's lines of an active bundle, in one scope or everywhere; HOST_NOT_INSTALLED where there is none. */
export function activeOf(plan: Plan, name: string, scope: string | undefined): PlanFunction[] {
	const where = scope === undefined ? undefined : parseScope(scope);
	const named = plan.functions.filter((entry) => entry.bundle.name === name);
	const active = named.filter((entry) => where === undefined || entry.scope === where);
	if (active.length > 0) return active;
	const elsewhere = named.map((entry) => entry.scope).join(", ");
	throw new HostError(
		"HOST_NOT_INSTALLED",
		`${name} is not active${where === undefined ? "" : ` in ${where}`}`,
		{
			hint: elsewhere === "" ? `kfn install ${name} makes it active` : `it is active in ${elsewhere}`,
			details: { name, scope: where ?? null, active: named.map((entry) => entry.scope) },
		},
	);
}

function isOther(entry: PlanFunction, bundle: Bundle): boolean {
	const { name, version } = bundle.manifest;
	if (entry.bundle.sha256 === bundle.sha256) return false;
	if (semver.compare(entry.bundle.version, version) !== 0) return true;
	throw new HostError("HOST_SAME_VERSION", `${name} ${version} is active with other bytes than these`, {
		hint: "a version has one content; give the new one a higher version, or remove the bundle and install it",
		details: { scope: entry.scope, active: entry.bundle, offered: { version, sha256: bundle.sha256 } },
	});
}

function replacements(
	host: Host,
	others: readonly PlanFunction[],
	bundle: Bundle,
	set: Config | undefined,
): Map<string, PlanFunction | null> {
	const changes = new Map<string, PlanFunction | null>();
	for (const entry of others) {
		const config = { ...carriedConfig(host, entry, bundle.manifest.config), ...set };
		const next = planFunctionOf(bundle, entry.scope, config, entry.experimental);
		changes.set(keyOf(entry), null);
		changes.set(keyOf(next), next);
	}
	return changes;
}

/** Parameters that somebody set, and that the new version still has, keep their values; defaults are the new version's. */
export function carriedConfig(
	host: Host,
	entry: PlanFunction,
	declared: Bundle["manifest"]["config"],
): Config {
	// Where nobody knows what was set, every value is kept: an upgrade must be possible then, too.
	const before = setParameters(host, entry) ?? entry.config;
	return Object.fromEntries(Object.entries(before).filter(([name]) => Object.hasOwn(declared, name)));
}

/** A scope that was named must take the upgrade; of "everywhere", those whose namespace is there, if any is. */
async function requiredOf(
	lock: HostLock,
	current: Plan,
	others: readonly PlanFunction[],
	named: boolean,
): Promise<ReadonlySet<string>> {
	const keys = others.map(keyOf);
	const { plan } = await runnable(lock.host, current, new Set());
	const present = new Set(plan.functions.map(keyOf));
	const alive = keys.filter((key) => present.has(key));
	return new Set(named || alive.length === 0 ? keys : alive);
}
