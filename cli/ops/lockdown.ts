// kfn lockdown: which BPF programs the kernel lets in (docs/formats/lockdown.md).
import { withLock } from "#host/lock.ts";
import {
	disableLockdown,
	type EnableLockdown,
	enableLockdown,
	lockdownStatus as hostStatus,
	type LockdownStatus,
} from "#host/lockdown.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function lockdownEnable(context: Context, input: EnableLockdown): Promise<Output> {
	const host = openContextHost(context);
	const status = await withLock(host, "lockdown enable", (lock) => enableLockdown(lock, input));
	return output(status, [
		...(input.mode === "audit"
			? ["hint: kfn lockdown enable --enforce denies what kfn lockdown status lists"]
			: []),
		...(status.atBoot ? [] : ["hint: it ends with this boot: kfn boot enable brings it back at the next"]),
	]);
}

export async function lockdownDisable(context: Context): Promise<Output> {
	return output(await withLock(openContextHost(context), "lockdown disable", disableLockdown));
}

export async function lockdownStatus(context: Context): Promise<Output> {
	return output(await hostStatus(openContextHost(context)));
}

function output(status: LockdownStatus, hints: readonly string[] = []): Output {
	return { json: status, text: [...statusLines(status), ...hints].join("\n") };
}

function statusLines(status: LockdownStatus): string[] {
	const { mode, possible, configured, since, counts, executables, refusals } = status;
	if (mode === "off") {
		return [
			configured === "off" ? "off: every BPF program is let in" : `off, though ${configured} is configured`,
			...(possible === "no"
				? ["  not possible in this boot: lsm= lacks bpf (docs/formats/lockdown.md)"]
				: []),
		];
	}
	const refused = mode === "enforce" ? "denied, or noticed before" : "would be denied";
	return [
		`${mode} since ${time(since ?? 0)}`,
		`  let in: ${counts.bySignature} signed, ${counts.byExecutable} by executable, ${counts.byKernel} by the kernel itself`,
		`  ${refused}: ${counts.refused}`,
		...executables.map(({ path, admitted, reason }) =>
			admitted ? `  may load: ${path}` : `  may not load: ${path}: ${reason}`,
		),
		...(refusals.length === 0 ? [] : [columns(refusals.map(refusalRow))]),
	];
}

function refusalRow(refusal: LockdownStatus["refusals"][number]): string[] {
	const { at, pid, uid, executable, type, name, denied } = refusal;
	return [
		`  ${time(at)}`,
		denied ? "denied" : "noticed",
		type,
		name,
		`${executable} (pid ${pid}, uid ${uid})`,
	];
}

function time(seconds: number): string {
	return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
