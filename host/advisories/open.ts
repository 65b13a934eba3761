// Which advisories a bundle leaves open where it is active, and which a release in its place would close. Refuses nothing; judge.ts decides.
import type { ListedFunction } from "../list.ts";
import { advisoriesFor, type OpenAdvisory, openAdvisories } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";

/** A line of what is active. */
export type ActiveFunction = Pick<
	ListedFunction,
	"bundle" | "version" | "function" | "scope" | "tag" | "config"
>;

/** What is open in any of these places; one id once, by id. */
export function openIn(
	known: Known,
	kernel: KernelVersion,
	active: readonly ActiveFunction[],
): OpenAdvisory[] {
	const open = active.flatMap((entry) => openAt(known, kernel, entry));
	return [...new Map(open.map((advisory) => [advisory.id, advisory])).values()].sort((a, b) =>
		a.id < b.id ? -1 : 1,
	);
}

/**
 * Ids of what {@link openIn} finds, and does not find with this release in the same places and with the same parameters. None where the
 * release is vulnerable itself: whatever it closes, it is no fix.
 */
export function closedBy(
	known: Known,
	kernel: KernelVersion,
	active: readonly ActiveFunction[],
	{ version, tag }: { readonly version: string; readonly tag: string },
): string[] {
	const places = active.map((entry) => ({ ...entry, version, tag }));
	const left = openIn(known, kernel, places);
	if (left.some(({ kind }) => kind === "bundle")) return [];
	const open = openIn(known, kernel, active).map(({ id }) => id);
	return open.filter((id) => !left.some((other) => other.id === id));
}

function openAt(known: Known, kernel: KernelVersion, entry: ActiveFunction): OpenAdvisory[] {
	const { bundle, version, tag, config, scope, function: name } = entry;
	const carrier = { name: bundle, version, tag, config };
	// Attached nowhere, it takes the place of no kernel code.
	if (scope === "none") return advisoriesFor(known, carrier);
	return openAdvisories(known, { function: name, bundle: carrier }, kernel);
}
