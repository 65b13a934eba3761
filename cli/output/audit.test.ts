// An audit as text and as SARIF, which is checked against the published schema.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { type AuditedAdvisory, type AuditReport, auditText, exitOf } from "./audit.ts";
import { sarifLog } from "./sarif.ts";

const SCHEMA = join(import.meta.dirname, "../../test/schemas/sarif-2.1.0.json");
const isSarif = new Ajv({ strict: false, validateFormats: false }).compile(
	JSON.parse(readFileSync(SCHEMA, "utf8")) as object,
);

const KERNEL_BUG: AuditedAdvisory = {
	id: "x_KFN-2026-0001",
	aliases: ["CVE-2026-46306"],
	kind: "kernel-code",
	summary: "PPPoE frames are misread",
	severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }],
	ground: "kernel",
	name: "flow-dissector",
	fix: { bundle: "flow-dissector", version: "1.0.1", set: { patch: ["pppoe-pfc"] } },
};
const BUNDLE_BUG: AuditedAdvisory = {
	...KERNEL_BUG,
	id: "x_KFN-2026-0002",
	aliases: [],
	kind: "bundle",
	ground: "tag",
	fix: null,
};
const NOWHERE = { scope: null, device: null, bundle: null, version: null, tag: null, held: false };
const REPORT: AuditReport = {
	exposed: true,
	kernel: { release: "6.1.0-47-cloud-amd64", upstream: "6.1.170", why: null },
	registry: { asked: true, error: null },
	notices: [],
	unseen: null,
	devicesUnseen: null,
	subjects: [
		{ ...NOWHERE, where: "running", now: true, function: "flow-dissector", advisories: [KERNEL_BUG] },
		{
			...NOWHERE,
			where: "running",
			now: true,
			function: "gro",
			scope: "none",
			bundle: "gro",
			version: "1.0.0",
			tag: `kfn1:${"f".repeat(64)}`,
			held: true,
			advisories: [
				BUNDLE_BUG,
				{ ...BUNDLE_BUG, id: "x_KFN-2026-0003", kind: "kernel-only", ground: "unknown" },
			],
		},
		{
			...NOWHERE,
			where: "device",
			now: false,
			function: "tso",
			device: "eth0",
			tag: `kfn1:${"f".repeat(64)}`,
			advisories: [BUNDLE_BUG],
		},
		{ ...NOWHERE, where: "running", now: true, function: "tso", advisories: [] },
	],
};

test("the text says what is exposed, where, by what, and what to type: the page's example", () => {
	const page = readFileSync(join(import.meta.dirname, "../../docs/formats/audit.md"), "utf8");
	const example = /```text audit\n(.*?)\n```/s.exec(page)![1]!;
	expect(auditText(REPORT)).toBe(example);
	const loud = { ...KERNEL_BUG, summary: "clears\u001b[2J" };
	const text = auditText({ ...REPORT, subjects: [{ ...REPORT.subjects[0]!, advisories: [loud] }] });
	expect(text).not.toContain("\u001b");
});

test("nobody who could not be asked, looked at or believed passes for nothing", () => {
	const nothing = { ...REPORT, exposed: false, subjects: [] };
	const last = (report: AuditReport) => auditText(report).split("\n").at(-1);
	expect(last(nothing)).toBe("nothing that runs is exposed");
	const error = { code: "TRUST_EXPIRED", message: "the metadata has expired", exit: 3 };
	const notice = { code: "ADVISORY_WITHHELD", id: "x_A-1", message: "it is gone" };
	for (const doubtful of [
		{ ...nothing, registry: { asked: false, error } },
		{ ...nothing, notices: [notice] },
		{ ...nothing, unseen: { code: "LOAD_BPFFS", message: "no bpffs" } },
	]) {
		expect(auditText(doubtful)).toContain("warning: ");
		expect(last(doubtful)).toBe("nothing that runs is exposed, as far as this host can tell");
		expect(exitOf(doubtful)).not.toBe(0);
	}
});

test("the exit code: trust before exposure, exposure or doubt before nothing", () => {
	const nothing = { ...REPORT, exposed: false };
	const failed = (code: string, exit: number) => ({ asked: false, error: { code, message: "x", exit } });
	const notices = [{ code: "ADVISORY_REPLAYED", id: "x_A-1", message: "x" }];
	expect(
		[
			nothing,
			REPORT,
			{ ...nothing, devicesUnseen: { code: "OFFLOAD_DEVICE_TOOL", message: "x" } },
			{ ...nothing, unseen: { code: "LOAD_BPFFS", message: "x" } },
			{ ...nothing, registry: failed("CLI_REGISTRY_UNREACHABLE", 1) },
			{ ...nothing, registry: failed("CLI_NO_REGISTRY", 2) },
			{ ...nothing, registry: failed("TRUST_ROLLBACK", 3) },
			{ ...nothing, notices },
			{ ...REPORT, notices },
		].map(exitOf),
	).toEqual([0, 1, 0, 1, 1, 1, 3, 3, 3]);
});

test("the report fits its schema, which knows no field besides", () => {
	const file = join(import.meta.dirname, "../../docs/formats/cli.schema.json");
	const schema = JSON.parse(readFileSync(file, "utf8")) as { $defs: object };
	const fits = new Ajv2020({ strict: false }).compile({ ...schema, $ref: "#/$defs/audit" });
	expect(fits(REPORT), JSON.stringify(fits.errors)).toBe(true);
	expect(fits({ ...REPORT, more: 1 })).toBe(false);
});

test("the SARIF log is SARIF 2.1.0, with a rule an advisory and a result a place", () => {
	const error = { code: "TRUST_EXPIRED", message: "the metadata has expired", exit: 3 };
	const empty = { ...REPORT, exposed: false, subjects: [] };
	for (const report of [REPORT, empty, { ...empty, registry: { asked: false, error } }]) {
		const log = JSON.parse(JSON.stringify(sarifLog(report, "0.1.0"))) as unknown;
		expect(isSarif(log), JSON.stringify(isSarif.errors)).toBe(true);
	}
	const { runs } = JSON.parse(JSON.stringify(sarifLog(REPORT, "0.1.0"))) as {
		runs: {
			results: { ruleId: string; ruleIndex: number; level: string }[];
			tool: { driver: { rules: { id: string }[] } };
		}[];
	};
	const [{ results, tool }] = runs as [(typeof runs)[number]];
	expect(results.map(({ ruleId, level }) => `${ruleId} ${level}`)).toEqual([
		"x_KFN-2026-0001 error",
		"x_KFN-2026-0002 error",
		"x_KFN-2026-0003 error",
		"x_KFN-2026-0002 warning",
	]);
	for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex]!.id).toBe(ruleId);
	// The schema has teeth: what is no SARIF is refused by it.
	expect(isSarif({ ...(sarifLog(REPORT, "0.1.0") as object), version: "2.0.0" })).toBe(false);
});
