// An audit as SARIF 2.1.0 (OASIS standard), for whatever collects findings. Refuses to invent places in files: a finding is about a
// function of this host, which SARIF calls a logical location.

import type { AuditedAdvisory, AuditedSubject, AuditReport } from "./audit.ts";
import { fixText, subjectText } from "./audit.ts";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/** One run: a rule for each open advisory, a result for each place where it is open, a notification for each warning. */
export function sarifLog(report: AuditReport, version: string): unknown {
	const rules = rulesOf(report);
	const results = report.subjects.flatMap((subject) =>
		subject.advisories.map((advisory) => result(subject, advisory, rules)),
	);
	return {
		$schema: SCHEMA,
		version: "2.1.0",
		runs: [
			{
				tool: { driver: { name: "kfn", version, rules: rules.map(rule) } },
				invocations: [
					{
						executionSuccessful: report.registry.error === null && report.unseen === null,
						toolExecutionNotifications: warningsOf(report).map(notification),
					},
				],
				results,
				properties: { exposed: report.exposed, kernel: report.kernel },
			},
		],
	};
}

function rulesOf({ subjects }: AuditReport): AuditedAdvisory[] {
	const rules = new Map(
		subjects.flatMap(({ advisories }) => advisories.map((each) => [each.id, each] as const)),
	);
	return [...rules.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function rule({ id, aliases, summary, kind, severity }: AuditedAdvisory): unknown {
	return {
		id,
		shortDescription: { text: summary },
		defaultConfiguration: { level: "error" },
		properties: { tags: ["security", kind], aliases, cvss: severity.map(({ score }) => score) },
	};
}

function result(
	subject: AuditedSubject,
	advisory: AuditedAdvisory,
	rules: readonly AuditedAdvisory[],
): unknown {
	const { where, now, function: name, scope, device, bundle, version, tag, held } = subject;
	const place = [name, scope ?? device, bundle, version].filter((part) => part !== null).join(" ");
	return {
		ruleId: advisory.id,
		ruleIndex: rules.findIndex(({ id }) => id === advisory.id),
		// What does not run is no error yet.
		level: now ? "error" : "warning",
		kind: "fail",
		message: { text: `${subjectText(subject)}: ${advisory.summary}. ${fixText(subject, advisory)}` },
		locations: [{ logicalLocations: [{ name, fullyQualifiedName: `${where} ${place}`, kind: "function" }] }],
		partialFingerprints: { "kfn/v1": `${advisory.id} ${where} ${place}` },
		properties: { where, now, scope, device, bundle, version, tag, held, ground: advisory.ground },
	};
}

function warningsOf({
	registry,
	notices,
	unseen,
	devicesUnseen,
}: AuditReport): { code: string; message: string }[] {
	return [...notices, ...[registry.error, unseen, devicesUnseen].filter((problem) => problem !== null)];
}

function notification({ code, message }: { code: string; message: string }): unknown {
	return { level: "warning", message: { text: message }, descriptor: { id: code } };
}
