// The smallest release that fixes: looked for among what is published, by what no advisory matches; lies about fixes are attacks.
import { describe, expect, test } from "vitest";
import { type Release, smallestFix } from "./fix.ts";
import type { Provider } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";
import { knownOf, ofBundle, ofKernel } from "./testing/documents.ts";

const tag = (digit: string) => `kfn1:${digit.repeat(64)}`;
const KERNEL: KernelVersion = { upstream: "6.1.170", why: null };
/** Each of a source of its own, none of them that of what runs. */
const ofVersion = (version: string) => `kfn1:${Buffer.from(version).toString("hex").padEnd(64, "a")}`;
const release = (version: string, tagged = ofVersion(version), yanked: unknown = null): Release => ({
	version,
	tag: tagged,
	yanked,
});
const RELEASES = ["1.0.0", "1.0.1", "1.0.2", "1.1.0-rc.1", "1.1.0"].map((version) => release(version));
const gro = (version: string, config = {}): Provider => ({
	function: "gro",
	bundle: { name: "gro", version, tag: tag("0"), config },
});
const KERNEL_CODE: Provider = { function: "gro", bundle: null };

function fix(known: Known, provider: Provider, releases: readonly Release[] = RELEASES, id = "x_A-1") {
	const advisory = known
		.flatMap((list) => list.advisories)
		.find((entry) => entry.advisory.id === id)!.advisory;
	const found = smallestFix(known, KERNEL, { provider, advisory }, (name) =>
		name === "gro" ? releases : [],
	);
	return found && [found.version, found.set];
}

describe("of a bundle", () => {
	test("the next version that is in no range, not the newest", () => {
		expect(fix(knownOf(ofBundle("x_A-1", ["0", { fixed: "1.0.1" }])), gro("1.0.0"))).toEqual(["1.0.1", {}]);
		expect(fix(knownOf(ofBundle("x_A-1", ["0", { last_affected: "1.0.2" }])), gro("1.0.0"))).toEqual([
			"1.1.0",
			{},
		]);
		expect(fix(knownOf(ofBundle("x_A-1", ["0"])), gro("1.0.0"))).toBeUndefined();
	});

	test("what was yanked fixes nothing, and neither does what is lower", () => {
		const known = knownOf(ofBundle("x_A-1", ["1.0.0", { fixed: "1.0.1" }]));
		const yanked = [release("0.9.0"), release("1.0.0"), release("1.0.1", tag("1"), { at: "", reason: "" })];
		expect(fix(known, gro("1.0.0"), yanked)).toBeUndefined();
		expect(fix(known, gro("1.0.0"), [...yanked, release("1.0.2")])).toEqual(["1.0.2", {}]);
	});
});

describe("of the kernel's own code", () => {
	const fixedBy = [{ bundle: "gro", from: "1.0.1", config: { patch: ["a"] } }];
	const known = knownOf(ofKernel("x_A-1", "kernel-code", { fixedBy }));

	test("a bundle in its place, with its parameter beside those that are set", () => {
		expect(fix(known, KERNEL_CODE)).toEqual(["1.0.1", { patch: ["a"] }]);
		expect(fix(known, gro("1.0.0", { patch: ["b"] }))).toEqual(["1.0.1", { patch: ["b", "a"] }]);
		expect(fix(known, gro("1.0.2"))).toEqual(["1.0.2", { patch: ["a"] }]);
	});

	test("that only a kernel can fix has none", () => {
		expect(fix(knownOf(ofKernel("x_A-1", "kernel-only")), KERNEL_CODE)).toBeUndefined();
	});
});

describe("attacks: an advisory that lies about what fixes it", () => {
	test("1.0.1 is called fixed, and its own tag is listed by another", () => {
		const releases = [release("1.0.0"), release("1.0.1", tag("f")), release("1.0.2")];
		const known = knownOf(
			ofBundle("x_A-1", ["0", { fixed: "1.0.1" }]),
			ofBundle("x_A-2", null, { tags: [tag("f")] }),
		);
		expect(fix(known, gro("1.0.0"), releases)).toEqual(["1.0.2", {}]);
	});

	test("1.0.1 is called fixed, and has the source of what runs", () => {
		const releases = [release("1.0.0", tag("0")), release("1.0.1", tag("0")), release("1.0.2")];
		const known = knownOf(ofBundle("x_A-1", ["0", { fixed: "1.0.1" }]));
		expect(fix(known, gro("1.0.0"), releases)).toEqual(["1.0.2", {}]);
	});

	test("it is called fixed by a version that does not exist, or by a lower one", () => {
		const known = knownOf(ofBundle("x_A-1", ["1.0.0", { fixed: "9.9.9" }]));
		expect(fix(known, gro("1.0.0"))).toBeUndefined();
		const lower = knownOf(ofBundle("x_A-1", ["1.0.1", { last_affected: "9.9.9" }]));
		expect(fix(lower, gro("1.0.1"))).toBeUndefined();
		const never = [{ bundle: "gro", from: "9.9.9", config: {} }];
		expect(fix(knownOf(ofKernel("x_A-1", "kernel-code", { fixedBy: never })), KERNEL_CODE)).toBeUndefined();
	});

	test("the kernel's code is called fixed by a bundle that is vulnerable itself", () => {
		const fixedBy = [{ bundle: "gro", from: "1.0.1", config: {} }];
		const known = knownOf(
			ofKernel("x_A-1", "kernel-code", { fixedBy }),
			ofBundle("x_A-2", ["0", { last_affected: "1.0.2" }]),
		);
		expect(fix(known, KERNEL_CODE)).toEqual(["1.1.0", {}]);
	});
});
