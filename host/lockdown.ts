// Which programs the kernel lets in: etc/kfn/lockdown.json, and the loader that makes the kernel follow it (docs/formats/lockdown.md).
// Refuses to enforce what was not watched first, unless that is asked for.
import { readEnabled } from "./boot/enable.ts";
import { statOf } from "./durable.ts";
import { HostError } from "./errors.ts";
import type { Host } from "./host.ts";
import type { LockdownAnswer } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { exact, listOf, matching, oneOf } from "./shape.ts";
import { readJson, unlessDamaged } from "./state-file.ts";

/** As many as the kernel's map has room for beside kfn-load itself. */
const MOST_ALLOWED = 62;

const policyShape = exact({
	schema: oneOf("kfn.lockdown/1"),
	mode: oneOf("off", "audit", "enforce"),
	allow: listOf(matching(/^\/[^\p{Cc}]{0,4094}$/u, "an absolute path"), MOST_ALLOWED),
});
type Policy = ReturnType<typeof policyShape>;

export interface EnableLockdown {
	readonly mode: "audit" | "enforce";
	/** Executables to let in from now on, beside those that are; by absolute path. */
	readonly allow: readonly string[];
	readonly disallow: readonly string[];
	/** Enforce without having watched. */
	readonly now: boolean;
}

export interface LockdownStatus extends Omit<LockdownAnswer, "ok"> {
	/** The next boot loads it again. */
	readonly atBoot: boolean;
}

/**
 * Turns lockdown on, in this boot and from the next one on, or changes its mode and its executables.
 *
 * HOST_LOCKDOWN_NOT_AUDITED where it shall enforce and was not on; HOST_LOCKDOWN_FILE for an executable that cannot be let in. Where the
 * kernel does not follow, lockdown.json is as before and the loader's error says why.
 */
export async function enableLockdown(lock: HostLock, spec: EnableLockdown): Promise<LockdownStatus> {
	const { host } = lock;
	const before = readPolicy(host);
	if (spec.mode === "enforce" && !spec.now && (await host.loader.lockdown("status")).mode === "off") {
		throw new HostError(
			"HOST_LOCKDOWN_NOT_AUDITED",
			"nothing was watched in this boot that could be denied",
			{
				hint: "kfn lockdown enable watches first, kfn lockdown status shows what would be denied; --now enforces at once",
			},
		);
	}
	for (const path of spec.allow) demandRootsOwn(host, path);
	const allow = new Set([...(before?.allow ?? []), ...spec.allow]);
	for (const path of spec.disallow) allow.delete(path);
	writePolicy(lock, { schema: "kfn.lockdown/1", mode: spec.mode, allow: [...allow].sort() });
	try {
		return withBoot(host, await host.loader.lockdown("apply"));
	} catch (error) {
		if (before === undefined) host.durable.removeFile(host.layout.lockdown);
		else writePolicy(lock, before);
		throw error;
	}
}

/** Takes lockdown off and leaves it off, also where lockdown.json is damaged; the executables stay listed. */
export async function disableLockdown(lock: HostLock): Promise<LockdownStatus> {
	const { host } = lock;
	const before = unlessDamaged(() => readPolicy(host));
	if (before === undefined) host.durable.removeFile(host.layout.lockdown);
	else if (before.mode !== "off") writePolicy(lock, { ...before, mode: "off" });
	return withBoot(host, await host.loader.lockdown("off"));
}

export async function lockdownStatus(host: Host): Promise<LockdownStatus> {
	return withBoot(host, await host.loader.lockdown("status"));
}

function withBoot(host: Host, { ok: _, ...answer }: LockdownAnswer): LockdownStatus {
	return { ...answer, atBoot: answer.configured !== "off" && readEnabled(host) !== undefined };
}

function readPolicy(host: Host): Policy | undefined {
	return readJson(host.layout.lockdown, policyShape);
}

function writePolicy({ host }: HostLock, policy: Policy): void {
	host.durable.makeFolder(host.layout.config);
	host.durable.writeFile(host.layout.lockdown, `${JSON.stringify(policyShape(policy, ""), null, 2)}\n`);
}

/** What somebody else may write would let in whatever he writes. The kernel looks again at each load. */
function demandRootsOwn(host: Host, path: string): void {
	const stat = path.startsWith("/") ? statOf(path) : undefined;
	if (stat?.isFile() && Number(stat.uid) === 0 && (Number(stat.mode) & 0o022) === 0) return;
	throw new HostError("HOST_LOCKDOWN_FILE", `${path} is not an executable that only root may write`, {
		hint: "name it by its absolute path; it must be there, belong to root, and be writable by nobody else",
		details: { path, root: host.layout.root },
	});
}
