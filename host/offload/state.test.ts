// offload.json: the page's example is what kfn writes, and any other form is refused by its own code.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openHost } from "../host.ts";
import { withLock } from "../lock.ts";
import { putEntry, readEntries } from "./state.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/offload.md"), "utf8");
const [, EXAMPLE] = /```json offload\n([\s\S]*?)```/.exec(PAGE)!;

function withHost(body: (host: ReturnType<typeof openHost>) => Promise<void> | void): Promise<void> {
	const root = mkdtempSync(join(tmpdir(), "kfn-offload-state-"));
	mkdirSync(join(root, "var/lib/kfn"), { recursive: true });
	const host = openHost({ root, loader: join(import.meta.dirname, "../../build/kfn-load") });
	return Promise.resolve(body(host)).finally(() => rmSync(root, { recursive: true, force: true }));
}

test("the page's example is read, and written again byte for byte", () =>
	withHost(async (host) => {
		writeFileSync(host.layout.offload, EXAMPLE!);
		const [entry] = readEntries(host);
		expect(entry).toMatchObject({ device: "dev:eth0", state: "in" });
		await withLock(host, "test", (lock) => void putEntry(lock, entry!));
		expect(readFileSync(host.layout.offload, "utf8")).toBe(EXAMPLE);
	}));

test.each([
	["an unknown field", (text: string) => text.replace('"why"', '"because": 1, "why"')],
	["an unknown state", (text: string) => text.replace('"in"', '"maybe"')],
	["another schema", (text: string) => text.replace("kfn.offload/1", "kfn.offload/2")],
	["a torn file", (text: string) => text.slice(0, 200)],
	["a device that is none", (text: string) => text.replace("dev:eth0", "eth0")],
	["a tag that is none", (text: string) => text.replace("kfn1:", "kfn2:")],
])("%s is refused", (_, damage) =>
	withHost((host) => {
		writeFileSync(host.layout.offload, damage(EXAMPLE!));
		expect(() => readEntries(host)).toThrow(expect.objectContaining({ code: "OFFLOAD_STATE_MALFORMED" }));
	}),
);
