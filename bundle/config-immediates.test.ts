import { expect, test } from "vitest";
import type { ConfigParameter } from "./config.ts";
import { configImmediates, configMismatch } from "./config-immediates.ts";

const PORTS: ConfigParameter = { type: "u16-list", default: [4789], summary: "" };
const PATCH: ConfigParameter = { type: "flags", names: ["a", "b", "c"], default: ["a", "c"], summary: "" };
const declared = { patch: PATCH, ports: PORTS };

/** r1 = immediate, as two instruction slots. */
function load(low: number, high: number, source = 0): Buffer {
	const insns = Buffer.alloc(16);
	insns.writeUInt8(0x18, 0);
	insns.writeUInt8((source << 4) | 1, 1);
	insns.writeUInt32LE(low, 4);
	insns.writeUInt32LE(high, 12);
	return insns;
}
const parameter = (index: number, element: number, value: number) =>
	load(value, ((0x6b66 << 16) | (index << 8) | element) >>> 0);
const good = [parameter(0, 0, 0b101), parameter(1, 0, 4789), parameter(1, 1, 0x10000)];

test("the places of parameters are read, and nothing else", () => {
	const program = Buffer.concat([
		load(1, 2),
		parameter(3, 2, 0xffffffff),
		load(7, 0x6b660000, 1),
		Buffer.alloc(8),
	]);
	expect(configImmediates(program)).toEqual([{ parameter: 3, element: 2, value: 0xffffffff }]);
	// The second slot of a load is no instruction, whatever its bytes look like.
	expect(configImmediates(Buffer.concat([load(0, 0x18), Buffer.from("18", "hex")]))).toEqual([]);
});

test("a program with its defaults agrees", () => {
	expect(configMismatch(Buffer.concat(good), declared)).toBeUndefined();
	expect(configMismatch(Buffer.alloc(8), {})).toBeUndefined();
});

test("a program that is not what the manifest says of its parameters", () => {
	const cases: [Buffer[], Record<string, ConfigParameter>, RegExp][] = [
		[[...good, parameter(2, 0, 0)], declared, /parameter 2, which the manifest does not declare/],
		[good, {}, /does not declare/],
		[good.slice(1), declared, /does not use the parameter patch/],
		[[...good.slice(1), parameter(0, 0, 1)], declared, /patch\[0\] is 1 in it, and 5 by/],
		[[...good, parameter(0, 1, 0)], declared, /patch\[1\], which a flags does not have/],
		[[...good, parameter(1, 0, 4790)], declared, /ports\[0\] is 4790/],
		[good, { ...declared, ports: { ...PORTS, default: [4789, 1, 2] } }, /ports\[1\] is 65536 in it, and 1/],
		[
			good.slice(0, 2),
			{ ...declared, ports: { ...PORTS, default: [4789, 1] } },
			/1 places for ports, whose default has 2/,
		],
		[[parameter(0, 0, 0)], { label: { type: "string", default: "", summary: "" } }, /a string does not have/],
	];
	for (const [program, config, what] of cases)
		expect(configMismatch(Buffer.concat(program), config)).toMatch(what);
});
