// The checked-in vectors are what the oracle says. KFN_UPDATE=1 rewrites them.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { generateVectors, readVectors, vectorsFolder } from "./vectors.ts";

const generated = generateVectors();

if (process.env["KFN_UPDATE"] === "1") {
	for (const name of readdirSync(vectorsFolder)) rmSync(join(vectorsFolder, name));
	for (const [name, text] of generated) writeFileSync(join(vectorsFolder, name), text);
}

describe("flow dissector vectors", () => {
	test.each([...generated])("%s is what corpus and oracle make", (name, text) => {
		expect(readFileSync(join(vectorsFolder, name), "utf8")).toBe(text);
	});

	test("no other file is there", () => {
		expect(readdirSync(vectorsFolder).toSorted()).toEqual([...generated.keys()].toSorted());
	});

	test("names are unique and there is one for every answer", () => {
		const vectors = readVectors();
		expect(new Set(vectors.map((vector) => vector.name)).size).toBe(vectors.length);
		expect(new Set(vectors.map((vector) => vector.retval))).toEqual(new Set([0, 2, 129]));
	});
});
