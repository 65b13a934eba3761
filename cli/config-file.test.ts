import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Configuration, readConfiguration } from "./config-file.ts";
import type { Context } from "./context.ts";
import { openContextHost } from "./open-host.ts";

let root: string;
beforeAll(() => {
	root = mkdtempSync(join(tmpdir(), "kfn-config-"));
	mkdirSync(join(root, "etc/kfn"), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function written(text: string | undefined, health: Context["health"] = {}): Context {
	const path = join(root, "etc/kfn/config.json");
	if (text === undefined) rmSync(path, { force: true });
	else writeFileSync(path, text);
	return { root, loader: "kfn-load", env: { fault: undefined }, health } as unknown as Context;
}

test("the example of docs/formats/host-state.md is a configuration, and is what a change goes by", () => {
	const page = readFileSync(join(import.meta.dirname, "../docs/formats/host-state.md"), "utf8");
	const [, example] = /```json config\n(.*?)```/s.exec(page)!;
	const settings = JSON.parse(example!) as Configuration;
	expect(readConfiguration(written(example))).toEqual(settings);
	expect(openContextHost(written(example)).health()).toEqual({
		seconds: settings.health?.windowSeconds,
		check: { argv: settings.health?.check, timeoutSeconds: settings.health?.checkTimeoutSeconds },
	});
});

test("without a file a change is watched for a second; flags come before the file", () => {
	expect(openContextHost(written(undefined)).health()).toEqual({ seconds: 1, check: undefined });
	const flags = { window: "0.5", check: " ping  -c 1 192.0.2.1 " };
	expect(openContextHost(written('{"health":{"windowSeconds":9}}', flags)).health()).toEqual({
		seconds: 0.5,
		check: { argv: ["ping", "-c", "1", "192.0.2.1"], timeoutSeconds: 30 },
	});
});

test.each(["", "[", "null", "7", '{"registry":7}', '{"health":1}', '{"health":{"windowSeconds":"1"}}'])(
	"not a configuration: %s",
	(text) => expect(() => readConfiguration(written(text))).toThrow(/is not a configuration/),
);

test.each([
	'{"health":{"windowSeconds":-1}}',
	'{"health":{"windowSeconds":3601}}',
	'{"health":{"check":"ping"}}',
	'{"health":{"check":[]}}',
])("no health settings: %s", (text) => {
	expect(() => openContextHost(written(text)).health()).toThrow(/is not a configuration/);
});

test.each([{ window: "" }, { window: "soon" }, { window: "-1" }, { window: "3601" }, { check: " " }])(
	"no health flags: %j",
	(flags) => {
		const context = written(undefined, flags);
		expect(() => openContextHost(context).health()).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
	},
);
