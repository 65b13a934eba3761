import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileError, openDurable } from "./durable.ts";
import { FAULT_KINDS, faultAt, noFaults, parseFault } from "./faults.ts";

let folder: string;
const durable = openDurable(noFaults);
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-durable-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a write that fails at any point leaves the old file or the new one, never a mixture", () => {
	const path = join(folder, "file");
	const seen = new Set<string>();
	const count = (() => {
		const faults = faultAt(0, "fail");
		openDurable(faults).writeFile(path, "old");
		return faults.passed.length;
	})();
	expect(count).toBeGreaterThan(4);
	for (const kind of ["fail", "fail-after", "full"] as const) {
		for (let at = 1; at <= count; at++) {
			durable.writeFile(path, "old");
			expect(() => openDurable(faultAt(at, kind)).writeFile(path, "new, and longer")).toThrow(
				expect.objectContaining({ code: kind === "full" ? "HOST_DISK_FULL" : "HOST_IO" }),
			);
			const now = readFileSync(path, "utf8");
			expect(["old", "new, and longer"]).toContain(now);
			seen.add(now);
		}
	}
	expect(seen.size).toBe(2);
});

test("power cut: bytes are synced before the name moves, and the folder after (a kill cannot show this)", () => {
	const faults = faultAt(0, "fail");
	const traced = openDurable(faults);
	traced.writeFile(join(folder, "f"), "x");
	traced.placeFile(join(folder, "p"), "x");
	traced.syncFolder(folder);
	traced.swapLink(join(folder, "l"), "f");
	mkdirSync(join(folder, "bin"));
	traced.importFolder(join(folder, "entry"), join(folder, "bin"), new Map([["a/b", Buffer.from("x")]]));
	const name = folder.slice(folder.lastIndexOf("/") + 1);
	expect(faults.passed).toEqual([
		...["clear .f.tmp", "create .f.tmp", "write .f.tmp", "fsync .f.tmp", "rename f", `fsync folder ${name}`],
		...["clear .p.tmp", "create .p.tmp", "write .p.tmp", "fsync .p.tmp", "rename p", `fsync folder ${name}`],
		...["clear .l.tmp", "symlink .l.tmp", "rename l", `fsync folder ${name}`],
		...[
			"mkdir bin/entry",
			"mkdir a",
			"create b",
			"write b",
			"fsync b",
			"fsync folder a",
			"fsync folder entry",
		],
		...[`rename into ${name}`, `fsync folder ${name}`, "fsync folder bin"],
	]);
});

test("a leftover of a killed write is replaced, not added to", () => {
	writeFileSync(join(folder, ".file.tmp"), "half");
	durable.writeFile(join(folder, "file"), "whole");
	expect(readdirSync(folder)).toEqual(["file"]);
});

test("symlink attack: a link in place of the temporary file or the log is not followed", () => {
	const victim = join(folder, "victim");
	writeFileSync(victim, "precious");
	symlinkSync(victim, join(folder, ".file.tmp"));
	durable.writeFile(join(folder, "file"), "new");
	symlinkSync(victim, join(folder, "log"));
	expect(() => durable.appendLine(join(folder, "log"), "line")).toThrow(
		expect.objectContaining({ code: "HOST_IO" }),
	);
	expect(readFileSync(victim, "utf8")).toBe("precious");
});

test("path escape: no file of a bundle is written outside its folder", () => {
	const bin = join(folder, "tmp");
	mkdirSync(bin);
	for (const name of ["../evil", "/evil", "a/../../evil", "a//b", "./a"]) {
		const files = new Map([[name, Buffer.from("x")]]);
		expect(() => durable.importFolder(join(folder, "entry"), bin, files)).toThrow(
			expect.objectContaining({ code: "HOST_STORE_PATH", exit: 3 }),
		);
	}
	expect(existsSync(join(folder, "evil"))).toBe(false);
	expect(existsSync(join(folder, "entry"))).toBe(false);
});

test("a folder appears whole", () => {
	const bin = join(folder, "tmp");
	mkdirSync(join(bin, "entry/half"), { recursive: true });
	const files = new Map([
		["a", Buffer.from("1")],
		["b/c/d", Buffer.from("2")],
	]);
	durable.importFolder(join(folder, "entry"), bin, files);
	expect(readdirSync(join(folder, "entry"), { recursive: true }).sort()).toEqual(["a", "b", "b/c", "b/c/d"]);
	expect(readdirSync(bin)).toEqual([]);
});

test("a torn last line is ended before the next is appended", () => {
	const path = join(folder, "log");
	writeFileSync(path, "whole\nto");
	durable.appendLine(path, "next");
	durable.appendLine(path, "last");
	expect(readFileSync(path, "utf8")).toBe("whole\nto\nnext\nlast\n");
});

test("a link is swapped in one step", () => {
	const path = join(folder, "current");
	durable.swapLink(path, "generations/1");
	durable.swapLink(path, "generations/2");
	expect(readlinkSync(path)).toBe("generations/2");
	expect(readdirSync(folder)).toEqual(["current"]);
});

test.each([
	["ENOSPC", "HOST_DISK_FULL"],
	["EDQUOT", "HOST_DISK_FULL"],
	["EACCES", "HOST_NO_PERMISSION"],
	["EROFS", "HOST_NO_PERMISSION"],
	["EIO", "HOST_IO"],
])("%s is %s", (errno, code) => {
	expect(fileError(Object.assign(new Error(), { code: errno }), "/p")).toMatchObject({
		code,
		details: { path: "/p" },
	});
});

test("an error that is not the file system's stays what it is", () => {
	const bug = new TypeError("x is not a function");
	expect(fileError(bug, "/p")).toBe(bug);
});

test("KFN_FAULT", () => {
	for (const kind of FAULT_KINDS) expect(parseFault(`3:${kind}`).passed).toEqual([]);
	for (const text of ["", "3", "0:fail", "3:explode", "-1:fail", "3:fail:x"]) {
		expect(() => parseFault(text)).toThrow(
			expect.objectContaining({ code: "HOST_FAULT_MALFORMED", exit: 2 }),
		);
	}
});
