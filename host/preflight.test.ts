// Preflight on a fake kernel: the hook is judged by the rules of an apply. What the real kernel says is in preflight.kernel.test.ts.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, openFakeHost } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { install } from "./install.ts";
import { preflight } from "./preflight.ts";

let key: SecretKey;
let sample: SignedSample;
let rival: SignedSample;

beforeAll(async () => {
	key = await generateKeyPair("test");
	sample = await signedSample({ version: "1.0.0", signers: [key] });
	rival = await signedSample({ name: "rival", version: "3.0.0", signers: [key] });
});

test("a dissector in the root namespace keeps another namespace's hook from being free, and its own place from another bundle", async () => {
	using fake = openFakeHost({ key });
	trustKeys(fake.host.layout.root, ["sample", "rival"], [key]);
	await fake.locked((lock) => install(lock, { bundle: sample.archive, scope: "netns:root" }));
	const elsewhere = await fake.locked((lock) => preflight(lock, { bundle: sample.archive, scope: BLUE }));
	expect(elsewhere.functions).toMatchObject([
		{ loads: { have: "yes" }, hook: { have: "no", reason: /exclude each other/ } },
	]);
	expect(elsewhere.ready).toBe(false);
	const beside = await fake.locked((lock) => preflight(lock, { bundle: rival.archive, scope: "netns:root" }));
	expect(beside.functions).toMatchObject([
		{ hook: { have: "no", reason: "sample provides flow-dissector there" } },
	]);
	const own = await fake.locked((lock) => preflight(lock, {}));
	expect(own.functions).toMatchObject([{ hook: { have: "yes", reason: /kfn's own/ } }]);
});
