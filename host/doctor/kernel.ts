// What `kfn doctor` asks of the kernel: through the loader where it takes bpf(), and of /proc. Changes nothing.
import { readFileSync, statSync } from "node:fs";
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";
import type { ProbeAnswer } from "../loader-answers.ts";
import { type Check, type Finding, fromError, ok, problem, unknown } from "./check.ts";

export const loaderCheck: Check = {
	name: "loader",
	async look(host) {
		try {
			const { version } = await host.loader.version();
			return [ok(`kfn-load ${version} answers`)];
		} catch (error) {
			if (codeOf(error) === "") throw error;
			return [fromError("problem", error)];
		}
	},
};

export const bpffsCheck: Check = {
	name: "bpffs",
	async look(host) {
		const { bpffs } = await host.loader.probe();
		const reason = bpffs?.reason ?? "the loader does not say";
		if (bpffs?.have === "yes") return [ok(`bpffs is ${reason}`)];
		if (bpffs?.have === "no") return [problem(reason, "mount -t bpf bpf /sys/fs/bpf")];
		return [unknown(reason)];
	},
};

export const featuresCheck: Check = {
	name: "kernel",
	async look(host) {
		const { kernel, features, kernelSignatures } = await host.loader.probe();
		// A symbol of the kernel (`ksym:`) is what single functions read, and many kernels lack one: their preflight says so.
		const asked = Object.entries(features).filter(([name]) => !name.startsWith("ksym:"));
		const found = asked.flatMap(([name, have]) => featureFinding(name, have));
		const lacks =
			found.length > 0 ? found : [ok(`Linux ${kernel} has every hook and program type that functions use`)];
		return [...lacks, signatureFinding(kernelSignatures)];
	},
};

/** None where the kernel has it: one line for all of them is enough. */
function featureFinding(name: string, { have, reason = "" }: ProbeAnswer["features"][string]): Finding[] {
	if (have === "yes") return [];
	if (have === "no")
		return [problem(`the kernel lacks ${name}: ${reason}`, "functions that need it will not load")];
	return [unknown(`whether the kernel has ${name} could not be told: ${reason}`)];
}

/** Not a problem where it has not: the loader verifies, and says so. */
function signatureFinding(have: ProbeAnswer["kernelSignatures"]): Finding {
	if (have?.have === "yes") return ok("the kernel can check signatures itself");
	const reason = have?.reason ?? "the loader does not say";
	if (have?.have === "no") return ok(`the loader checks signatures, the kernel does not: ${reason}`);
	return unknown(`whether the kernel can check signatures could not be told: ${reason}`);
}

/** net.core.bpf_jit_enable; `path` is the file of the sysctl. */
export function jitCheck(path = "/proc/sys/net/core/bpf_jit_enable"): Check {
	return { name: "jit", look: () => [jitFinding(path)] };
}

function jitFinding(path: string): Finding {
	try {
		const value = readFileSync(path, "utf8").trim();
		if (value === "0")
			return problem("programs are interpreted: the BPF JIT is off", "sysctl net.core.bpf_jit_enable=1");
		return ok("the BPF JIT is on");
	} catch (error) {
		// Without the JIT in its configuration, a kernel has no such file; neither may everyone read it.
		return unknown(`whether the BPF JIT is on could not be told (${codeOf(error)})`);
	}
}

/** Whether somebody holds the host's lock, by /proc/locks: trying it would keep a command out that starts now. */
export function lockCheck(path = "/proc/locks"): Check {
	return { name: "lock", look: (host) => [lockFinding(host, path)] };
}

function lockFinding(host: Host, path: string): Finding {
	const held = lockHolder(host.layout.lock, path);
	if (held === undefined) return ok("no command is changing this host");
	return problem(`process ${held} is changing this host, or hangs`, "wait until it is done, then look again");
}

/** The pid of the flock's holder (proc(5), /proc/locks: its 5th field, and the file as major:minor:inode in the 6th). */
function lockHolder(file: string, locks: string): string | undefined {
	const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
	if (stat === undefined) return undefined;
	const lines = readFileSync(locks, "utf8")
		.split("\n")
		.map((line) => line.trim().split(/\s+/));
	// The device is left out: on btrfs and overlayfs stat(2) tells another one than the kernel's list.
	return lines.find(([, kind, , , , place]) => kind === "FLOCK" && place?.endsWith(`:${stat.ino}`))?.[4];
}
