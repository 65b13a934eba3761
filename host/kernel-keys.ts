// The certificates that this host gives the kernel to check signatures by (etc/kfn/trust/kernel-keys/<key id>.der), and what the kernel's own
// keyrings hold. Refuses a file that is not under the name of its key id.
import { join } from "node:path";
import { type KernelCertificate, parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { HostError } from "./errors.ts";
import { listFolder } from "./generations.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { readIfThere } from "./state-file.ts";

/** Which keyrings of the kernel BPF_PROG_LOAD can be told to look into, and the one that the loader makes of this host's certificates. */
const USABLE = new Set([".builtin_trusted_keys", ".secondary_trusted_keys", ".platform", "kernel-keys"]);

export interface EnrolledKey {
	readonly keyid: string;
	readonly subject: string;
	readonly file: string;
}

export interface KernelKeysReport {
	/** Whether the kernel checks signatures of programs. */
	readonly kernel: { readonly have: "yes" | "no" | "unknown"; readonly reason: string };
	/** The kernel's keyrings and the loader's, each with what the kernel calls its keys; null where there is none. */
	readonly keyrings: readonly { name: string; keys: readonly string[] | null; usable: boolean }[];
	readonly enrolled: readonly EnrolledKey[];
	/** Why the kernel does not take one of the enrolled certificates; null where it takes them all, or was not asked. */
	readonly problem: string | null;
	/** The certificate that was asked about, and the usable keyrings that hold its key. */
	readonly asked: {
		readonly keyid: string;
		readonly subject: string;
		readonly keyrings: readonly string[];
	} | null;
}

/** Asks the kernel, through the loader, which keys it would check signatures by; changes nothing. */
export async function kernelKeysStatus(
	host: Host,
	asked: KernelCertificate | undefined,
): Promise<KernelKeysReport> {
	const { kernelSignatures, keyrings, problem } = await host.loader.kernelKeys();
	const rows = Object.entries(keyrings).map(([name, keys]) => ({ name, keys, usable: USABLE.has(name) }));
	const holds = (keys: readonly string[] | null) =>
		keys?.some((key) => key.endsWith(`: ${asked?.keyid}`)) ?? false;
	return {
		kernel: { have: kernelSignatures.have, reason: kernelSignatures.reason ?? "" },
		keyrings: rows,
		enrolled: enrolledKeys(host),
		problem,
		asked:
			asked === undefined
				? null
				: {
						keyid: asked.keyid,
						subject: asked.subject,
						keyrings: rows.filter(({ keys, usable }) => usable && holds(keys)).map(({ name }) => name),
					},
	};
}

/** Adds a certificate; returns whether it was not there before. From the next load on, the loader gives it to the kernel. */
export function enrollKernelKey(lock: HostLock, { der, keyid }: KernelCertificate): boolean {
	const { durable, layout } = lock.host;
	const file = fileOf(lock.host, keyid);
	const before = readIfThere(file);
	if (before !== undefined && Buffer.compare(before, der) === 0) return false;
	durable.makeFolder(layout.kernelKeys);
	durable.writeFile(file, der);
	return true;
}

/** Takes a certificate out again. HOST_KERNEL_KEY_UNKNOWN where none has the key id. */
export function removeKernelKey(lock: HostLock, keyid: string): void {
	const { durable, layout } = lock.host;
	if (!/^[0-9a-f]{2,128}$/.test(keyid) || readIfThere(fileOf(lock.host, keyid)) === undefined) {
		throw new HostError("HOST_KERNEL_KEY_UNKNOWN", "no certificate with this key id is enrolled", {
			hint: "kfn kernel-key status lists them",
		});
	}
	durable.removeFile(fileOf(lock.host, keyid));
	durable.removeEmpty(layout.kernelKeys);
}

/** HOST_STATE_MALFORMED for a file that is not what enrolling writes. */
export function enrolledKeys(host: Host): EnrolledKey[] {
	const names = listFolder(host.layout.kernelKeys).filter((name) => /^[^.].*\.der$/.test(name));
	return names.sort().map((name) => {
		const file = join(host.layout.kernelKeys, name);
		const bytes = readIfThere(file) ?? new Uint8Array();
		const { keyid, subject } = parseKernelCertificate(bytes);
		if (name === `${keyid}.der`) return { keyid, subject, file };
		throw new HostError("HOST_STATE_MALFORMED", `${file} is the certificate of another key, ${keyid}`, {
			hint: "kfn kernel-key enroll gives it its name; remove this one",
			details: { path: file },
		});
	});
}

function fileOf(host: Host, keyid: string): string {
	return join(host.layout.kernelKeys, `${keyid}.der`);
}
