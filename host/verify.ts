// Proves that what is stored is what was signed: every file of every bundle that a generation needs, and every signature. Refuses to stop at the first fault.
import { programDigests } from "#bundle/instructions.ts";
import { parseKernelSignatures } from "#signing/kernel/signature-file.ts";
import { publisherFor } from "#signing/publishers.ts";
import { verifyManifest } from "#signing/verify.ts";
import { codeOf, type Details, HostError, withDetails } from "./errors.ts";
import { currentGeneration, generationNumbers, readPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { Plan, PlanFunction } from "./plan.ts";
import { publishersInForce } from "./publishers.ts";
import { openStored } from "./store.ts";

export interface VerifyReport {
	readonly generation: number;
	/** Generations whose plans were read. */
	readonly generations: number;
	readonly bundles: readonly {
		name: string;
		version: string;
		sha256: string;
		files: number;
		active: boolean;
	}[];
}

/** One fault that verifying found. */
export interface VerifyProblem {
	readonly code: string;
	readonly message: string;
	readonly details: Details;
}

/**
 * Verifies every generation's plan and every bundle that one names: digests, then signatures against today's trust.
 *
 * Throws the first fault, with all of them in `details.problems`; a security fault (exit 3) comes before any other.
 * A plan must also say of a bundle what its manifest says: HOST_PLAN_MALFORMED otherwise.
 */
export async function verifyHost(host: Host): Promise<VerifyReport> {
	const problems: unknown[] = [];
	const current = currentGeneration(host);
	const plans = readPlans(host, current, problems);
	const wanted = new Map<string, PlanFunction>();
	for (const plan of plans) for (const entry of plan.functions) wanted.set(entry.bundle.sha256, entry);
	const active =
		plans.find((plan) => plan.generation === current)?.functions.map((e) => e.bundle.sha256) ?? [];
	const bundles: VerifyReport["bundles"][number][] = [];
	for (const entry of wanted.values()) {
		try {
			const files = await verifyBundle(host, entry);
			const { name, version, sha256 } = entry.bundle;
			bundles.push({ name, version, sha256, files, active: active.includes(sha256) });
		} catch (error) {
			problems.push(error);
		}
	}
	if (problems.length > 0) throw worst(problems);
	return { generation: current, generations: plans.length, bundles };
}

function readPlans(host: Host, current: number, problems: unknown[]): Plan[] {
	const numbers = generationNumbers(host).filter((n) => n <= current);
	if (current !== 0 && !numbers.includes(current)) numbers.push(current);
	return numbers.flatMap((n) => {
		try {
			return [readPlan(host, n)];
		} catch (error) {
			problems.push(error);
			return [];
		}
	});
}

async function verifyBundle(host: Host, entry: PlanFunction): Promise<number> {
	const { name, sha256, manifestSha256, version } = entry.bundle;
	const stored = openStored(host, sha256, manifestSha256);
	await verifyManifest(
		stored.manifestBytes,
		stored.signatureBytes,
		publisherFor(publishersInForce(host), name),
	);
	const { manifest } = stored;
	parseKernelSignatures(stored.kernelSignatureBytes, programDigests(manifest));
	const isSame =
		manifest.name === name &&
		manifest.version === version &&
		manifest.tag.value === entry.tag &&
		manifest.function.name === entry.function &&
		manifest.function.abi === entry.abi;
	if (isSame) return manifest.files.length + (stored.kernelSignatureBytes === undefined ? 2 : 3);
	throw new HostError(
		"HOST_PLAN_MALFORMED",
		`a generation describes ${name} ${version} otherwise than its manifest`,
		{
			hint: "kfn did not write this plan; kfn rollback N takes up another generation",
			details: { bundle: entry.bundle },
		},
	);
}

/** The gravest problem as the error to throw, with all of them in its details. */
function worst(problems: readonly unknown[]): unknown {
	const exitOf = (error: unknown) => (error as { exit?: unknown }).exit;
	const first = problems.find((error) => exitOf(error) === 3) ?? problems[0];
	if (problems.some((error) => codeOf(error) === "")) return problems.find((error) => codeOf(error) === "");
	const all: VerifyProblem[] = problems.map((error) => ({
		code: codeOf(error),
		message: (error as Error).message,
		details: (error as { details?: Details }).details ?? {},
	}));
	return withDetails(first, { problems: all });
}
