// docs/vendors.md: the commands that it gives a vendor make the tag of the bundle, with coreutils alone; and the files that it names are there.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import { run } from "../harness/command.ts";

const TOP = join(import.meta.dirname, "../..");
const PAGE = readFileSync(join(TOP, "docs/vendors.md"), "utf8");
const BUNDLE = "tso-1.0.0.kfn";

test("the vendor guide's commands compute the tag of the bundle", async () => {
	const [, commands = ""] = /^```sh tag\n(.*?)^```/ms.exec(PAGE) ?? [];
	const folder = mkdtempSync(join(tmpdir(), "kfn-vendors-"));
	try {
		copyFileSync(join(TOP, "build", BUNDLE), join(folder, BUNDLE));
		const { stdout } = await run("sh", ["-eu", "-c", commands], { cwd: folder });
		const { manifest } = await openBundle(readFileSync(join(folder, BUNDLE)));
		expect(`kfn1:${stdout.split(" ")[0]}`).toBe(manifest.tag.value);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("the vendor guide points at what is there", () => {
	const links = [...PAGE.matchAll(/\]\(([^)#]+)/g)].map(([, path]) => join(TOP, "docs", path!));
	expect(links.length).toBeGreaterThan(10);
	expect(links.filter((path) => !existsSync(path))).toEqual([]);
});
