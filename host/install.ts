// Makes a bundle's function active in one scope. Refuses to replace what is already active there: that is upgrade's job.
import type { Bundle } from "#bundle/bundle.ts";
import type { Config } from "#bundle/config.ts";
import { change } from "./change.ts";
import { demandNoOverlap } from "./conflicts.ts";
import { HostError } from "./errors.ts";
import { functionScope } from "./function-scope.ts";
import { readCurrentPlan } from "./generations.ts";
import { demandNotHeld } from "./holds.ts";
import type { OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { type OfferedPermits, permitDown } from "./permit.ts";
import { keyOf, mergeFunctions, type Plan, type PlanFunction, sameFunctions } from "./plan.ts";
import { type Recovery, recover } from "./recover.ts";
import { repair } from "./repair.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";
import { importBundle } from "./store.ts";
import { floored } from "./trust-state/floors.ts";
import { openVerified, planFunctionOf } from "./verified-bundle.ts";

export interface InstallRequest {
	/** The archive's bytes; nothing about them is believed. */
	bundle: Uint8Array | AsyncIterable<Uint8Array>;
	/** Where; the caller's own network namespace unless given. */
	scope?: string | undefined;
	/** Parameters to set; the others stay as they are where the same bundle is active there, and have their defaults elsewhere. */
	config?: Config | undefined;
	/** Take the defaults for all that `config` does not name, whatever was set before. */
	reset?: boolean | undefined;
	/** Take it although its publisher calls it experimental. */
	experimental?: boolean | undefined;
	/** What may let it be lower than the floor of its name. */
	permits?: OfferedPermits | undefined;
	/** It came through the registry's verified metadata: no lower version of it may come to this host afterwards. */
	raisesFloor?: boolean | undefined;
	onStep?: OnStep | undefined;
}

/**
 * Verifies the bundle and makes its function active, in a new generation.
 *
 * The same bundle again changes no generation, but repairs a damaged store entry and re-attaches what something else
 * detached. HOST_ALREADY_INSTALLED: another version is active there. HOST_FUNCTION_TAKEN: another bundle provides it. HOST_SCOPE_OVERLAP: two patterns.
 * HOST_EXPERIMENTAL: its publisher calls it that, and the request does not ask for it all the same.
 * HOST_HELD: the operator holds the bundle at another version.
 * Where a higher version came through the registry before, a permit must cover the step: errors of {@link permitDown}.
 */
export async function install(lock: HostLock, request: InstallRequest): Promise<ChangeReport> {
	const { host } = lock;
	const recovery = await recover(lock, request.onStep);
	const bundle = await openVerified(host, request.bundle, request.onStep);
	const scope = functionScope(bundle.manifest, request.scope, host.namespaces);
	const current = readCurrentPlan(host);
	const before = request.reset === true ? undefined : activeConfig(current, bundle, scope);
	const wanted = planFunctionOf(bundle, scope, { ...before, ...request.config }, request.experimental);
	const reason = `install ${wanted.bundle.name} ${wanted.bundle.version}`;
	refuseConflict(current, wanted);
	demandNoOverlap(wanted, current.functions);
	if (current.functions.some((entry) => sameFunctions([entry], [wanted]))) {
		return floored(lock, request, bundle, await again(lock, current, bundle, wanted, reason, recovery));
	}
	// What a local rollback brought back runs here already: with other parameters it goes no lower.
	const runs = current.functions.some(
		(entry) => entry.scope === scope && entry.bundle.sha256 === bundle.sha256,
	);
	if (!runs) demandNotHeld(host, bundle.manifest, activeVersions(current, wanted.bundle.name));
	const permit = runs ? undefined : await permitDown(host, bundle, [], request.permits);
	const report = await change(lock, {
		reason: permit === undefined ? reason : `${reason} by permit ${permit.id}`,
		permit: permit?.id,
		functions: mergeFunctions(current.functions, new Map([[keyOf(wanted), wanted]])),
		bundles: [bundle],
		required: new Set([keyOf(wanted)]),
		recovery,
		onStep: request.onStep,
	});
	return floored(lock, request, bundle, report);
}

function activeVersions(current: Plan, name: string): string[] {
	return current.functions.filter(({ bundle }) => bundle.name === name).map(({ bundle }) => bundle.version);
}

/** What was set before; the same archive declares the same parameters. */
function activeConfig(current: Plan, bundle: Bundle, scope: string): Config | undefined {
	return current.functions.find((entry) => entry.scope === scope && entry.bundle.sha256 === bundle.sha256)
		?.config;
}

function refuseConflict(current: Plan, wanted: PlanFunction): void {
	const here = current.functions.filter((entry) => entry.scope === wanted.scope);
	const same = here.find((entry) => entry.bundle.name === wanted.bundle.name);
	const details = { scope: wanted.scope, active: same?.bundle ?? null };
	if (same !== undefined && same.bundle.sha256 !== wanted.bundle.sha256) {
		const active = `${same.bundle.name} ${same.bundle.version}`;
		throw new HostError("HOST_ALREADY_INSTALLED", `${active} is already active in ${wanted.scope}`, {
			hint: `kfn upgrade ${same.bundle.name} takes up another version`,
			details,
		});
	}
	const other = here.find((entry) => entry.function === wanted.function && entry !== same);
	if (other !== undefined) {
		throw new HostError(
			"HOST_FUNCTION_TAKEN",
			`${other.bundle.name} provides ${other.function} in ${other.scope}`,
			{
				hint: `kfn remove ${other.bundle.name} first: a function has one provider in a scope`,
				details: { scope: other.scope, active: other.bundle },
			},
		);
	}
}

async function again(
	lock: HostLock,
	current: Plan,
	bundle: Bundle,
	wanted: PlanFunction,
	reason: string,
	recovery: Recovery,
): Promise<ChangeReport> {
	importBundle(lock, bundle);
	return unchangedReport(current, reason, recovery, await repair(lock, new Set([keyOf(wanted)])));
}
