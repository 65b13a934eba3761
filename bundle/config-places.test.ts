import { expect, test } from "vitest";
import { assembleBundle } from "./bundle.ts";
import { checkConfigPlaces, configPlaces } from "./config-places.ts";
import { compileObject, sampleInput, samplePackage } from "./testing/sample.ts";

const PARAMETERS = {
	depth: { type: "u32", default: 1, summary: "x" },
	ports: { type: "u16-list", default: [], summary: "x" },
};

/** C that reads these elements of `ports` and adds them up. */
function reading(elements: readonly number[]): (text: string) => string {
	const place = (parameter: number, element: number, initial: number) =>
		`({ unsigned long long v; __asm__("%0 = %1 ll" : "=r"(v) : "i"(0x6b66ull << 48 | ${parameter}ull << 40 | ${element}ull << 32 | ${initial}ull)); (unsigned)v; })`;
	const sum = [place(0, 0, 1), ...elements.map((element) => place(1, element, 0x10000))].join(" + ");
	return (text) => text.replace("= keys->nhoff;", `= keys->nhoff + ${sum};`);
}

/** A bundle of one variant for each list of elements. */
function bundleWith(...variants: readonly (readonly number[])[]) {
	const { units } = samplePackage() as { units: Record<string, unknown>[] };
	const input = sampleInput({
		source: reading(variants[0]!),
		package: {
			config: PARAMETERS,
			units: variants.map((_, i) => ({ ...units[0], variant: `v${i}`, object: `obj/v${i}.bpf.o` })),
		},
	});
	const source = Buffer.from(input.files.get("src/sample.bpf.c")!).toString();
	input.files.delete("obj/sample.bpf.o");
	for (const [i, elements] of variants.entries()) {
		const text =
			i === 0 ? source : reading(elements)(source.replace(/= keys->nhoff \+ .*;/, "= keys->nhoff;"));
		input.files.set(`obj/v${i}.bpf.o`, compileObject(text));
	}
	return assembleBundle(input);
}

test("a list takes as many elements as every variant has places for", () => {
	expect([...configPlaces(bundleWith([0, 1, 2], [0, 1]))]).toEqual([["ports", 2]]);
});

test("places behind a gap do not count: their elements would never be seen", () => {
	expect([...configPlaces(bundleWith([0, 2, 3]))]).toEqual([["ports", 1]]);
});

test("the refusal names parameter and limit", () => {
	const bundle = bundleWith([0]);
	checkConfigPlaces(bundle, { depth: 1, ports: [4789] });
	checkConfigPlaces(bundle, { depth: 1, ports: [] });
	expect(() => checkConfigPlaces(bundle, { depth: 1, ports: [4789, 8472] })).toThrow(
		expect.objectContaining({
			code: "BUNDLE_CONFIG_TOO_MANY",
			message: "ports has 2 elements, and sample 1.0.0 takes at most 1",
			hint: "give ports at most 1 element",
		}),
	);
});
