// What is open and what is fixed, by what is affected alone; the attacks are advisories that lie about what fixes them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { advisoriesFor, openAdvisories, type Provider } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";
import { type Document, knownOf as known, ofBundle, ofKernel } from "./testing/documents.ts";

const tag = (digit: string) => `kfn1:${digit.repeat(64)}`;
const AFFECTED: KernelVersion = { upstream: "6.1.170", why: null };
const FIXED: KernelVersion = { upstream: "6.1.175", why: null };
const UNKNOWN: KernelVersion = { upstream: null, why: "5.14.0-427.el9 is a distribution's number" };

const run = (version: string, tagged = tag("0"), config = {}, name = "gro"): Provider => ({
	function: "gro",
	bundle: { name, version, tag: tagged, config },
});
const KERNEL_CODE: Provider = { function: "gro", bundle: null };
const ids = (memory: Known, provider: Provider, kernel: KernelVersion = FIXED) =>
	openAdvisories(memory, provider, kernel).map(({ id, ground }) => `${id} ${ground}`);

describe("a bundle", () => {
	test("is affected in a range, by a listed tag, and no more once that is withdrawn", () => {
		const memory = known(ofBundle("x_A-1", ["1.0.0", { fixed: "1.0.2" }], { tags: [tag("f")] }));
		expect(["0.9.0", "1.0.0", "1.0.2-rc.1", "1.0.2"].map((version) => ids(memory, run(version)))).toEqual([
			[],
			["x_A-1 range"],
			["x_A-1 range"],
			[],
		]);
		expect(ids(memory, run("2.0.0", tag("f")))).toEqual(["x_A-1 tag"]);
		const withdrawn = known(
			ofBundle("x_A-1", ["0"], { tags: [tag("f")], withdrawn: "2026-11-20T12:00:00Z" }),
		);
		expect(ids(withdrawn, run("1.0.0", tag("f")))).toEqual([]);
	});

	test("with the source of another name's vulnerable one is vulnerable, and so is a device that says its tag", () => {
		const memory = known(ofBundle("x_A-1", ["0"], { tags: [tag("f")] }));
		expect(ids(memory, run("7.0.0", tag("f"), {}, "acme-gro"))).toEqual(["x_A-1 tag"]);
		expect(ids(memory, run("1.0.0", tag("0"), {}, "acme-gro"))).toEqual([]);
		expect(advisoriesFor(memory, { name: null, version: null, tag: tag("f") })).toMatchObject([
			{ id: "x_A-1" },
		]);
		expect(advisoriesFor(memory, { name: null, version: null, tag: tag("0") })).toEqual([]);
	});
});

describe("the kernel's own code", () => {
	const memory = known(
		ofKernel("x_K-1", "kernel-code", {
			fixedBy: [{ bundle: "gro", from: "1.0.1", config: { patch: ["a"] } }],
		}),
		ofKernel("x_K-2", "kernel-only"),
	);

	test("is affected by what its version says, and by a version that says nothing", () => {
		expect(ids(memory, KERNEL_CODE, AFFECTED)).toEqual(["x_K-1 kernel", "x_K-2 kernel"]);
		expect(ids(memory, KERNEL_CODE, FIXED)).toEqual([]);
		expect(ids(memory, KERNEL_CODE, UNKNOWN)).toEqual(["x_K-1 unknown", "x_K-2 unknown"]);
		expect(ids(memory, { function: "tso", bundle: null }, AFFECTED)).toEqual([]);
	});

	test("is patched by the bundle, from its version on, with its parameter; what only a kernel fixes is not", () => {
		const patched = { patch: ["b", "a"] };
		expect(ids(memory, run("1.0.1", tag("0"), patched), AFFECTED)).toEqual(["x_K-2 kernel"]);
		expect(ids(memory, run("1.1.0", tag("0"), patched), UNKNOWN)).toEqual(["x_K-2 unknown"]);
		for (const provider of [
			run("1.0.0", tag("0"), patched),
			run("1.0.1-rc.1", tag("0"), patched),
			run("1.0.1", tag("0"), { patch: ["b"] }),
			run("1.0.1"),
			run("1.0.1", tag("0"), patched, "acme-gro"),
		]) {
			expect(ids(memory, provider, AFFECTED)).toEqual(["x_K-1 kernel", "x_K-2 kernel"]);
		}
	});
});

test("the worked example of advisory.md says of each kernel and bundle what the page says", () => {
	const page = readFileSync(join(import.meta.dirname, "../../docs/formats/advisory.md"), "utf8");
	const document = JSON.parse(/```json payload\n(.*?)```/s.exec(page)![1]!) as Document;
	const memory = known(document);
	const dissector = (version: string, config = {}): Provider => ({
		function: "flow-dissector",
		bundle: { name: "flow-dissector", version, tag: tag("0"), config },
	});
	const patched = { patch: ["pppoe-pfc"] };
	const own: Provider = { function: "flow-dissector", bundle: null };
	const open = (provider: Provider, upstream: string) =>
		openAdvisories(memory, provider, { upstream, why: null }).length === 1;
	for (const provider of [own, dissector("1.0.0", patched), dissector("1.0.1")]) {
		expect(open(provider, "6.1.170")).toBe(true);
		expect(open(provider, "6.1.175")).toBe(false);
	}
	expect(open(dissector("1.0.1", patched), "6.1.170")).toBe(false);
	// Each branch has its own fix, and 5.19 did not look into PPPoE yet.
	const branches = [
		"5.19.17",
		"6.0.1",
		"6.5.9",
		"6.6.139",
		"6.6.140",
		"6.12.87",
		"6.12.88",
		"6.18.29",
		"6.18.30",
		"7.0.6",
		"7.0.7",
		"7.1",
	];
	expect(branches.filter((upstream) => open(own, upstream))).toEqual([
		"6.0.1",
		"6.5.9",
		"6.6.139",
		"6.12.87",
		"6.18.29",
		"7.0.6",
	]);
});

describe("attacks", () => {
	test("an advisory that lies about what fixes it: the fixed version has a tag that another lists", () => {
		const memory = known(
			ofBundle("x_A-1", ["0", { fixed: "1.0.1" }]),
			ofBundle("x_A-2", null, { tags: [tag("f")] }),
		);
		expect(ids(memory, run("1.0.0"))).toEqual(["x_A-1 range"]);
		expect(ids(memory, run("1.0.1", tag("f")))).toEqual(["x_A-2 tag"]);
	});

	test("an advisory that lies about what fixes it: the fix of the kernel's code is in a range of its own", () => {
		const memory = known(
			ofKernel("x_K-1", "kernel-code", { fixedBy: [{ bundle: "gro", from: "1.0.1", config: {} }] }),
			ofBundle("x_A-1", ["1.0.1"]),
		);
		expect(ids(memory, run("1.0.1"), AFFECTED)).toEqual(["x_A-1 range"]);
	});

	test("a stranger's advisory with the id of ours, later and withdrawn, hides nothing", () => {
		const memory = known(
			ofBundle("x_A-1", ["0"]),
			ofBundle("x_A-1", ["0"], { names: ["evil"], withdrawn: "2026-11-20T12:00:00Z" }),
		);
		expect(ids(memory, run("1.0.0"))).toEqual(["x_A-1 range"]);
	});

	test("a document for two names counts, under each, for what it says of that name only", () => {
		const memory = known(ofBundle("x_A-1", ["0"], { names: ["evil", "gro"] }));
		expect(ids(memory, run("1.0.0"))).toEqual([]);
		expect(ids(memory, run("1.0.0", tag("0"), {}, "evil"))).toEqual(["x_A-1 range"]);
	});
});
