import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLUE, openFakeHost } from "#test/harness/fake-host.ts";
import { fakeNamespaces } from "#test/harness/fake-kfn-load.ts";
import { makeSamples } from "#test/harness/host-world.ts";
import { openHost } from "./host.ts";
import { install } from "./install.ts";
import { spawnLoader } from "./loader.ts";
import { withLock } from "./lock.ts";
import { emptyPlan } from "./plan.ts";
import { status } from "./status.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-loader-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A loader that is a shell script. */
function script(body: string): string {
	const path = join(folder, "kfn-load");
	writeFileSync(path, `#!/bin/sh\n${body}\n`);
	chmodSync(path, 0o755);
	return path;
}

const ask = (path: string) => spawnLoader(path, folder).check(emptyPlan());

test("a reported failure comes out with code, message, hint, details and exit as they are", async () => {
	const error = { code: "LOAD_VECTOR_FAILED", message: "vector x", hint: "look", details: { retval: 2 } };
	const path = script(`cat >/dev/null; echo '${JSON.stringify({ ok: false, error })}'; exit 3`);
	await expect(ask(path)).rejects.toMatchObject({ name: "LoaderError", ...error, exit: 3 });
});

test("control characters of a message do not reach a terminal", async () => {
	const error = { code: "LOAD_USAGE", message: "a\u001b[2Jb\nc" };
	const path = script(`cat >/dev/null; printf '%s' '${JSON.stringify({ ok: false, error })}'; exit 2`);
	await expect(ask(path)).rejects.toMatchObject({ message: "a\ufffd[2Jb\ufffdc", exit: 2 });
});

test.each([
	["says nothing", "exit 0"],
	["says nothing and fails", "exit 1"],
	["is killed", "kill -9 $$"],
	["says something that is not JSON", "echo ok"],
	["says two documents", `echo '{"ok":true,"functions":[]}'; echo '{}'`],
	["says success and fails", `echo '{"ok":true,"functions":[]}'; exit 1`],
	["says failure and succeeds", `echo '{"ok":false,"error":{"code":"LOAD_USAGE","message":""}}'`],
	["leaves out what the host relies on", `echo '{"ok":true,"functions":[{"function":"x"}]}'`],
	["invents a code", `echo '{"ok":false,"error":{"code":"EVIL","message":"x"}}'; exit 1`],
])("a loader that %s is our bug, with its stderr in the details", async (_, body) => {
	const path = script(`echo why >&2\n${body}`);
	await expect(ask(path)).rejects.toMatchObject({
		...{ code: "HOST_LOADER_ANSWER", exit: 70 },
		details: { stderr: expect.stringContaining("why") },
	});
});

test("a loader that is missing or may not run", async () => {
	const missing = ask(join(folder, "none"));
	await expect(missing).rejects.toMatchObject({ code: "HOST_LOADER_MISSING", exit: 1 });
	const path = script("exit 0");
	chmodSync(path, 0o644);
	await expect(ask(path)).rejects.toMatchObject({
		code: "HOST_LOADER_MISSING",
		details: { errno: "EACCES" },
	});
});

test("the loader gets none of the caller's environment and the plan on stdin", async () => {
	process.env["EVIL_KFN_TEST"] = "evil";
	const error = `{\\"ok\\":false,\\"error\\":{\\"code\\":\\"LOAD_USAGE\\",\\"message\\":\\"$(env | grep -c EVIL_KFN_TEST) $(grep -c kfn.plan/1) $*\\"}}`;
	const path = script(`echo "${error}"; exit 2`);
	await expect(ask(path)).rejects.toMatchObject({ message: `0 1 --root ${folder} check -` });
	delete process.env["EVIL_KFN_TEST"];
});

test("an install through a started program, with the lock on descriptor 3", async () => {
	const samples = await makeSamples();
	using fake = openFakeHost(samples);
	const program = join(import.meta.dirname, "../test/harness/fake-kfn-load.ts");
	const loader = script(`PATH=/usr/bin:/bin exec ${process.execPath} ${program} "$@"`);
	const namespaces = fakeNamespaces(fake.kernel);
	const host = openHost({ root: fake.host.layout.root, loader, namespaces });
	const { archive: bundle } = samples.v1;
	const report = await withLock(host, "install", async (lock) => {
		await expect(withLock(host, "other", () => "never")).rejects.toMatchObject({ code: "HOST_LOCKED" });
		return install(lock, { bundle, scope: BLUE });
	});
	expect(report).toMatchObject({
		changed: true,
		functions: [{ step: "attach", vectors: 1, verified: "loader" }],
	});
	expect(await status(host)).toMatchObject({ health: "good", functions: [{ running: true }] });
});
