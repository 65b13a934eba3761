// kfn audit: what of this host is exposed to which advisories, and what fixes it. Changes nothing but what the host remembers of
// advisories. Refuses to let a registry that cannot be asked, or that lies, pass for one that has nothing to say.

import { type AuditSubject, audit as auditHost } from "#host/advisories/audit.ts";
import { type Release, smallestFix } from "#host/advisories/fix.ts";
import { type KernelVersion, kernelVersion } from "#host/advisories/kernel-version.ts";
import { type Known, readKnown } from "#host/advisories/known.ts";
import { codeOf } from "#host/errors.ts";
import type { Host } from "#host/host.ts";
import { advertised } from "#host/offload/advertised.ts";
import { readRevoked, revokedBy } from "#host/recall/revoked.ts";
import { trustStatus } from "#host/trust-state/report.ts";
import type { Advisory } from "#signing/advisory.ts";
import { learnAdvisories } from "../client/advisories.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { describeError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import {
	type AuditedAdvisory,
	type AuditReport,
	auditText,
	exitOf,
	type RegistryAnswer,
} from "../output/audit.ts";
import { sarifLog } from "../output/sarif.ts";

export interface AuditInput {
	readonly registry: string | undefined;
	/** Ask nobody: judge by what the host remembers. */
	readonly offline: boolean;
	readonly sarif: boolean;
}

/** Exit codes of {@link exitOf}. */
export async function audit(context: Context, input: AuditInput): Promise<Output> {
	const host = openContextHost(context);
	const asked = await ask(context, host, input);
	const report = await reportOf(host, asked);
	const exit = exitOf(report);
	const text = input.sarif ? JSON.stringify(sarifLog(report, context.version), null, 2) : auditText(report);
	return { json: report, text, exit };
}

interface Asked {
	readonly known: Known;
	readonly source: Source | undefined;
	readonly registry: RegistryAnswer;
}

/** What is remembered counts whatever happens here. */
async function ask(context: Context, host: Host, { registry, offline }: AuditInput): Promise<Asked> {
	if (offline) return { known: readKnown(host), source: undefined, registry: offlineAnswer(host) };
	try {
		const source = await openTrustedSource(context, registry);
		context.onStep({ step: "reading advisories", detail: source.description });
		const known = await learnAdvisories(host, source);
		return { known, source, registry: { asked: true, error: null } };
	} catch (error) {
		if (context.signal.aborted || codeOf(error) === "HOST_STATE_MALFORMED") throw error;
		const { document, exit } = describeError(error);
		const { code, message } = document.error;
		return {
			known: readKnown(host),
			source: undefined,
			registry: { asked: false, error: { code, message, exit } },
		};
	}
}

/** What was verified of the registry has an end: after it, nobody knows what has been said since. */
function offlineAnswer(host: Host): RegistryAnswer {
	const { state, freshUntil, problem } = trustStatus(host);
	if (state === "fresh" || state === "suspended") return { asked: false, error: null };
	const { code, message } = problem ?? {
		code: state === "unpinned" ? "HOST_TRUST_NO_ROOT" : "TRUST_EXPIRED",
		message:
			freshUntil === null
				? "this host has never read a registry's advisories"
				: `what this host verified of its registry was fresh until ${freshUntil}`,
	};
	return { asked: false, error: { code, message, exit: 3 } };
}

async function reportOf(host: Host, { known, source, registry }: Asked): Promise<AuditReport> {
	const kernel = kernelVersion(host);
	const { devices, problem } = await advertised(host);
	const { subjects, unseen } = await auditHost(host, known, kernel, devices);
	const releases = await releasesFor(host, source, known, subjects);
	const audited = subjects.map((subject) => {
		const { where, now, function: name, scope, device, bundle, version, tag, held } = subject;
		const shown = { where, now, function: name, scope, device, bundle, version, tag, held };
		return { ...shown, advisories: withFixes(known, kernel, subject, releases) };
	});
	return {
		exposed: audited.some(({ now, advisories }) => now && advisories.length > 0),
		kernel: { release: host.kernel, upstream: kernel.upstream, why: kernel.why },
		registry,
		notices: known.flatMap(({ notices }) => notices),
		unseen: unseen === null ? null : { code: unseen.code, message: unseen.message },
		devicesUnseen: problem,
		subjects: audited,
	};
}

type Releases = ReadonlyMap<string, readonly Release[]>;

/** The indexes of every bundle that could be a fix, without what was revoked; of one that the registry does not have, nothing. */
async function releasesFor(
	host: Host,
	source: Source | undefined,
	known: Known,
	subjects: readonly AuditSubject[],
): Promise<Releases> {
	const releases = new Map<string, readonly Release[]>();
	if (source === undefined) return releases;
	const exposed = subjects.filter(({ advisories }) => advisories.length > 0);
	const open = new Set(exposed.flatMap(({ advisories }) => advisories.map(({ id }) => id)));
	const names = [
		...exposed.flatMap(({ bundle }) => (bundle === null ? [] : [bundle])),
		...allOf(known).flatMap(({ id, fixedBy }) => (open.has(id) ? fixedBy.map(({ bundle }) => bundle) : [])),
	];
	for (const name of new Set(names)) {
		try {
			const { versions } = await source.index(name);
			const revoked = readRevoked(host);
			releases.set(
				name,
				versions.filter((release) => revokedBy(revoked, { name, ...release }) === undefined),
			);
		} catch (error) {
			if (codeOf(error) !== "TRUST_NO_TARGET") throw error;
		}
	}
	return releases;
}

function withFixes(
	known: Known,
	kernel: KernelVersion,
	subject: AuditSubject,
	releases: Releases,
): AuditedAdvisory[] {
	const { function: name, bundle, version, tag, config } = subject;
	const carrier = tag === null ? null : { name: bundle, version, tag, config: config ?? {} };
	const provider = { function: name, bundle: carrier };
	return subject.advisories.map((open) => {
		const advisory = allOf(known).find(({ id, names }) => id === open.id && names.includes(open.name));
		const fix =
			advisory && smallestFix(known, kernel, { provider, advisory }, (of) => releases.get(of) ?? []);
		return { ...open, fix: fix ?? null };
	});
}

function allOf(known: Known): Advisory[] {
	return known.flatMap(({ advisories }) => advisories.map(({ advisory }) => advisory));
}
