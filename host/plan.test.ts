import { expect, test } from "vitest";
import { HostError } from "./errors.ts";
import {
	emptyPlan,
	keyOf,
	mergeFunctions,
	type Plan,
	type PlanFunction,
	parsePlan,
	serializePlan,
} from "./plan.ts";
import type { Scope } from "./scope.ts";

const EMPTY_CONFIG = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

function entry(fn: string, scope: string, version = "1.0.0"): PlanFunction {
	return {
		function: fn,
		abi: 1,
		scope: scope as Scope,
		bundle: { name: fn, version, sha256: "a".repeat(64), manifestSha256: "b".repeat(64) },
		tag: `kfn1:${"c".repeat(64)}`,
		config: {},
		configDigest: EMPTY_CONFIG,
	};
}

function plan(...functions: PlanFunction[]): Plan {
	return { ...emptyPlan(), generation: 1, functions };
}

const GOOD = plan(entry("flow-dissector", "netns:/run/netns/blue"), entry("flow-dissector", "netns:root"));

test("a plan survives being written and read", () => {
	expect(parsePlan(serializePlan(GOOD))).toEqual(GOOD);
	expect(serializePlan(parsePlan(serializePlan(GOOD)))).toBe(serializePlan(GOOD));
});

const edits: [string, (text: string) => string][] = [
	["an unknown field", (text) => text.replace('"reason"', '"extra": 1, "reason"')],
	["an unknown field of a function", (text) => text.replace('"abi"', '"extra": 1, "abi"')],
	["a field twice", (text) => text.replace('"reason": "",', '"reason": "", "reason": "other",')],
	["a missing field", (text) => text.replace('"reason": "",', "")],
	["another schema", (text) => text.replace("kfn.plan/1", "kfn.plan/2")],
	["a fraction", (text) => text.replace('"generation": 1', '"generation": 1.5')],
	["a negative number", (text) => text.replace('"generation": 1', '"generation": -1')],
	["abi 0", (text) => text.replace('"abi": 1', '"abi": 0')],
	["a short digest", (text) => text.replace("a".repeat(64), "a".repeat(63))],
	["an upper-case digest", (text) => text.replace("a".repeat(64), "A".repeat(64))],
	["a store path for a digest (path escape)", (text) => text.replace("a".repeat(64), "../../../etc")],
	["a scope that is none", (text) => text.replace("netns:root", "root")],
	["a relative scope (path escape)", (text) => text.replace("/run/netns/blue", "/run/../netns/blue")],
	["a config that is not the digest's", (text) => text.replace('"config": {}', '"config": {"ports": [1]}')],
	["a time in another form", (text) => text.replace("1970-01-01T00:00:00.000Z", "1970-01-01")],
	["an empty document", () => ""],
	["a list", () => "[]"],
	["too many bytes", (text) => text + " ".repeat(4 * 1024 * 1024)],
];
test.each(edits)("refuses %s", (_, edit) => {
	const text = edit(serializePlan(GOOD));
	expect(text).not.toBe(serializePlan(GOOD));
	expect(() => parsePlan(text, "here")).toThrow(HostError);
	expect(() => parsePlan(text, "here")).toThrow(expect.objectContaining({ code: "HOST_PLAN_MALFORMED" }));
});

test("refuses a function twice in a scope, and any other order than the documented", () => {
	const [first, second] = GOOD.functions;
	const twice = serializePlan(plan(first!, first!));
	expect(() => parsePlan(twice)).toThrow(/only once in a scope/);
	expect(() => parsePlan(serializePlan(plan(second!, first!)))).toThrow(/sorted by/);
});

test("bytes that are not a plan give HOST_PLAN_MALFORMED and nothing else (seeded fuzz)", () => {
	const good = Buffer.from(serializePlan(GOOD));
	let seed = 20_261_123;
	const random = (limit: number) => {
		seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
		return (seed >>> 8) % limit;
	};
	let refused = 0;
	for (let round = 0; round < 3000; round++) {
		const bytes = Buffer.from(good);
		for (let flips = 0; flips <= random(3); flips++) bytes[random(bytes.length)] = random(256);
		try {
			parsePlan(random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
		} catch (error) {
			expect(error).toMatchObject({ code: "HOST_PLAN_MALFORMED" });
			refused++;
		}
	}
	expect(refused).toBeGreaterThan(2000);
});

test("merging adds, replaces, takes out and sorts by bytes", () => {
	const [blue, root] = GOOD.functions;
	const newer = entry("flow-dissector", "netns:root", "2.0.0");
	const other = entry("a-function", "netns:root");
	const changes = new Map<string, PlanFunction | null>([
		[keyOf(newer), newer],
		[keyOf(other), other],
		[keyOf(blue!), null],
	]);
	expect(mergeFunctions([blue!, root!], changes)).toEqual([other, newer]);
});
