// What a host remembers of advisories: nothing that it verified goes away, whatever is shown to it later.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newAdvisory } from "#signing/advisory.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { fakeLoader } from "#test/harness/fake-kfn-load.ts";
import { trustKeys } from "#test/harness/host-world.ts";
import { codeOf } from "../errors.ts";
import { faultAt } from "../faults.ts";
import { openHost } from "../host.ts";
import { withLock } from "../lock.ts";
import { EMPTY_MARK, writeMark } from "../trust-state/mark.ts";
import { learned, readKnown, readKnownList, remember } from "./known.ts";

const DAY = { first: "2026-11-20T00:00:00Z", second: "2026-11-21T00:00:00Z", third: "2026-11-22T00:00:00Z" };

let key: SecretKey;
let other: SecretKey;
let world: FakeHost;
beforeAll(async () => {
	[key, other] = await Promise.all([generateKeyPair(), generateKeyPair()]);
});
beforeEach(() => {
	world = openFakeHost({ key });
	trustKeys(world.host.layout.root, ["gro"], [key]);
});
afterEach(() => world[Symbol.dispose]());

function advisory(
	modified: string,
	more: { id?: string; by?: SecretKey; withdrawn?: boolean; summary?: string } = {},
): Promise<DsseEnvelope> {
	const { id = "x_A-1", by = key, withdrawn = false, summary = "one" } = more;
	const document = {
		schema_version: "1.7.5",
		id,
		modified,
		published: DAY.first,
		...(withdrawn ? { withdrawn: modified } : {}),
		summary,
		affected: [
			{
				ranges: [{ type: "SEMVER", events: [{ introduced: "0" }] }],
				database_specific: { kfn: { bundle: "gro", function: "gro", abi: 1, tags: [] } },
			},
		],
		database_specific: { kfn: { schema: "kfn.advisory/1", kind: "bundle", names: ["gro"], fixedBy: [] } },
	};
	return signDsseEnvelope(newAdvisory(document), by);
}

/** The host reads a list; what it then knows, and what it noticed. */
async function shown(...listed: DsseEnvelope[]) {
	await world.locked(async (lock) => {
		const { list, changed } = await learned(world.host, "gro", listed);
		if (changed) remember(lock, list);
	});
	const list = readKnownList(world.host, "gro")!;
	return {
		known: list.advisories.map(({ advisory: { id, modified, withdrawn, summary } }) =>
			[id, modified, withdrawn === null ? summary : "withdrawn"].join(" "),
		),
		notices: list.notices.map(({ code, id }) => `${code} ${id}`),
	};
}

test("nothing is known before a list was read, and an empty list is remembered as one", async () => {
	expect(readKnown(world.host)).toEqual([]);
	expect(await shown()).toEqual({ known: [], notices: [] });
	expect(readKnown(world.host)).toMatchObject([{ name: "gro", since: "2026-11-23T10:00:00.000Z" }]);
});

test("a later document takes the place of an earlier one, a withdrawal too", async () => {
	await shown(await advisory(DAY.first));
	expect(await shown(await advisory(DAY.second, { summary: "two" }))).toEqual({
		known: [`x_A-1 ${DAY.second} two`],
		notices: [],
	});
	expect(await shown(await advisory(DAY.third, { withdrawn: true }))).toEqual({
		known: [`x_A-1 ${DAY.third} withdrawn`],
		notices: [],
	});
});

test("the same list again writes nothing", async () => {
	const listed = await advisory(DAY.first);
	await shown(listed);
	expect((await learned(world.host, "gro", [listed])).changed).toBe(false);
});

test("a document that was verified once goes on counting after its key was replaced", async () => {
	const listed = await advisory(DAY.first);
	await shown(listed);
	trustKeys(world.host.layout.root, ["gro"], [other]);
	expect(await shown(listed)).toEqual({ known: [`x_A-1 ${DAY.first} one`], notices: [] });
});

describe("attacks", () => {
	test("replayed advisory list: from before the last change, and another document of the same time", async () => {
		const before = await advisory(DAY.first);
		await shown(await advisory(DAY.second, { summary: "worse" }));
		expect(await shown(before)).toEqual({
			known: [`x_A-1 ${DAY.second} worse`],
			notices: ["ADVISORY_REPLAYED x_A-1"],
		});
		expect(await shown(await advisory(DAY.second, { summary: "harmless" }))).toEqual({
			known: [`x_A-1 ${DAY.second} worse`],
			notices: ["ADVISORY_REPLAYED x_A-1"],
		});
		// A withdrawn one does not come back either, and an honest list ends the notice.
		const withdrawn = await advisory(DAY.third, { withdrawn: true });
		expect((await shown(withdrawn)).notices).toEqual([]);
		expect(await shown(before)).toMatchObject({ known: [`x_A-1 ${DAY.third} withdrawn`] });
	});

	test("withheld advisory: the list has one less, or none", async () => {
		const [one, two] = [await advisory(DAY.first), await advisory(DAY.first, { id: "x_A-2" })];
		await shown(one, two);
		expect(await shown(two)).toEqual({
			known: [`x_A-1 ${DAY.first} one`, `x_A-2 ${DAY.first} one`],
			notices: ["ADVISORY_WITHHELD x_A-1"],
		});
		expect((await shown()).notices).toEqual(["ADVISORY_WITHHELD x_A-1", "ADVISORY_WITHHELD x_A-2"]);
		expect((await shown(one, two)).notices).toEqual([]);
	});

	test("forged withdrawal: of a stranger, and of the publisher's own document with a word added", async () => {
		const honest = await advisory(DAY.first);
		await shown(honest);
		const strange = await advisory(DAY.second, { by: other, withdrawn: true });
		expect(await shown(strange)).toEqual({
			known: [`x_A-1 ${DAY.first} one`],
			notices: ["SIGNATURE_UNKNOWN_KEY x_A-1", "ADVISORY_WITHHELD x_A-1"],
		});
		const { payload } = await advisory(DAY.second, { withdrawn: true });
		expect(await shown(honest, { ...honest, payload })).toEqual({
			known: [`x_A-1 ${DAY.first} one`],
			notices: ["SIGNATURE_INVALID x_A-1"],
		});
	});

	test("clock set back: the latest time that metadata was verified at judges, not the clock", async () => {
		// The host's clock says 23 November; a document of the 24th is of the future for it, until it has seen the 25th.
		const tomorrow = await advisory("2026-11-24T00:00:00Z");
		expect(await shown(tomorrow)).toEqual({ known: [], notices: ["ADVISORY_NOT_YET x_A-1"] });
		await world.locked((lock) => writeMark(lock, { ...EMPTY_MARK, time: "2026-11-25T00:00:00.000Z" }));
		expect(await shown(tomorrow)).toEqual({ known: ["x_A-1 2026-11-24T00:00:00Z one"], notices: [] });
	});
});

test.each(["fail", "fail-after", "full"] as const)(
	"a write that ends in %s, at every point, leaves the old memory or the new one",
	async (kind) => {
		const [first, second] = [await advisory(DAY.first), await advisory(DAY.second, { summary: "two" })];
		for (let at = 1; ; at++) {
			await shown(first);
			const faults = faultAt(at, kind);
			const { list } = await learned(world.host, "gro", [second]);
			const host = openHost({ root: world.host.layout.root, loader: fakeLoader(world.kernel), faults });
			const failed = await withLock(host, "test", (lock) => remember(lock, list)).then(
				() => false,
				(error: unknown) => codeOf(error) !== "",
			);
			const [entry] = readKnownList(world.host, "gro")!.advisories;
			expect([DAY.first, DAY.second]).toContain(entry!.advisory.modified);
			if (!failed) {
				expect(entry!.advisory.modified).toBe(DAY.second);
				expect(at).toBeGreaterThan(5);
				return;
			}
			// The next command tells the two apart by what it reads; here, the test starts over.
			rmSync(world.host.layout.advisories, { recursive: true });
		}
	},
);

test("a damaged file is refused: a host must not judge by less than it knew", async () => {
	await shown(await advisory(DAY.first));
	const path = `${world.host.layout.advisories}/gro.json`;
	const text = readFileSync(path, "utf8");
	for (const damaged of [
		text.slice(0, -20),
		text.replace("gro", "tso"),
		text.replace("payload", "paylaod"),
		"{}",
	]) {
		writeFileSync(path, damaged);
		expect(() => readKnown(world.host)).toThrow(expect.objectContaining({ code: "HOST_STATE_MALFORMED" }));
	}
	writeFileSync(path, text);
	expect(readKnown(world.host)).toHaveLength(1);
});
