import { expect, test } from "vitest";
import type { ConfigParameter } from "./config.ts";
import { formatConfigWords, parseConfigWords } from "./config-text.ts";

const declared: Record<string, ConfigParameter> = {
	ports: { type: "u16-list", default: [], summary: "" },
	depth: { type: "u32", default: 1, summary: "" },
	patch: { type: "flags", names: ["a", "b"], default: [], summary: "" },
	label: { type: "string", default: "", summary: "" },
};

test("words are read by the declared types", () => {
	expect(parseConfigWords(declared, ["ports=4789,8472", "depth=7", "patch=a,b", "label=x=y"])).toEqual({
		ports: [4789, 8472],
		depth: 7,
		patch: ["a", "b"],
		label: "x=y",
	});
	expect(parseConfigWords(declared, ["ports=", "patch="])).toEqual({ ports: [], patch: [] });
	expect(parseConfigWords(declared, [])).toEqual({});
});

test("what is written is read again", () => {
	const config = { ports: [4789, 8472], depth: 7, patch: ["a", "b"], label: "x=y" };
	const words = ["ports=4789,8472", "depth=7", "patch=a,b", "label=x=y"];
	expect(formatConfigWords(config)).toEqual(words);
	expect(parseConfigWords(declared, formatConfigWords(config))).toEqual(config);
	expect(formatConfigWords({ ports: [] })).toEqual(["ports="]);
	expect(formatConfigWords({})).toEqual([]);
});

test("what is no word, no parameter, no number or there twice is refused", () => {
	for (const words of [
		["ports"],
		["=1"],
		["other=1"],
		["__proto__=1"],
		["depth=0x7"],
		["depth=07"],
		["depth=-1"],
		["ports=1,"],
		["depth=1", "depth=2"],
	]) {
		expect(() => parseConfigWords(declared, words), words.join(" ")).toThrow(
			expect.objectContaining({ code: "BUNDLE_CONFIG_INVALID" }),
		);
	}
	expect(() => parseConfigWords({}, ["a=1"])).toThrow(
		expect.objectContaining({ hint: "this function has no parameters" }),
	);
});
