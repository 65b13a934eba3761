// Every rule that the fake kernel knows, on the real loader and kernel.
import { beforeAll, beforeEach } from "vitest";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { loaderContract } from "#test/harness/loader-contract.ts";
import { openRealWorld } from "#test/harness/loader-world.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});
beforeEach((context) => skipUnlessKernel(context));

loaderContract(
	"the real kfn-load",
	() => openRealWorld(samples.key),
	() => samples,
);
