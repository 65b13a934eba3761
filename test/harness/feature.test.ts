import { afterEach, describe, expect, it, vi } from "vitest";
import { haveRoot, refuseWithoutRoot, requireTools, type Skippable, skipUnless } from "./feature.ts";

class Skipped extends Error {}

const context: Skippable = {
	skip(note) {
		throw new Skipped(note);
	},
};

afterEach(() => {
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
});

describe("skipUnless", () => {
	it("runs the test where the feature is there", () => {
		expect(() => skipUnless(context, { have: "yes", reason: "" })).not.toThrow();
	});
	it("skips with the reason on a proven no", () => {
		vi.stubEnv("KFN_NO_SKIPS", "");
		expect(() => skipUnless(context, { have: "no", reason: "no BTF" })).toThrow(new Skipped("no BTF"));
	});
	it("fails where a skip is forbidden", () => {
		vi.stubEnv("KFN_NO_SKIPS", "1");
		expect(() => skipUnless(context, { have: "no", reason: "no BTF" })).toThrow("must not be skipped here");
	});
	it("fails where the probe could not tell", () => {
		expect(() => skipUnless(context, { have: "unknown", reason: "?" })).toThrow("could not tell");
	});
});

describe("root", () => {
	it("is refused with a clear reason for another uid", () => {
		vi.spyOn(process, "getuid").mockReturnValue(1000);
		expect(haveRoot()).toEqual({ have: "no", reason: expect.stringContaining("this is uid 1000") });
		expect(() => refuseWithoutRoot("a network namespace")).toThrow("a network namespace needs root");
	});
});

describe("requireTools", () => {
	it("names the missing tool and what to do", () => {
		expect(() => requireTools("sh", "no-such-tool")).toThrow(
			"missing tools: no-such-tool; run: npm run setup",
		);
		expect(() => requireTools("sh")).not.toThrow();
	});
});
