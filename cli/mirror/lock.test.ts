// The lock of a tree's folder, with the real loader's flock.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openHost } from "#host/host.ts";
import { withTreeLock } from "./lock.ts";

const LOADER = join(import.meta.dirname, "../../build/kfn-load");

test("who comes second is told so; whoever comes after the first is done gets in", async () => {
	const root = mkdtempSync(join(tmpdir(), "kfn-tree-lock-"));
	onTestFinished(() => rmSync(root, { recursive: true, force: true }));
	const host = openHost({ root, loader: LOADER });
	const folder = join(root, "srv/mirror");
	const ran: string[] = [];
	await withTreeLock(host, folder, async () => {
		ran.push("first");
		const second = withTreeLock(host, folder, async () => void ran.push("second"));
		await expect(second).rejects.toMatchObject({ code: "CLI_MIRROR_BUSY", exit: 1 });
		await withTreeLock(host, join(root, "srv/other"), async () => void ran.push("other"));
	});
	await withTreeLock(host, folder, async () => void ran.push("third"));
	writeFileSync(join(root, "file"), "");
	const onto = withTreeLock(host, join(root, "file"), async () => void ran.push("onto a file"));
	await expect(onto).rejects.toMatchObject({ code: "CLI_FILE_UNWRITABLE" });
	expect(ran).toEqual(["first", "other", "third"]);
});
