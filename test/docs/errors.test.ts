// docs/errors.md lists every error code of every layer, and nothing else: checked both ways. KFN_UPDATE=1 rewrites it.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BUNDLE_ERRORS } from "#bundle/errors.ts";
import { CLI_ERRORS } from "#cli/errors.ts";
import { CAPTURE_ERRORS } from "#host/capture/errors.ts";
import { HOST_ERRORS } from "#host/errors.ts";
import { OFFLOAD_ERRORS } from "#host/offload/errors.ts";
import { REGISTRY_ERRORS } from "#registry/api/errors.ts";
import { SIGNING_ERRORS } from "#signing/errors.ts";

const TOP = join(import.meta.dirname, "../..");
const FILE = join(TOP, "docs/errors.md");

type Table = Record<string, { exit: number; means: string }>;

const INTRO = `# Errors

Every error has a code that never changes its meaning, one sentence, and mostly a hint that says what to do next. With \`--json\` it is
\`{"error":{"code","message","hint","details"}}\` on stdout. Exit codes: 0 done, 1 refused, 2 usage, 3 security (no flag skips it), 70 our bug.
The registry answers with the same document and the HTTP status below; the command line passes its codes on.

This page is checked against the code in both directions (\`test/docs/errors.test.ts\`; \`KFN_UPDATE=1\` rewrites it).
`;

/** The loader's own table, as the built binary prints it. */
function loaderErrors(): Table {
	const answer = execFileSync(join(TOP, "build/kfn-load"), ["errors"], { encoding: "utf8" });
	const { errors } = JSON.parse(answer) as { errors: { code: string; exit: number; means: string }[] };
	return Object.fromEntries(errors.map(({ code, exit, means }) => [code, { exit, means }]));
}

function section(title: string, errors: Table): string {
	const rows = Object.entries(errors)
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([code, { exit, means }]) => `| \`${code}\` | ${exit} | ${means} |`);
	return `## ${title}\n\n| code | exit | means |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function registrySection(): string {
	const rows = Object.entries(REGISTRY_ERRORS)
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([code, { exit, status, means }]) => `| \`${code}\` | ${exit} | ${status ?? ""} | ${means} |`);
	return `## Registry (\`registry/\`)\n\n| code | exit | status | means |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

test("docs/errors.md is the list of codes, no more and no less", () => {
	const expected = [
		INTRO,
		section("Command line (`cli/`)", CLI_ERRORS),
		section("Bundles (`bundle/`)", BUNDLE_ERRORS),
		section("Keys and signatures (`signing/`)", SIGNING_ERRORS),
		section("Host (`host/`)", HOST_ERRORS),
		section("Offload (`host/offload/`)", OFFLOAD_ERRORS),
		section("Captures (`host/capture/`)", CAPTURE_ERRORS),
		section("Loader (`host/native/`)", loaderErrors()),
		registrySection(),
	].join("\n");
	if (process.env["KFN_UPDATE"] === "1") writeFileSync(FILE, expected);
	expect(readFileSync(FILE, "utf8")).toBe(expected);
});
