// What `kfn lockdown` writes and refuses before the kernel is asked, with the real kfn-load, which refuses every root but the machine's. That it
// denies and lets in is shown in VMs (test/vm/lockdown.test.ts): nothing of it may run on the machine that tests.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Host, openHost } from "./host.ts";
import { withLock } from "./lock.ts";
import { disableLockdown, type EnableLockdown, enableLockdown, lockdownStatus } from "./lockdown.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/lockdown.md"), "utf8");
const POLICY = /```json policy\n(.*?)```/s.exec(PAGE)![1]!;
const LOADER = join(import.meta.dirname, "../build/kfn-load");
const AUDIT: EnableLockdown = { mode: "audit", allow: [], disallow: [], now: false };

let root: string;
let host: Host;
beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), "kfn-lockdown-"));
	host = openHost({ root, loader: LOADER });
	mkdirSync(join(root, "etc/kfn"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const enable = (spec: Partial<EnableLockdown> = {}) =>
	withLock(host, "test", (lock) => enableLockdown(lock, { ...AUDIT, ...spec }));
const written = () => readFileSync(host.layout.lockdown, "utf8");

test("a root that is not the machine's is refused, and lockdown.json is as before", async () => {
	await expect(enable()).rejects.toMatchObject({ code: "LOAD_USAGE", exit: 2 });
	expect(existsSync(host.layout.lockdown)).toBe(false);
	writeFileSync(host.layout.lockdown, POLICY);
	await expect(enable({ mode: "enforce", now: true })).rejects.toMatchObject({ code: "LOAD_USAGE" });
	expect(written()).toBe(POLICY);
});

test("enforcing wants audit before it in this boot, or to be told that it does not", async () => {
	await expect(enable({ mode: "enforce" })).rejects.toMatchObject({
		code: "HOST_LOCKDOWN_NOT_AUDITED",
		exit: 1,
	});
	await expect(enable({ mode: "enforce", now: true })).rejects.toMatchObject({ code: "LOAD_USAGE" });
});

test("an executable that others may write, that is a folder, missing or not absolute is not let in", async () => {
	const writable = join(root, "writable");
	writeFileSync(writable, "");
	chmodSync(writable, 0o777);
	for (const path of [writable, "/etc", join(root, "missing"), "etc/passwd"])
		await expect(enable({ allow: [path] })).rejects.toMatchObject({ code: "HOST_LOCKDOWN_FILE" });
	expect(existsSync(host.layout.lockdown)).toBe(false);
});

test("disabling keeps the list, and takes away a file that is damaged", async () => {
	writeFileSync(host.layout.lockdown, POLICY);
	expect(await lockdownStatus(host)).toMatchObject({ mode: "off", configured: "audit", atBoot: false });
	expect(await withLock(host, "test", disableLockdown)).toMatchObject({ mode: "off", configured: "off" });
	expect(written()).toBe(POLICY.replace('"audit"', '"off"'));
	for (const damaged of ["{", POLICY.replace("audit", "watch"), POLICY.replace('"/usr', '"usr')]) {
		writeFileSync(host.layout.lockdown, damaged);
		await expect(lockdownStatus(host)).rejects.toMatchObject({ code: "LOAD_LOCKDOWN_INVALID" });
		await expect(enable()).rejects.toMatchObject({ code: "HOST_STATE_MALFORMED" });
		await withLock(host, "test", disableLockdown);
		expect(existsSync(host.layout.lockdown)).toBe(false);
	}
});
