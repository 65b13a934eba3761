// What of a package folder becomes tagged, and what is refused: links, and includes that no folder of the package has.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { samplePackage } from "#bundle/testing/sample.ts";
import { stagePackage } from "./stage.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-stage-"));
	lay("package/kfn.package.json", JSON.stringify({ ...samplePackage(), includes: ["../shared", "../more"] }));
	lay("package/src/sample.bpf.c", '#include "kfn/a.h"\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

function lay(path: string, text: string): void {
	mkdirSync(dirname(join(folder, path)), { recursive: true });
	writeFileSync(join(folder, path), text);
}

const stage = () => stagePackage(join(folder, "package"));
const tagged = async () => [...(await stage()).sources.keys()];

describe("tagged are", () => {
	test("all files below src/ and the headers that they include, in the order of their paths", async () => {
		lay("shared/kfn/a.h", '#include "b.h"\n#if 0\n#include "../c.h"\n#endif\n');
		lay("shared/kfn/b.h", '#include "a.h"\n');
		lay("shared/kfn/unused.h", "");
		lay("more/c.h", "");
		lay("package/src/Notes.txt", "not C, but tagged: ## \u0001");
		expect(await tagged()).toEqual([
			"src/Notes.txt",
			"src/c.h",
			"src/kfn/a.h",
			"src/kfn/b.h",
			"src/sample.bpf.c",
		]);
	});

	test("the package's own header before a shared one, the first folder's before the second's", async () => {
		lay("package/src/kfn/a.h", '#include "b.h"\n// own\n');
		lay("shared/kfn/a.h", "// shared\n");
		lay("shared/kfn/b.h", "// first\n");
		lay("more/kfn/b.h", "// second\n");
		const { sources } = await stage();
		expect(String(sources.get("src/kfn/a.h"))).toContain("own");
		expect(String(sources.get("src/kfn/b.h"))).toContain("first");
	});
});

describe("refused is", () => {
	test("an include that no folder has, also where no condition takes it", async () => {
		lay("shared/kfn/a.h", '#if 0\n#include "nowhere.h"\n#endif\n');
		await expect(stage()).rejects.toMatchObject({
			code: "CLI_SOURCE_UNTAGGED",
			message: "src/kfn/a.h includes src/kfn/nowhere.h, which no source or include folder holds",
		});
	});

	test("an include that climbs out of its folder to a file that is there", async () => {
		lay("shared/kfn/a.h", '#include "../../package/secret.h"\n');
		lay("package/secret.h", "");
		await expect(stage()).rejects.toMatchObject({ code: "CLI_SOURCE_UNTAGGED" });
	});

	test.each([
		["a source", "package/src/linked.h"],
		["a shared header", "shared/kfn/a.h"],
	])("%s that is a link", async (_what, path) => {
		lay("shared/kfn/b.h", "");
		lay("secret", "int x;\n");
		if (path.startsWith("package")) lay("shared/kfn/a.h", "");
		symlinkSync(join(folder, "secret"), join(folder, path));
		await expect(stage()).rejects.toMatchObject({
			code: "CLI_SOURCE_UNTAGGED",
			message: expect.stringContaining(`${path.replace("package/", "")} is not a regular file`),
		});
	});

	test("a source that no condition takes and that the compiler never sees, as a device's compiler might", async () => {
		lay("shared/kfn/a.h", "#if 0\n#include_next <x.h>\n#endif\n");
		await expect(stage()).rejects.toMatchObject({ code: "CLI_SOURCE_FORBIDDEN" });
	});
});
