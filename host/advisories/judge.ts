// Which advisories something leaves open, by what is affected alone. Refuses to believe that a version fixes anything: what is in a
// range or has a listed tag is affected, whatever another line of any advisory calls it.
import { compare } from "semver";
import type { Config } from "#bundle/config.ts";
import type { Advisory, AdvisoryKind, AffectedBundle, BundleFix, ParameterValue } from "#signing/advisory.ts";
import { compareKernels, spanHolds } from "#signing/osv/span.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known, KnownList } from "./known.ts";

/** A bundle, or a device that says no more than a tag: then name and version are null. */
export interface Carrier {
	readonly name: string | null;
	readonly version: string | null;
	readonly tag: string;
}

/** What provides a function: a bundle with its effective parameters, or, without one, the kernel's own C code. */
export interface Provider {
	readonly function: string;
	readonly bundle: (Carrier & { readonly config: Config }) | null;
}

/** By what it is affected; `unknown`: by what the kernel does not say of itself. */
export type Ground = "range" | "version" | "tag" | "kernel" | "unknown";

export interface OpenAdvisory {
	readonly id: string;
	readonly aliases: readonly string[];
	readonly kind: AdvisoryKind;
	readonly summary: string;
	readonly severity: Advisory["severity"];
	readonly ground: Ground;
	/** Under which bundle name it was published: whose publisher says so. */
	readonly name: string;
}

/** The advisories of the kind `bundle` that a version or source is affected by; one id once, by id. */
export function advisoriesFor(known: Known, carrier: Carrier): OpenAdvisory[] {
	return findings(known, ({ name: spoken }, { bundles }) => {
		// Under a name, its publisher speaks of it alone; what else a document says stands under the other names' lists.
		const own = bundles.filter(({ bundle }) => bundle === spoken);
		for (const entry of own) {
			const ground = groundOf(entry, carrier);
			if (ground !== undefined) return ground;
		}
		return undefined;
	});
}

/**
 * Everything that is open where this provides the function: {@link advisoriesFor} of a bundle, vulnerable kernel code that it does not
 * take the place of, and what only a kernel can fix. A kernel that does not say what it is made of counts as affected.
 */
export function openAdvisories(known: Known, provider: Provider, kernel: KernelVersion): OpenAdvisory[] {
	const { bundle } = provider;
	const ofBundle = bundle === null ? [] : advisoriesFor(known, bundle);
	const ofKernel = findings(known, (_list, { kind, kernels, fixedBy }) => {
		if (kind === "kernel-code" && bundle !== null && fixedBy.some((fix) => takesPlace(fix, bundle)))
			return undefined;
		const entries = kernels.filter((entry) => entry.function === provider.function);
		if (entries.length === 0) return undefined;
		if (kernel.upstream === null) return "unknown";
		const { upstream } = kernel;
		const isAffected = entries.some(
			({ spans, versions }) =>
				spans.some((span) => spanHolds(span, upstream, "kernel")) ||
				versions.some((version) => compareKernels(version, upstream) === 0),
		);
		return isAffected ? "kernel" : undefined;
	});
	return [...ofBundle, ...ofKernel].sort(byId);
}

/** Whether the bundle, run so, is one that the advisory says takes the vulnerable code's place. */
export function takesPlace(
	fix: BundleFix,
	{ name, version, config }: Carrier & { readonly config: Config },
): boolean {
	if (name !== fix.bundle || version === null || compare(version, fix.from) < 0) return false;
	return Object.entries(fix.config).every(([parameter, wanted]) =>
		Object.hasOwn(config, parameter) ? includes(config[parameter]!, wanted) : false,
	);
}

function groundOf(entry: AffectedBundle, { name, version, tag }: Carrier): Ground | undefined {
	// The same source is the same function, whoever packed it and whatever it is called.
	if (entry.tags.includes(tag)) return "tag";
	if (name !== entry.bundle || version === null) return undefined;
	if (entry.versions.includes(version)) return "version";
	return entry.spans.some((span) => spanHolds(span, version, "bundle")) ? "range" : undefined;
}

function includes(value: Config[string], wanted: ParameterValue): boolean {
	if (!Array.isArray(wanted)) return value === wanted;
	const list: readonly (string | number)[] = Array.isArray(value) ? value : [];
	return wanted.every((item) => list.includes(item));
}

/** One id once: where two names' lists differ about it, what is affected by either is affected. */
function findings(
	known: Known,
	judge: (list: KnownList, advisory: Advisory) => Ground | undefined,
): OpenAdvisory[] {
	const found = new Map<string, OpenAdvisory>();
	for (const list of known) {
		for (const { advisory } of list.advisories) {
			const ground = advisory.withdrawn === null ? judge(list, advisory) : undefined;
			if (ground === undefined || found.has(advisory.id)) continue;
			const { id, aliases, kind, summary, severity } = advisory;
			found.set(id, { id, aliases, kind, summary, severity, ground, name: list.name });
		}
	}
	return [...found.values()].sort(byId);
}

function byId(a: OpenAdvisory, b: OpenAdvisory): number {
	return a.id < b.id ? -1 : 1;
}
