// kfn boot: units and hooks that load the functions at boot, and what the last boot did.
import { disableBoot, enableBoot } from "#host/boot/enable.ts";
import { type BootRecord, type BootStatus, bootStatus as hostBootStatus } from "#host/boot/status.ts";
import { withLock } from "#host/lock.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";

export async function bootEnable(context: Context, input: { initramfs: boolean }): Promise<Output> {
	const spec = { files: context.bootFiles, loader: context.loader, initramfs: input.initramfs };
	const report = await withLock(openContextHost(context), "boot enable", (lock) => enableBoot(lock, spec));
	const rebuild = {
		"initramfs-tools": "update-initramfs -u makes the image that carries it",
		dracut: "dracut --force makes the image that carries it",
	};
	const hints = [
		"it takes effect at the next boot; systemctl daemon-reload lets systemd see the units now",
		...report.initramfs.map((name) => rebuild[name]),
	];
	const head = report.changed ? "functions are loaded at boot from now on" : "already enabled";
	const document = { ...report, hints };
	return { json: document, text: [head, ...hints.map((hint) => `hint: ${hint}`)].join("\n") };
}

export async function bootDisable(context: Context): Promise<Output> {
	const report = await withLock(openContextHost(context), "boot disable", disableBoot);
	const text = report.changed
		? "nothing is loaded at boot any more; what runs stays\nhint: an initramfs that was made before still loads what it carries: make it again"
		: "not enabled";
	return { json: report, text };
}

export async function bootStatus(context: Context): Promise<Output> {
	const status = hostBootStatus(openContextHost(context));
	return { json: status, text: statusLines(status).join("\n") };
}

function statusLines(status: BootStatus): string[] {
	const { enabled, initramfs, off, boot, unfinished, images } = status;
	const switched = { parameter: "kfn=off on the kernel's command line", file: "/etc/kfn/off" };
	return [
		enabled ? `enabled${initramfs ? ", also in the initramfs" : ""}` : "not enabled\n  hint: kfn boot enable",
		...(off === null ? [] : [`switched off by ${switched[off]}`]),
		...(boot.system === null && boot.initramfs === null ? ["this boot loaded nothing"] : []),
		...[boot.initramfs, boot.system, boot.again].flatMap((record) =>
			record === null ? [] : recordLines(record),
		),
		...unfinished.map(
			({ generation, boots }) => `generation ${generation}: ${boots} boot(s) did not reach good`,
		),
		...images.filter(({ stale }) => stale).map(staleLine),
	];
}

const WHY: Readonly<Record<BootRecord["why"], string>> = {
	current: "the current one",
	unfinished: "a boot with the current one did not reach good",
	refused: "the current one was refused, or a part of it",
	"this-boot": "what this boot chose",
	"nothing-missing": "nothing was missing",
	off: "switched off",
};

function recordLines(record: BootRecord): string[] {
	const { stage, generation, why, startMicroseconds: start, endMicroseconds: end } = record;
	const seconds = (start / 1e6).toFixed(3);
	const took = ((end - start) / 1000).toFixed(1);
	const what = generation > 0 ? `generation ${generation}` : "no generation";
	const hint = why === "unfinished" ? ["  hint: kfn boot enable lets the next boot try it again"] : [];
	return [
		`${stage}: ${what} (${WHY[why]}), ${record.functions.length} function(s), ${took} ms, from ${seconds} s after the start`,
		...hint,
		...lockdownLine(record.lockdown),
		...record.left.map(
			(left) => `  not loaded: ${left.function} in ${left.scope}: ${left.error.message} [${left.error.code}]`,
		),
		...record.absent.map((absent) => `  no namespace yet: ${absent.function} in ${absent.scope}`),
		...record.refused.map(
			(refused) =>
				`  refused: generation ${refused.generation}: ${refused.error.message} [${refused.error.code}]`,
		),
	];
}

function lockdownLine(lockdown: BootRecord["lockdown"]): string[] {
	if (lockdown?.error) return [`  lockdown is off: ${lockdown.error.message} [${lockdown.error.code}]`];
	return lockdown && lockdown.mode !== "off" ? [`  lockdown: ${lockdown.mode}`] : [];
}

function staleLine({ release, generation }: BootStatus["images"][number]): string {
	const carries = generation === 0 ? "nothing" : `generation ${generation}`;
	return `the initramfs of ${release} carries ${carries}, not what is good now\n  hint: make it again: update-initramfs -u, or dracut --force`;
}
