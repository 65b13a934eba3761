// An unattended run beside another command, and outside of its windows: it says that it was skipped, and is no failure.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { enableAuto } from "#host/auto/enable.ts";
import { parseWindow, type Window } from "#host/auto/window.ts";
import { readLog } from "#host/log.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { endChild } from "#test/harness/command.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import type { Context } from "./context.ts";
import { autoRun } from "./ops/auto-run.ts";

let fake: FakeHost;
beforeEach(async () => {
	fake = openFakeHost({ key: await generateKeyPair("test") });
});
afterEach(() => fake[Symbol.dispose]());

const enable = (...windows: Window[]) =>
	fake.locked((lock) => enableAuto(lock, { mode: "all", windows, phaseHours: 0, parameters: false }));

function run(): ReturnType<typeof autoRun> {
	const context: Context = {
		root: fake.host.layout.root,
		loader: "build/kfn-load",
		bootFiles: "host/boot",
		env: {
			registry: undefined,
			token: undefined,
			passphrase: undefined,
			signingKey: undefined,
			fault: undefined,
		},
		health: {},
		lockWaitMs: 1,
		stderrIsTerminal: false,
		stdinIsTerminal: false,
		version: "0",
		signal: new AbortController().signal,
		onStep: () => {},
	};
	return autoRun(context, { now: false, registry: undefined });
}

test("another command holds the host: skipped, and it is told which", async () => {
	await enable();
	const other = spawn("flock", [fake.host.layout.lock, "sh", "-c", "echo held; read line"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	for await (const line of createInterface({ input: other.stdout })) {
		expect(line).toBe("held");
		break;
	}
	const skipped = await run();
	expect(skipped).toMatchObject({ exit: 0, json: { skipped: "locked", changes: [], failures: [] } });
	expect(skipped.text).toMatch(/^skipped: .* is changing this host/);
	other.stdin.end();
	await endChild(other);
});

test("outside of its window nobody is asked, and nothing is written", async () => {
	const now = new Date();
	const then = new Date(now.getTime() + 12 * 3_600_000);
	const hour = String(then.getUTCHours()).padStart(2, "0");
	await enable(parseWindow(`${hour}:00-${hour}:59 UTC`, undefined)!);
	const skipped = await run();
	expect(skipped).toMatchObject({ exit: 0, json: { skipped: "window" } });
	expect(skipped.text).toMatch(/^skipped: the next maintenance window opens at 20/);
	expect(readLog(fake.host)).toEqual([]);
});

test("within it, a registry that is not configured is told, and written down", async () => {
	await enable();
	await expect(run()).rejects.toMatchObject({ code: "CLI_NO_REGISTRY" });
	expect(readLog(fake.host)).toMatchObject([
		{
			event: "auto",
			command: "auto run",
			reason: "all",
			done: [],
			left: [expect.stringContaining("CLI_NO_REGISTRY")],
		},
	]);
	await expect(run()).rejects.toMatchObject({ code: "CLI_NO_REGISTRY" });
	expect(readLog(fake.host)).toHaveLength(1);
});

test("who has not enabled it is not upgraded", () =>
	expect(run()).rejects.toMatchObject({ code: "HOST_AUTO_DISABLED" }));
