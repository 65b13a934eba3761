// A host on a fake kernel in a folder of its own, with two namespaces and a trusted key, for fast tests of the verbs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, openHost } from "#host/host.ts";
import { type HostLock, withLock } from "#host/lock.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "./fake-kfn-load.ts";
import { type Samples, trustKeys } from "./host-world.ts";

export const BLUE = "netns:/run/netns/blue";
export const RED = "netns:/run/netns/red";

export interface FakeHost extends Disposable {
	readonly host: Host;
	readonly kernel: FakeKernel;
	/** Runs one command under the lock. */
	locked<T>(body: (lock: HostLock) => Promise<T> | T): Promise<T>;
}

/** Opens a fresh one at a fixed time; `samples.key` may sign "sample". */
export function openFakeHost(samples: Pick<Samples, "key">): FakeHost {
	const root = mkdtempSync(join(tmpdir(), "kfn-fake-host-"));
	const kernel = FakeKernel.boot(root);
	for (const scope of [BLUE, RED]) kernel.addNamespace(scope.slice("netns:".length));
	trustKeys(root, ["sample"], [samples.key]);
	const host = openHost({
		root,
		loader: fakeLoader(kernel),
		namespaces: fakeNamespaces(kernel),
		now: () => new Date("2026-11-23T10:00:00.000Z"),
	});
	return {
		host,
		kernel,
		locked: (body) => withLock(host, "test", body),
		[Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
	};
}
