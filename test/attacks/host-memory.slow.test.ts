// Attacks on what a host remembers of a real server: its trust folder cut at every byte, its clock moved. Never a fresh start.
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readTrustState } from "#host/trust-state/state.ts";
import { ROLE_DAYS } from "#signing/tuf/time.ts";
import type { TestRegistry } from "../harness/registry.ts";
import { outcome } from "../harness/trust-world.ts";
import { openAttackedRegistry, victim } from "./registry-world.ts";

let registry: TestRegistry;
let older: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
	({ registry, older } = await openAttackedRegistry());
});
afterAll(() => registry[Symbol.asyncDispose]());

const REFUSALS = ["HOST_TRUST_DAMAGED", "HOST_TRUST_ROLLED_BACK"];

test("truncated trust folder: every file at every byte is refused, and no registry is asked, honest or old", async () => {
	const { host, mirror, open } = await victim(registry);
	await open();
	const { trustCurrent, trustSet, trustMark, trustRoot } = host.layout;
	const set = trustSet(readlinkSync(trustCurrent).slice("sets/".length));
	const files = [...readdirSync(set).map((name) => join(set, name)), trustMark, trustRoot];
	let cuts = 0;
	for (const path of files) {
		const whole = readFileSync(path);
		for (let end = 0; end < whole.byteLength; end++, cuts++) {
			// The mirror lives in this process, too: it must get to closing the connections that have been idle for long.
			if (end % 64 === 0) await setImmediate();
			writeFileSync(path, whole.subarray(0, end));
			expect(() => readTrustState(host), `${path} cut at ${end}`).toThrow(
				expect.objectContaining({ code: expect.stringMatching(REFUSALS.join("|")) }),
			);
		}
		mirror.serve((name) => older.get(name));
		mirror.asked.length = 0;
		writeFileSync(path, whole.subarray(0, whole.byteLength / 2));
		expect(REFUSALS, path).toContain(await outcome(open()));
		expect(mirror.asked).toEqual([]);
		writeFileSync(path, whole);
		expect(await outcome(open()), "what was put back still knows the newer state").toBe("TRUST_ROLLBACK");
	}
	expect(cuts).toBeGreaterThan(5000);
});

test("clock moved back and forth: what has expired stays so, and the host is not locked out", async () => {
	const moved = await victim(registry);
	const first = moved.mirror.asked.length;
	await moved.open();
	expect(moved.mirror.asked.length).toBeGreaterThan(first);
	moved.ahead = ROLE_DAYS.timestamp + 1;
	expect(await outcome(moved.open()), "the server's timestamp is past its end").toBe("TRUST_EXPIRED");
	moved.ahead = 0;
	expect(await outcome(moved.open())).toBe("accepted");
	moved.ahead = -400;
	expect(await outcome(moved.open()), "a year ago: nothing of it lies in the future's way").toBe("accepted");
	moved.ahead = 5000;
	expect(await outcome(moved.open())).toBe("TRUST_EXPIRED");
	moved.ahead = 0;
	expect(await outcome(moved.open())).toBe("accepted");
});
