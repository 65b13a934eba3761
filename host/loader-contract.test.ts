// The fake kernel under the contract that the kernel test proves on the real one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { FakeKernel, fakeLoader } from "#test/harness/fake-kfn-load.ts";
import { makeSamples, type Samples, trustKeys } from "#test/harness/host-world.ts";
import { type LoaderWorld, loaderContract } from "#test/harness/loader-contract.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

loaderContract("the fake kfn-load", openFakeWorld, () => samples);

async function openFakeWorld(): Promise<LoaderWorld> {
	const root = mkdtempSync(join(tmpdir(), "kfn-fake-"));
	const kernel = FakeKernel.boot(root);
	trustKeys(root, ["sample"], [samples.key]);
	let made = 0;
	return {
		root,
		loader: fakeLoader(kernel),
		unprivileged() {
			kernel.change((state) => {
				state.privileged = false;
			});
			return fakeLoader(kernel);
		},
		async addNamespace() {
			const path = `/run/netns/fake-${++made}`;
			kernel.addNamespace(path);
			return path;
		},
		endNamespace: async (path) => kernel.endNamespace(path),
		attachForeign: async (path) => kernel.attachForeign(path),
		async unmountBpffs() {
			kernel.change((state) => {
				state.bpffs = false;
			});
		},
		[Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }),
	};
}
