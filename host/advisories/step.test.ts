// The smallest step that closes what is open; the attacks are advisories that lie about what fixes them.
import { describe, expect, test } from "vitest";
import type { Config } from "#bundle/config.ts";
import { newAdvisory, unverifiedAdvisory } from "#signing/advisory.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";
import { type Candidate, type StepQuestion, securityStep } from "./step.ts";

const tag = (text: string) => `kfn1:${Buffer.from(text.padEnd(32, ".")).toString("hex")}`;
const AFFECTED: KernelVersion = { upstream: "6.1.170", why: null };
const FIXED: KernelVersion = { upstream: "6.1.175", why: null };

function document(id: string, kind: string, affected: unknown, fixedBy: unknown[] = []) {
	return {
		schema_version: "1.7.5",
		id,
		modified: "2026-11-29T12:00:00Z",
		published: "2026-11-29T12:00:00Z",
		summary: id,
		affected: [affected],
		database_specific: { kfn: { schema: "kfn.advisory/1", kind, names: ["gro"], fixedBy } },
	};
}
const range = (type: string, introduced: string, fixed?: string) => ({
	type,
	events: [{ introduced }, ...(fixed === undefined ? [] : [{ fixed }])],
});
const ofBundle = (id: string, introduced: string, fixed?: string, tags: string[] = []) =>
	document(id, "bundle", {
		ranges: [range("SEMVER", introduced, fixed)],
		database_specific: { kfn: { bundle: "gro", function: "gro", abi: 1, tags } },
	});
const ofKernel = (id: string, kind: string, fixedBy: unknown[] = []) =>
	document(
		id,
		kind,
		{
			package: { ecosystem: "Linux", name: "Kernel" },
			ranges: [range("ECOSYSTEM", "6.0", "6.1.175")],
			database_specific: { kfn: { function: "gro" } },
		},
		fixedBy,
	);

function known(...documents: ReturnType<typeof document>[]): Known {
	const advisories = documents.map((each) => {
		const envelope = newAdvisory(each);
		return { envelope, advisory: unverifiedAdvisory(envelope) };
	});
	return [{ name: "gro", since: "2026-11-29T12:00:00.000Z", notices: [], advisories }];
}

const release = (version: string, changes: Partial<Candidate> = {}): Candidate => ({
	version,
	tag: tag(version),
	yanked: null,
	...changes,
});
const RELEASES = ["2.0.0-rc.1", "1.0.3", "1.0.2", "1.0.1", "1.0.0", "0.9.0"].map((version) =>
	release(version),
);

function ask(memory: Known, changes: Partial<StepQuestion<Candidate>> & { config?: Config } = {}) {
	const { config = { patch: [] }, ...rest } = changes;
	const bundle = { name: "gro", version: "1.0.0", tag: tag("1.0.0"), config };
	return securityStep<Candidate>({
		known: memory,
		kernel: FIXED,
		running: { function: "gro", bundle },
		releases: RELEASES,
		refuses: () => undefined,
		configOf: async () => config,
		maySet: false,
		...rest,
	});
}

const taken = async (...args: Parameters<typeof ask>) => {
	const { take } = await ask(...args);
	return take && [take.release.version, take.closes, take.set];
};

describe("the smallest step", () => {
	test("is the lowest release above what runs that nothing is known against", async () => {
		expect(await taken(known(ofBundle("x_A-1", "0", "1.0.1")))).toEqual(["1.0.1", ["x_A-1"], {}]);
		const two = known(ofBundle("x_A-1", "0", "1.0.1"), ofBundle("x_A-2", "1.0.1", "1.0.2"));
		expect(await taken(two)).toEqual(["1.0.2", ["x_A-1"], {}]);
		expect((await ask(two)).skipped).toEqual([
			{ version: "1.0.1", why: "affected", message: "1.0.1 is affected by x_A-2 itself" },
		]);
	});

	test("is none where nothing is open, where nothing closes it, and where only a kernel can", async () => {
		expect(await ask(known(ofBundle("x_A-1", "2.0.0")))).toMatchObject({ open: [], take: undefined });
		expect(await ask(known(ofBundle("x_A-1", "0")))).toMatchObject({
			open: [{ id: "x_A-1" }],
			take: undefined,
		});
		const hook = known(ofKernel("x_K-1", "kernel-only"));
		expect(await ask(hook, { kernel: AFFECTED })).toMatchObject({
			open: [{ id: "x_K-1" }],
			take: undefined,
			skipped: [],
		});
	});

	test("where none closes everything, the one that closes most, and nothing that opens something new", async () => {
		const memory = known(ofBundle("x_A-1", "0", "1.0.2"), ofBundle("x_A-2", "0"), ofBundle("x_A-3", "1.0.3"));
		expect(await taken(memory)).toEqual(["1.0.2", ["x_A-1"], {}]);
	});

	test("goes past what the host does not take, and says why", async () => {
		const memory = known(ofBundle("x_A-1", "0", "1.0.1"));
		const refuses: StepQuestion<Candidate>["refuses"] = ({ version }) =>
			version === "1.0.1" ? { why: "yanked", message: "1.0.1 was yanked" } : undefined;
		expect(await taken(memory, { refuses })).toEqual(["1.0.2", ["x_A-1"], {}]);
		expect((await ask(memory, { refuses })).skipped).toMatchObject([{ version: "1.0.1", why: "yanked" }]);
	});

	test("looks into no more releases than it must", async () => {
		const looked: string[] = [];
		const configOf = async ({ version }: Candidate) => {
			looked.push(version);
			return { patch: [] };
		};
		await ask(known(ofBundle("x_A-1", "0", "1.0.1")), { configOf });
		expect(new Set(looked)).toEqual(new Set(["1.0.0", "1.0.1"]));
	});
});

describe("parameters", () => {
	const patched = (from: string) => [{ bundle: "gro", from, config: { patch: ["b"] } }];
	const memory = known(ofKernel("x_K-1", "kernel-code", patched("1.0.0")));
	const kernel = AFFECTED;

	test("are set where that is allowed, by themselves or with a release, and lists grow", async () => {
		const config = { patch: ["a"] };
		const may = { kernel, config, maySet: true };
		expect(await taken(memory, may)).toEqual(["1.0.0", ["x_K-1"], { patch: ["a", "b"] }]);
		const later = known(ofKernel("x_K-1", "kernel-code", patched("1.0.1")));
		expect(await taken(later, may)).toEqual(["1.0.1", ["x_K-1"], { patch: ["a", "b"] }]);
	});

	test("are only told where it is not", async () => {
		const { take, withParameters } = await ask(memory, { kernel });
		expect(take).toBeUndefined();
		expect(withParameters).toMatchObject({ release: { version: "1.0.0" }, set: { patch: ["b"] } });
	});

	test("need not be set where a release has them by itself, and cannot be where it has no such parameter", async () => {
		const configOf = async ({ version }: Candidate) => ({ patch: version === "1.0.2" ? ["b"] : [] });
		expect(await taken(memory, { kernel, configOf })).toEqual(["1.0.2", ["x_K-1"], {}]);
		const none = { kernel, config: {}, maySet: true, configOf: async () => ({}) };
		expect(await ask(memory, none)).toMatchObject({ take: undefined, withParameters: undefined });
	});
});

describe("attacks", () => {
	test("an advisory that lies about what fixes it: another lists the fixed version's tag", async () => {
		const memory = known(ofBundle("x_A-1", "0", "1.0.1"), ofBundle("x_A-2", "0", "0.0.1", [tag("1.0.1")]));
		expect(await taken(memory)).toEqual(["1.0.2", ["x_A-1"], {}]);
	});

	test("an advisory that lies about what fixes it: the fixed version is the same source", async () => {
		const releases = [release("1.0.2"), release("1.0.1", { tag: tag("1.0.0") }), release("1.0.0")];
		const memory = known(ofBundle("x_A-1", "0", "1.0.1"));
		expect(await taken(memory, { releases })).toEqual(["1.0.2", ["x_A-1"], {}]);
		expect((await ask(memory, { releases })).skipped).toEqual([
			{
				version: "1.0.1",
				why: "affected",
				message: "1.0.1 is affected by x_A-1 itself, for it has the same source as what runs",
			},
		]);
		expect(await ask(memory, { releases: releases.slice(1) })).toMatchObject({ take: undefined });
	});

	test("an advisory that lies about what fixes it: what takes the kernel code's place is itself affected", async () => {
		const fixedBy = [{ bundle: "gro", from: "1.0.1", config: {} }];
		const memory = known(ofKernel("x_K-1", "kernel-code", fixedBy), ofBundle("x_A-1", "1.0.1", "1.0.3"));
		expect(await taken(memory, { kernel: AFFECTED })).toEqual(["1.0.3", ["x_K-1"], {}]);
	});

	test("an advisory that names a fix which nobody published, or one that was never released", async () => {
		expect(await ask(known(ofBundle("x_A-1", "0", "1.0.9")))).toMatchObject({ take: undefined });
		expect(await ask(known(ofBundle("x_A-1", "0", "2.0.0-rc.1")))).toMatchObject({ take: undefined });
	});
});
