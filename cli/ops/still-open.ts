// What is still open after a security upgrade, and why: as `kfn audit` sees it, joined with what was tried. Refuses to drop anything
// that the audit finds on what runs now.

import { formatConfigWords } from "#bundle/config-text.ts";
import { type AuditSubject, audit } from "#host/advisories/audit.ts";
import type { OpenAdvisory } from "#host/advisories/judge.ts";
import type { KernelVersion } from "#host/advisories/kernel-version.ts";
import type { Known } from "#host/advisories/known.ts";
import type { Candidate, SecurityStep } from "#host/advisories/step.ts";
import type { Host } from "#host/host.ts";
import type { PlanFunction } from "#host/plan.ts";
import type { ErrorDocument } from "../errors.ts";
import type { StillOpen } from "../output/security.ts";

/** What came of one function. */
export interface Outcome {
	readonly entry: PlanFunction;
	readonly step: SecurityStep<Candidate> | undefined;
	readonly error: ErrorDocument["error"] | undefined;
}

type Reason = Pick<StillOpen, "why" | "message" | "command">;

export async function stillOpen(
	host: Host,
	{
		known,
		kernel,
		outcomes,
		dryRun,
	}: { known: Known; kernel: KernelVersion; outcomes: readonly Outcome[]; dryRun: boolean },
): Promise<StillOpen[]> {
	const { subjects } = await audit(host, known, kernel, []);
	return subjects
		.filter(({ now }) => now)
		.flatMap((subject) =>
			subject.advisories.map((open) => ({
				id: open.id,
				aliases: open.aliases,
				summary: open.summary,
				function: subject.function,
				bundle: subject.bundle,
				version: subject.version,
				scope: subject.scope,
				...reasonOf(subject, open, { known, outcomes, dryRun }),
			})),
		);
}

function reasonOf(
	subject: AuditSubject,
	open: OpenAdvisory,
	{ known, outcomes, dryRun }: { known: Known; outcomes: readonly Outcome[]; dryRun: boolean },
): Reason {
	if (open.kind === "kernel-only") {
		const message = "no bundle can patch it: it takes a kernel in which it is fixed";
		return { why: "kernel-only", message, command: null };
	}
	if (subject.bundle === null) return notInPlace(known, open);
	const outcome = outcomes.find(
		({ entry, step }) =>
			entry.bundle.name === subject.bundle &&
			(entry.bundle.version === subject.version || step?.take?.release.version === subject.version),
	);
	if (outcome === undefined)
		return {
			why: "not-asked",
			message: "it was not asked for",
			command: `kfn upgrade --security ${subject.bundle}`,
		};
	return tried(subject.bundle, open, outcome, dryRun);
}

function tried(name: string, open: OpenAdvisory, { step, error }: Outcome, dryRun: boolean): Reason {
	if (error !== undefined)
		return { why: "failed", message: `the upgrade failed: ${error.message} [${error.code}]`, command: null };
	if (dryRun && step?.take?.closes.includes(open.id))
		return { why: "dry-run", message: "the step above closes it", command: `kfn upgrade --security ${name}` };
	const { withParameters, skipped = [] } = step ?? {};
	if (withParameters?.closes.includes(open.id)) {
		const words = formatConfigWords(withParameters.set).join(" and ");
		const message = `${withParameters.release.version} with ${words} closes it, and parameters are not set unless that is allowed`;
		return { why: "parameters", message, command: `kfn upgrade --security ${name} --parameters` };
	}
	const [first] = skipped;
	if (first === undefined) return { why: "no-fix", message: "no published version closes it", command: null };
	return {
		why: first.why,
		message: `not taken: ${skipped.map(({ message }) => message).join("; ")}`,
		command: null,
	};
}

function notInPlace(known: Known, open: OpenAdvisory): Reason {
	const advisories = known.flatMap((list) => list.advisories.map(({ advisory }) => advisory));
	const fix = advisories.find(({ id }) => id === open.id)?.fixedBy[0];
	const message = "the kernel's own code runs, and no bundle in its place";
	if (fix === undefined) return { why: "not-in-place", message, command: null };
	const set = formatConfigWords(fix.config as Parameters<typeof formatConfigWords>[0]).map(
		(word) => ` --set ${word}`,
	);
	return { why: "not-in-place", message, command: `kfn install ${fix.bundle} --scope SCOPE${set.join("")}` };
}
