// An audit for people and programs (docs/formats/audit.md).

import type { AuditSubject } from "#host/advisories/audit.ts";
import type { Fix } from "#host/advisories/fix.ts";
import type { OpenAdvisory } from "#host/advisories/judge.ts";
import type { Notice } from "#host/advisories/known.ts";
import { oneLine } from "../printable.ts";
import { noticeLines } from "./advisory.ts";

export interface AuditedAdvisory extends OpenAdvisory {
	readonly fix: Fix | null;
}

export interface AuditedSubject extends Omit<AuditSubject, "config" | "advisories"> {
	readonly advisories: readonly AuditedAdvisory[];
}

export interface RegistryAnswer {
	/** Whether its lists were read now; otherwise the host judged by what it remembers. */
	readonly asked: boolean;
	readonly error: { readonly code: string; readonly message: string; readonly exit: number } | null;
}

export interface AuditReport {
	/** Whether something that counts as now has an open advisory. */
	readonly exposed: boolean;
	readonly kernel: {
		readonly release: string;
		readonly upstream: string | null;
		/** Why upstream cannot be told; null where it can. */
		readonly why: string | null;
	};
	readonly registry: RegistryAnswer;
	readonly notices: readonly Notice[];
	/** Why the kernel could not be looked at; null where it was. */
	readonly unseen: { readonly code: string; readonly message: string } | null;
	/** Why devices could not be asked what they run; those that carry a function are known without. Null where they were. */
	readonly devicesUnseen: { readonly code: string; readonly message: string } | null;
	readonly subjects: readonly AuditedSubject[];
}

/** 3 where trust fails, 1 where something is exposed now or cannot be told, else 0 (docs/formats/audit.md). */
export function exitOf({ exposed, registry, notices, unseen }: AuditReport): number {
	if (registry.error?.exit === 3 || notices.length > 0) return 3;
	// A registry that is not configured is no usage error of this command.
	return exposed || unseen !== null || registry.error !== null ? 1 : 0;
}

export function auditText(report: AuditReport): string {
	const { kernel, registry, notices, unseen, devicesUnseen, subjects } = report;
	const open = subjects.filter(({ advisories }) => advisories.length > 0);
	const made = kernel.upstream === null ? `cannot be told: ${kernel.why}` : kernel.upstream;
	return [
		`kernel    ${oneLine(kernel.release)}, upstream ${oneLine(made)}`,
		...noticeLines(notices),
		...(registry.error === null
			? []
			: [
					`warning: judged by what this host remembers: ${oneLine(registry.error.message)} [${registry.error.code}]`,
				]),
		...(unseen === null
			? []
			: [`warning: what runs could not be looked at: ${oneLine(unseen.message)} [${unseen.code}]`]),
		...(devicesUnseen === null
			? []
			: [`warning: devices could not be asked: ${oneLine(devicesUnseen.message)} [${devicesUnseen.code}]`]),
		...open.flatMap(subjectLines),
		verdict(report),
	].join("\n");
}

function verdict({ exposed, subjects, registry, notices, unseen }: AuditReport): string {
	if (exposed) {
		const ids = subjects.flatMap(({ now, advisories }) => (now ? advisories.map(({ id }) => id) : []));
		return `exposed now to ${[...new Set(ids)].sort().join(", ")}`;
	}
	const isSure = registry.error === null && notices.length === 0 && unseen === null;
	return isSure
		? "nothing that runs is exposed"
		: "nothing that runs is exposed, as far as this host can tell";
}

function subjectLines(subject: AuditedSubject): string[] {
	const mark = subject.now ? "EXPOSED" : subject.where;
	return [
		`${mark.padEnd(8)}  ${subjectText(subject)}`,
		...subject.advisories.flatMap((advisory) => advisoryLines(subject, advisory)),
	];
}

/** In words: what it is, and where. */
export function subjectText({
	where,
	function: name,
	scope,
	device,
	bundle,
	version,
	held,
}: AuditedSubject): string {
	if (device !== null) return `${name} in the device ${oneLine(device)}`;
	const at = scope === null ? "" : ` in ${oneLine(scope)}`;
	if (bundle === null)
		return `${name}: the kernel's own code${scope === null ? ", wherever no bundle runs" : at}`;
	const how = {
		running: "",
		device: "",
		boot: ", at the next boot",
		fallback: ", if the next boot falls back",
		held: "",
		stored: "",
	};
	return `${bundle} ${version}${at}${how[where]}${held ? ", held" : ""}`;
}

function advisoryLines(subject: AuditedSubject, advisory: AuditedAdvisory): string[] {
	const { id, aliases, summary, severity, ground } = advisory;
	return [
		`  ${[id, ...aliases].join(", ")}: ${oneLine(summary)}`,
		...severity.map(({ score }) => `    ${score}`),
		...(ground === "unknown" ? ["    counted, because it cannot be told what the kernel is made of"] : []),
		`    ${fixText(subject, advisory)}`,
	];
}

/** What takes it away, as a command where there is one. */
export function fixText({ bundle, scope }: AuditedSubject, { kind, fix }: AuditedAdvisory): string {
	if (kind === "kernel-only") return "only a kernel can fix it; no bundle patches it";
	if (fix === null) return "no published release is known to fix it";
	const set = Object.entries(fix.set).map(
		([name, value]) => ` --set ${name}=${Array.isArray(value) ? value.join(",") : value}`,
	);
	const verb = bundle === fix.bundle && set.length === 0 ? "upgrade" : "install";
	const where = verb === "install" ? ` --scope ${scope ?? "SCOPE"}` : "";
	return `fix: kfn ${verb} ${fix.bundle}@${fix.version}${where}${set.join("")}`;
}
