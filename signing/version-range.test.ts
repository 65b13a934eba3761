// Ranges of versions: bounded, in one spelling, judged by order alone.
import { compare } from "semver";
import { describe, expect, test } from "vitest";
import {
	isBelowRange,
	normalVersionRange,
	parseVersionRange,
	rangeHolds,
	type VersionRange,
} from "./version-range.ts";

const VERSIONS = [
	"0.9.0",
	"1.0.0-rc.1",
	"1.0.0",
	"1.0.1-rc.1",
	"1.0.1",
	"1.0.2",
	"1.1.0-0",
	"1.1.0",
	"2.0.0",
];
const held = (range: string) => VERSIONS.filter((version) => rangeHolds(range as VersionRange, version));

test.each([
	["1.0.1", ["1.0.1"]],
	[">=1.0.0 <1.0.1", ["1.0.0", "1.0.1-rc.1"]],
	[">1.0.0 <=1.0.1", ["1.0.1-rc.1", "1.0.1"]],
	[">=1.0.0-rc.1 <=1.0.0-rc.1", ["1.0.0-rc.1"]],
	["0.9.0||>=1.0.2 <2.0.0", ["0.9.0", "1.0.2", "1.1.0-0", "1.1.0"]],
])("%s holds %j", (range, versions) => {
	expect(parseVersionRange(range)).toBe(range);
	expect(held(range)).toEqual(versions);
});

test("lower than a range is lower than every version in it, or than every one that could be", () => {
	for (const range of [
		"1.0.1",
		">=1.0.0 <1.0.1",
		">1.0.0 <=1.0.1",
		"0.9.0||>=1.0.2 <2.0.0",
		"1.0.1||1.0.0",
	]) {
		for (const version of VERSIONS) {
			const below = isBelowRange(version, range as VersionRange);
			if (below) for (const other of held(range)) expect(compare(version, other)).toBe(-1);
			if (rangeHolds(range as VersionRange, version)) expect(below).toBe(false);
		}
	}
	expect(isBelowRange("1.0.0", ">1.0.0 <2.0.0" as VersionRange)).toBe(true);
	expect(isBelowRange("1.0.0", ">=1.0.0 <2.0.0" as VersionRange)).toBe(false);
	expect(isBelowRange("1.0.0-rc.1", ">=1.0.0 <2.0.0" as VersionRange)).toBe(true);
	expect(isBelowRange("3.0.0", ">=1.0.0 <2.0.0" as VersionRange)).toBe(false);
});

describe("no range", () => {
	test.each([
		["open above", ">=1.0.1"],
		["open below", "<1.0.1"],
		["everything", "*"],
		["empty", ""],
		["no version fits", ">=1.0.1 <1.0.1"],
		["no version fits, exclusive below", ">1.0.1 <=1.0.1"],
		["the ends swapped", "<1.0.2 >=1.0.1"],
		["ends of the wrong order", ">=1.0.2 <1.0.1"],
		["one open alternative", "1.0.1||>=2.0.0"],
		["an empty alternative", "1.0.1||"],
		["blanks around an alternative", "1.0.1 || 1.0.2"],
		["two blanks", ">=1.0.1  <1.0.2"],
		["a shorthand", "^1.0.1"],
		["another spelling of a version", ">=1.0 <2.0.0"],
		["a leading v", "v1.0.1"],
		["build metadata", "1.0.1+build"],
		["more than 16 alternatives", Array.from({ length: 17 }, (_, i) => `1.0.${i}`).join("||")],
		["a version of more than 64 characters", `1.0.0-${"a".repeat(59)}`],
		[
			"more than 256 characters",
			Array.from({ length: 5 }, (_, i) => `1.0.${i}-${"a".repeat(50)}`).join("||"),
		],
	])("%s", (_what, text) => {
		expect(parseVersionRange(text)).toBeUndefined();
	});
});

test.each([
	["^1.0.1", ">=1.0.1 <2.0.0-0"],
	["1.0.x", ">=1.0.0 <1.1.0-0"],
	["1.0.1 - 1.0.3", ">=1.0.1 <=1.0.3"],
	["1.0.1 || 1.0.2", "1.0.1||1.0.2"],
	["=1.0.1", "1.0.1"],
	[">=1.0.1", undefined],
	["*", undefined],
	["no range", undefined],
])("as people type it: %s", (typed, range) => {
	expect(normalVersionRange(typed)).toBe(range);
});
