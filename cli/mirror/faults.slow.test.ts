// A copy into a folder, ended at every write: a reader of the folder finds the state before or the new one, whole.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openDurable } from "#host/durable.ts";
import { faultAt, noFaults } from "#host/faults.ts";
import { TreeRegistry } from "#test/harness/tree-registry.ts";
import { FolderTree, WritableFolderTree } from "./folder-tree.ts";
import { codeOf, copyOf, headOf, MemoryTree, NOW } from "./testing/copying.ts";
import { TIMESTAMP_PATH } from "./tree-path.ts";

test.each(["fail", "fail-after", "full"] as const)(
	"%s at each point, then the next run ends it",
	async (kind) => {
		const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kfn-copy-"));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		const made = await TreeRegistry.make(NOW);
		await made.publish("alpha", "1.0.0");
		const [template, to] = [join(folder, "template"), join(folder, "out")];
		const copy = (out: string, faults = noFaults) =>
			copyOf(
				headOf(made.files),
				new MemoryTree(made.files),
				new WritableFolderTree(out, openDurable(faults)),
			);
		await copy(template);
		const old = new Map(made.files);
		await made.publish("alpha", "1.1.0");
		cpSync(template, to, { recursive: true });
		const counting = faultAt(0, "fail");
		await copy(to, counting);
		const points = counting.passed;
		expect(points).toContain("rename timestamp.json");
		const seen = new Set<string>();
		for (let at = 1; at <= points.length; at++) {
			rmSync(to, { recursive: true });
			cpSync(template, to, { recursive: true });
			const failed = await codeOf(copy(to, faultAt(at, kind)));
			expect(failed, points[at - 1]).toBe(kind === "full" ? "HOST_DISK_FULL" : "HOST_IO");
			const isOld = readFileSync(join(to, TIMESTAMP_PATH)).equals(old.get(TIMESTAMP_PATH)!);
			seen.add(isOld ? "old" : "new");
			// Whichever it is: all of it is there.
			await copyOf(headOf(isOld ? old : made.files), new FolderTree(to));
			await copy(to);
			await copyOf(headOf(made.files), new FolderTree(to));
			expect(new FolderTree(to).leftovers()).toEqual([]);
		}
		expect([...seen].sort()).toEqual(["new", "old"]);
	},
);
