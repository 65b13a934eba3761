// Bundles that their publisher calls experimental, on a fake kernel: taken only where somebody says that they want them all the same. That the
// loader looks again is shown in host/native/ingress.kernel.test.ts.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { outcome } from "#test/harness/trust-world.ts";
import { applyState } from "./apply.ts";
import { readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { parsePlan } from "./plan.ts";
import { rollback } from "./rollback.ts";
import { parseScope } from "./scope.ts";
import { upgrade } from "./upgrade.ts";

const WHY = "it is a laboratory";
let key: SecretKey;
let plain: SignedSample;
let marked: SignedSample;
let later: SignedSample;

beforeAll(async () => {
	key = await generateKeyPair("test");
	const make = (version: string, offset: number, experimental?: string) =>
		signedSample({
			version,
			offset,
			signers: [key],
			...(experimental === undefined ? {} : { experimental }),
		});
	plain = await make("1.0.0", 20);
	marked = await make("1.1.0", 24, WHY);
	later = await make("1.2.0", 28, WHY);
});

function open() {
	const fake = openFakeHost({ key });
	trustKeys(fake.host.layout.root, ["sample"], [key]);
	return fake;
}

test("is not installed without a word, which the plan then carries through upgrades and back", async () => {
	using fake = open();
	const entries = () =>
		readCurrentPlan(fake.host).functions.map(({ bundle, experimental }) => [bundle.version, experimental]);
	const asked = { bundle: marked.archive, scope: BLUE };
	const refused = await fake.locked((lock) => install(lock, asked).catch((error: unknown) => error));
	expect(refused).toMatchObject({ code: "HOST_EXPERIMENTAL", message: `sample is experimental: ${WHY}` });
	expect(entries()).toEqual([]);
	await fake.locked((lock) => install(lock, { ...asked, experimental: true }));
	expect(entries()).toEqual([["1.1.0", true]]);
	await fake.locked((lock) => upgrade(lock, { bundle: later.archive }));
	expect(entries()).toEqual([["1.2.0", true]]);
	await fake.locked((lock) => rollback(lock));
	expect(entries()).toEqual([["1.1.0", true]]);
});

test("is not reached by an upgrade of one that was not", async () => {
	using fake = open();
	await fake.locked((lock) => install(lock, { bundle: plain.archive, scope: BLUE, experimental: true }));
	// The word was about a bundle that needs none.
	expect(readCurrentPlan(fake.host).functions[0]).not.toHaveProperty("experimental");
	expect(await outcome(fake.locked((lock) => upgrade(lock, { bundle: marked.archive })))).toBe(
		"HOST_EXPERIMENTAL",
	);
});

test("stands in a state as a word of its own", async () => {
	using fake = open();
	const offered = { archive: marked.archive, permits: {}, raisesFloor: false };
	const entry = { bundle: "sample", version: "*", scope: parseScope(RED), set: {}, offered };
	const apply = (entries: Parameters<typeof applyState>[1]["entries"]) =>
		fake.locked((lock) => applyState(lock, { entries }));
	expect(await outcome(apply([entry]))).toBe("HOST_EXPERIMENTAL");
	await apply([{ ...entry, experimental: true }]);
	expect(readCurrentPlan(fake.host).functions).toMatchObject([{ experimental: true }]);
});

test("in a plan it is true or not there", async () => {
	using fake = open();
	await fake.locked((lock) => install(lock, { bundle: marked.archive, scope: BLUE, experimental: true }));
	const plan = readCurrentPlan(fake.host);
	const changed = { ...plan, functions: plan.functions.map((entry) => ({ ...entry, experimental: false })) };
	expect(() => parsePlan(JSON.stringify(changed))).toThrow(/experimental: expected true/);
});
