// Maintenance windows: what a text means, in time zones whose clocks change, and which texts are none.
import { expect, test } from "vitest";
import { isOpen, nextOpening, parseWindow, windowText } from "./window.ts";

const windowOf = (text: string) => parseWindow(text, "UTC")!;
const openAt = (text: string, time: string) => isOpen([windowOf(text)], new Date(time));

test.each([
	["02:00-04:00", "02:00-04:00 UTC"],
	["Mon-Fri 02:00-04:00", "Mon-Fri 02:00-04:00 UTC"],
	["mon..fri 02:00-04:00 Europe/Berlin", "Mon-Fri 02:00-04:00 Europe/Berlin"],
	["Sun,Sat,Wed 00:00-24:00", "Wed,Sat-Sun 00:00-24:00 UTC"],
	["Sat-Mon 22:00-02:00", "Mon,Sat-Sun 22:00-02:00 UTC"],
	["Mon-Sun 02:00-02:30", "02:00-02:30 UTC"],
])("%s is %s, and stays so", (typed, text) => {
	expect(windowText(windowOf(typed))).toBe(text);
	expect(windowText(parseWindow(text, undefined)!)).toBe(text);
});

test.each([
	"",
	"02:00",
	"2:00-4:00",
	"02:00-04:60",
	"24:00-04:00",
	"02:00-24:30",
	"02:00-02:29",
	"02:00-04:00 Nowhere/AtAll",
	"Mo 02:00-04:00",
	"Mon-Wed-Fri 02:00-04:00",
	", 02:00-04:00",
	"02:00-04:00 UTC UTC",
	"02:00-04:00\nUTC",
])("%j is no window", (text) => expect(parseWindow(text, "UTC")).toBeUndefined());

test("without a zone in the text or from the caller there is none", () =>
	expect(parseWindow("02:00-04:00", undefined)).toBeUndefined());

test("open from its first minute until before its last, on its days", () => {
	const text = "Mon-Fri 02:00-04:00";
	// 2026-11-23 is a Monday.
	expect(openAt(text, "2026-11-23T01:59:59Z")).toBe(false);
	expect(openAt(text, "2026-11-23T02:00:00Z")).toBe(true);
	expect(openAt(text, "2026-11-23T03:59:59Z")).toBe(true);
	expect(openAt(text, "2026-11-23T04:00:00Z")).toBe(false);
	expect(openAt(text, "2026-11-22T03:00:00Z")).toBe(false);
	expect(openAt("00:00-24:00", "2026-11-22T23:59:59Z")).toBe(true);
});

test("past midnight it belongs to the day on which it began", () => {
	const text = "Fri 22:00-05:00";
	expect(openAt(text, "2026-11-27T22:00:00Z")).toBe(true);
	expect(openAt(text, "2026-11-28T04:59:00Z")).toBe(true);
	expect(openAt(text, "2026-11-27T04:59:00Z")).toBe(false);
	expect(openAt(text, "2026-11-28T22:00:00Z")).toBe(false);
});

test("it goes by the clocks of its zone, summer and winter", () => {
	const text = "02:00-04:00 Europe/Berlin";
	expect(openAt(text, "2026-07-01T00:30:00Z")).toBe(true);
	expect(openAt(text, "2026-07-01T02:30:00Z")).toBe(false);
	expect(openAt(text, "2026-12-01T00:30:00Z")).toBe(false);
	expect(openAt(text, "2026-12-01T02:30:00Z")).toBe(true);
	// The night in which 02:00 to 03:00 does not exist there: what is left of the window.
	expect(nextOpening([windowOf(text)], new Date("2026-03-29T00:00:00Z"))).toEqual(
		new Date("2026-03-29T01:00:00Z"),
	);
});

test("several windows open together, none is always, and the next opening is told", () => {
	const two = [windowOf("Mon 02:00-04:00"), windowOf("Thu 12:00-13:00")];
	const from = (time: string) => nextOpening(two, new Date(time)).toISOString();
	expect(from("2026-11-23T02:30:01.500Z")).toBe("2026-11-23T02:30:01.500Z");
	expect(from("2026-11-23T04:00:00Z")).toBe("2026-11-26T12:00:00.000Z");
	expect(from("2026-11-26T13:00:00.001Z")).toBe("2026-11-30T02:00:00.000Z");
	expect(isOpen([], new Date())).toBe(true);
});
