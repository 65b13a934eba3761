// OSV documents of every kind, and a memory made of them, for tests. Product code never imports it.
import { newAdvisory, unverifiedAdvisory } from "#signing/advisory.ts";
import type { Known } from "../known.ts";

export type Events = readonly [introduced: string, end?: { fixed: string } | { last_affected: string }];

interface Said {
	readonly names?: readonly string[];
	readonly withdrawn?: string;
	readonly modified?: string;
}

export type Document = ReturnType<typeof document>;

function document(
	id: string,
	kind: string,
	affected: readonly unknown[],
	{
		names = ["gro"],
		withdrawn,
		modified = "2026-11-20T12:00:00Z",
		fixedBy = [],
	}: Said & { fixedBy?: readonly unknown[] },
) {
	return {
		schema_version: "1.7.5",
		id,
		modified,
		published: "2026-11-20T12:00:00Z",
		...(withdrawn === undefined ? {} : { withdrawn }),
		summary: `what ${id} says`,
		affected,
		database_specific: { kfn: { schema: "kfn.advisory/1", kind, names, fixedBy } },
	};
}

const range = (type: string, [introduced, end]: Events) => ({
	type,
	events: [{ introduced }, ...(end === undefined ? [] : [end])],
});

/** Of each of `names`, which are `gro` unless given, these versions and tags. */
export function ofBundle(
	id: string,
	events: Events | null,
	{ tags = [], ...said }: Said & { tags?: readonly string[] } = {},
): Document {
	const entry = (bundle: string) => ({
		...(events === null ? {} : { ranges: [range("SEMVER", events)] }),
		database_specific: { kfn: { bundle, function: "gro", abi: 1, tags } },
	});
	return document(id, "bundle", (said.names ?? ["gro"]).map(entry), said);
}

/** Of a function's code in kernels from 6.0 on and before 6.1.175, unless other events are given. */
export function ofKernel(
	id: string,
	kind: "kernel-code" | "kernel-only",
	said: Said & { function?: string; events?: Events; fixedBy?: readonly unknown[] } = {},
): Document {
	const { function: name = "gro", events = ["6.0", { fixed: "6.1.175" }], ...rest } = said;
	const entry = {
		package: { ecosystem: "Linux", name: "Kernel" },
		ranges: [range("ECOSYSTEM", events)],
		database_specific: { kfn: { function: name } },
	};
	return document(id, kind, [entry], rest);
}

/** A memory in which each document stands under the first of its names. */
export function knownOf(...documents: readonly Document[]): Known {
	const firstName = (each: Document) => each.database_specific.kfn.names[0]!;
	const names = [...new Set(documents.map(firstName))];
	return names.map((name) => ({
		name,
		since: "2026-11-29T12:00:00.000Z",
		notices: [],
		advisories: documents
			.filter((each) => firstName(each) === name)
			.map((each) => {
				const envelope = newAdvisory(each);
				return { envelope, advisory: unverifiedAdvisory(envelope) };
			}),
	}));
}
