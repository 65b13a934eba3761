// Every fault point, as a failure (undone at once) and as a kill (undone by the next apply): docs/formats/loader.md, "Kills".
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Answer, exists, FAULTS, type Json, make, pinDir, Rig } from "./fixture.ts";

const FN = "flow-dissector";
let rig: Rig;
let scopes: string[];
let steps: Record<"none" | "one" | "two" | "moved" | "both" | "other", Json[]>;

beforeAll(() => make("all", "faults"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	scopes = ["blue", "green"].map((name) => rig.namespace(name));
	const [one, two] = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })];
	const acme = rig.bundle({ mark: 3, name: "acme-dissector", function: "acme" });
	const [blue, green] = scopes as [string, string];
	steps = {
		none: [],
		one: [one.planned(blue)],
		two: [two.planned(blue)],
		moved: [one.planned(green)],
		both: [two.planned(blue), one.planned(green)],
		other: [acme.planned(blue)],
	};
});
afterEach(() => rig.dispose());
afterAll(() => {
	expect(execFileSync("ip", ["netns", "list"], { encoding: "utf8" })).not.toContain(`-${process.pid}\n`);
});

/** What runs where, without ids: a recovered host has other links and programs, but the same functions. */
function running(): Json[] {
	const answer = rig.run(["inspect", ...scopes.flatMap((scope) => ["--netns", scope.slice(6)])]);
	expect(answer.code).toBe("ok");
	expect(answer.body.foreign).toEqual([]);
	return answer.body.pins.map((pin: Json & { link: Json | null; programs: Json[] }) => ({
		scope: pin["scope"],
		alive: pin.link?.["alive"] ?? false,
		tag: pin.programs[0]?.["kernelTag"],
		pinned: pin["pinnedProgramId"] === pin.programs[0]?.["id"],
	}));
}

type Step = keyof typeof steps;
const changes: readonly [Step, Step][] = [
	["none", "one"],
	["one", "two"],
	["one", "none"],
	["one", "moved"],
	["one", "both"],
	["both", "moved"],
	["one", "other"],
];

/** Brings the host to `from`, then tries `to` with the fault. Undefined where the change does not pass the point. */
function attempt(from: Step, to: Step, fault: string): { before: Json[]; answer: Answer } | undefined {
	expect(rig.apply(steps[from]).code).toBe("ok");
	const before = running();
	const answer = rig.apply(steps[to], { loader: FAULTS, fault });
	return answer.exit === 0 ? undefined : { before, answer };
}

function recovered(to: Step, expected: Json[]): void {
	expect(rig.apply(steps[to]).code).toBe("ok");
	expect(running()).toEqual(expected);
	for (const scope of scopes) {
		const dir = pinDir(rig, FN, scope);
		if (exists(dir)) expect(readdirSync(dir).toSorted()).toEqual(["link", "prog"]);
	}
	if (to === "none") expect(exists(rig.pins) ? readdirSync(rig.pins) : []).toEqual([]);
}

const faults = listFaults();

describe.each(faults)("fault point %s", (point) => {
	test("as a failure: the host is as before, at once", () => {
		const hit = changes.filter(([from, to]) => {
			const tried = attempt(from, to, `${point}:fail`);
			if (tried === undefined) return false;
			expect(tried.answer).toMatchObject({ code: "LOAD_FAULT", exit: 70, signal: null });
			expect(tried.answer.body.error.details?.notUndone).toBeUndefined();
			expect(running()).toEqual(tried.before);
			recovered(from, tried.before);
			return true;
		});
		expect(hit).not.toEqual([]);
	});

	test("as a kill: the next apply of the old plan brings the old state, of the new plan the new", () => {
		const hit = changes.filter(([from, to]) => {
			const tried = attempt(from, to, `${point}:kill`);
			if (tried === undefined) return false;
			expect(tried.answer).toMatchObject({ signal: "SIGKILL", lines: [] });
			// Between the two: each scope runs nothing or a program that is pinned beside its link.
			for (const pin of running()) expect(pin["alive"] === false || pin["tag"] !== undefined).toBe(true);
			recovered(from, tried.before);
			const again = attempt(from, to, `${point}:kill`);
			expect(again?.answer.signal).toBe("SIGKILL");
			expect(rig.apply(steps[to]).code).toBe("ok");
			const after = running();
			expect(rig.apply(steps[from]).code).toBe("ok");
			expect(rig.apply(steps[to]).code).toBe("ok");
			expect(running()).toEqual(after);
			return true;
		});
		expect(hit).not.toEqual([]);
	});
});

/** At import, as vitest needs the names: the built loader lists its own points. */
function listFaults(): string[] {
	make("faults");
	return (JSON.parse(execFileSync(FAULTS, ["faults"], { encoding: "utf8" })) as { faults: string[] }).faults;
}
