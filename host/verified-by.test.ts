import { expect, test } from "vitest";
import type { Applied } from "./generations.ts";
import type { Pin } from "./loader-answers.ts";
import { verifiedBy } from "./verified-by.ts";

type AppliedFunction = Applied["functions"][number];

const byLoader = { verified: "loader", keyring: null, verifiedReason: "no signature" } as AppliedFunction;
const byKernel = {
	verified: "kernel",
	keyring: "kernel-keys",
	verifiedReason: "the key 00 of kernel-keys",
} as AppliedFunction;
const marked = { keyring: "kernel-keys" } as Pin;
const unmarked = { keyring: null } as Pin;

test("what was applied and what the pins say agree", () => {
	expect(verifiedBy(byLoader, unmarked)).toEqual(byLoader);
	expect(verifiedBy(byKernel, marked)).toEqual(byKernel);
	expect(verifiedBy(undefined, undefined)).toEqual({
		verified: null,
		keyring: null,
		verifiedReason: null,
	});
});

test("the kernel's check of an earlier load says nothing of the one that runs", () => {
	const now = verifiedBy(byKernel, unmarked);
	expect(now).toMatchObject({ verified: "loader", keyring: null });
	expect(now.verifiedReason).toBe("what runs now was loaded without a check by the kernel");
	expect(verifiedBy(byKernel, undefined)).toMatchObject({ verified: null, keyring: null });
});

test("a boot into a kernel that checks is seen, whatever was said before it, and with the keyring of now", () => {
	for (const applied of [byLoader, byKernel, undefined]) {
		const now = verifiedBy(applied, { keyring: ".platform" } as Pin);
		expect(now).toMatchObject({ verified: "kernel", keyring: ".platform" });
		expect(now.verifiedReason).toContain(".platform");
	}
});

test("a file of before kernel-checked signatures has no reason", () => {
	const old = { verified: "loader" } as AppliedFunction;
	expect(verifiedBy(old, {} as Pin)).toEqual({
		verified: "loader",
		keyring: null,
		verifiedReason: null,
	});
});
