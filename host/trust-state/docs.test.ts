// docs/formats/trust-state.md is what the code reads and writes: its examples, byte for byte.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeKfnRepository, openTrustWorld, writePolicy } from "#test/harness/trust-world.ts";
import { parseMark, serializeMark } from "./mark.ts";
import { readTrustPolicy } from "./policy.ts";
import { serializeSet } from "./set.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/trust-state.md"), "utf8");

function example(name: string): string {
	const [, text] = new RegExp(`\`\`\`json ${name}\n([^]*?)\`\`\``).exec(PAGE) ?? [];
	if (text === undefined) throw new Error(`the page has no example ${name}`);
	return text;
}

test("a mark is written as it stands, and read as it is written", () => {
	const { schema: _schema, sha256: _sha256, ...mark } = JSON.parse(example("mark"));
	const bytes = serializeMark(mark);
	expect(bytes.toString().replace(/"sha256": "[0-9a-f]{64}"/, '"sha256": "[computed]"')).toBe(
		example("mark"),
	);
	expect(parseMark(bytes, "trust-mark.json")).toEqual(mark);
});

test("a set is written as it stands", () => {
	const { schema: _schema, files, ...record } = JSON.parse(example("set"));
	const digests = (text: string) => text.replace(/"sha256": "[0-9a-f]{64}",\n(\s+)"size": \d+/g, "[DIGEST]");
	const { bytes } = serializeSet(
		7,
		record,
		new Map(Object.keys(files).map((name) => [name, Buffer.alloc(2048)])),
	);
	expect(digests(Buffer.from(bytes).toString())).toBe(digests(example("set")));
});

test("a policy is read as it stands", async () => {
	using world = openTrustWorld(await makeKfnRepository({ bins: 2 }));
	writePolicy(world.root, JSON.parse(example("policy")).staleness.days);
	expect(readFileSync(world.host.layout.trustPolicy, "utf8")).toBe(
		JSON.stringify(JSON.parse(example("policy"))),
	);
	expect(readTrustPolicy(world.host)).toEqual({ stalenessDays: 30 });
});
