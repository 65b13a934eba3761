// One changing command of the host in a process of its own, for tests that kill it or make it fail at a chosen point.
// Refuses to decide anything: its one argument says which command, with which loader and which fault.
import { readFileSync, writeFileSync } from "node:fs";
import { type FaultKind, faultAt } from "#host/faults.ts";
import { gc } from "#host/gc.ts";
import { openHost } from "#host/host.ts";
import { install } from "#host/install.ts";
import { type HostLock, withLock } from "#host/lock.ts";
import { remove } from "#host/remove.ts";
import { rollback } from "#host/rollback.ts";
import { upgrade } from "#host/upgrade.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "./fake-kfn-load.ts";

/** A command as data, so that a test can hand it to another process. */
export type HostCommand =
	| { readonly verb: "install" | "upgrade"; readonly archive: string; readonly scope?: string }
	| { readonly verb: "rollback"; readonly to?: number }
	| { readonly verb: "gc"; readonly keep: number }
	| { readonly verb: "remove"; readonly name: string; readonly purge?: boolean };

export interface HostChildSpec {
	readonly root: string;
	/** Path of a loader, or "fake" for the fake kernel of the root. */
	readonly loader: string;
	readonly command: HostCommand;
	readonly fault?: { readonly at: number; readonly kind: FaultKind };
	/** Where to write the names of the points that were passed. */
	readonly passed?: string;
}

/** Opens the host that a spec names. */
export function hostOf(
	spec: HostChildSpec,
): ReturnType<typeof openHost> & { readonly passed: readonly string[] } {
	const faults = faultAt(spec.fault?.at ?? 0, spec.fault?.kind ?? "fail");
	const kernel = spec.loader === "fake" ? new FakeKernel(spec.root) : undefined;
	const host = openHost({
		root: spec.root,
		faults,
		loader: kernel === undefined ? spec.loader : fakeLoader(kernel),
		// With a window, so that it is among the points; on the real kernel it is left out, where each would take its time.
		...(kernel === undefined
			? {}
			: {
					namespaces: fakeNamespaces(kernel),
					health: () => ({ seconds: 0.01, check: undefined }),
				}),
	});
	return { ...host, passed: faults.passed };
}

/** Runs a command in this process. */
export function runCommand(lock: HostLock, command: HostCommand): Promise<unknown> {
	switch (command.verb) {
		case "install":
			return install(lock, { ...command, bundle: readFileSync(command.archive) });
		case "upgrade":
			return upgrade(lock, { ...command, bundle: readFileSync(command.archive) });
		case "rollback":
			return rollback(lock, command);
		case "gc":
			return gc(lock, command);
		case "remove":
			return remove(lock, command);
	}
}

async function main(spec: HostChildSpec): Promise<void> {
	const host = hostOf(spec);
	try {
		const report = await withLock(host, spec.command.verb, (lock) => runCommand(lock, spec.command));
		console.log(JSON.stringify({ report }));
	} catch (error) {
		const { code, message, details } = error as { code?: string; message: string; details?: unknown };
		console.log(JSON.stringify({ error: { code, message, details } }));
	}
	if (spec.passed !== undefined) writeFileSync(spec.passed, JSON.stringify(host.passed));
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as HostChildSpec);
