// What stays open where a bundle is active, and what a release in its place would close.
import { expect, test } from "vitest";
import type { Scope } from "../scope.ts";
import type { KernelVersion } from "./kernel-version.ts";
import { type ActiveFunction, closedBy, openIn } from "./open.ts";
import { knownOf, ofBundle, ofKernel } from "./testing/documents.ts";

const tag = (digit: string) => `kfn1:${digit.repeat(64)}`;
const KERNEL: KernelVersion = { upstream: "6.1.170", why: null };
const GRO: ActiveFunction = {
	bundle: "gro",
	version: "1.0.0",
	function: "gro",
	scope: "netns:root" as Scope,
	tag: tag("0"),
	config: {},
};
const NOWHERE = { ...GRO, scope: "none" as Scope };
const ids = (known: ReturnType<typeof knownOf>, ...active: ActiveFunction[]) =>
	openIn(known, KERNEL, active).map(({ id }) => id);

test("what is open in two places is named once; attached nowhere, no kernel code is in its place", () => {
	const known = knownOf(ofBundle("x_A-1", ["0", { fixed: "1.0.1" }]), ofKernel("x_K-1", "kernel-code"));
	expect(ids(known, GRO, { ...GRO, scope: "netns:/run/netns/blue" as Scope })).toEqual(["x_A-1", "x_K-1"]);
	expect(ids(known, NOWHERE)).toEqual(["x_A-1"]);
	expect(ids(known)).toEqual([]);
});

test("a release closes what does not match it, and nothing where it is vulnerable itself", () => {
	const first = ofBundle("x_A-1", ["0", { fixed: "1.0.1" }]);
	const closes = (known: ReturnType<typeof knownOf>, version: string, tagged = tag("0")) =>
		closedBy(known, KERNEL, [GRO], { version, tag: tagged });
	expect(closes(knownOf(first), "1.0.1")).toEqual(["x_A-1"]);
	expect(closes(knownOf(first), "1.0.0")).toEqual([]);
	// The attack: 1.0.1 is called fixed, and another advisory lists its tag.
	const both = knownOf(first, ofBundle("x_A-2", null, { tags: [tag("f")] }));
	expect(closes(both, "1.0.1", tag("f"))).toEqual([]);
	expect(closes(both, "1.0.1")).toEqual(["x_A-1"]);
});
