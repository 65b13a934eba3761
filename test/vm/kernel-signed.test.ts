// On a kernel that checks signatures, the kernel itself takes the signed program and rejects the one with a changed byte; `kfn status` says
// which of the two looked; so does the boot record, where the initramfs carries the certificate. Two boots, the first about twice as long
// as one of kernels.test.ts, for node starts in it twice.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerUndo, type Undo } from "../harness/cleanup.ts";
import { skipUnless } from "../harness/feature.ts";
import { type Boot, boot, haveKernel, releaseOf } from "./boot.ts";
import { buildEarlyImage, buildSignedImage, type SignedImage } from "./kernel-signed-image.ts";

const HAVE = haveKernel("7");
const CHECKED = { verified: "kernel", keyring: "kernel-keys" };

let undo: Undo;
let image: SignedImage;
let folder: string;
let booted: Boot;

beforeAll(async () => {
	if (HAVE.have !== "yes") return;
	folder = mkdtempSync(join(tmpdir(), `kfn-vm-signed-${process.pid}-`));
	undo = registerUndo(`vm image ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	image = await buildSignedImage(folder);
	booted = await boot("7", image.initrd, 240_000);
	const seconds = (booted.milliseconds / 1000).toFixed(1);
	process.stdout.write(
		`  ${booted.reports.get("version")?.text.trim()}: booted, tested and ended in ${seconds} s\n`,
	);
});

afterAll(() => undo?.run());

// biome-ignore lint/suspicious/noExplicitAny: the answers of loader and command line, whose shape is what the tests check
function answer(name: string, exit = 0, from = booted): any {
	const report = from.reports.get(name);
	expect({ name, exit: report?.exit, text: report?.text }).toEqual({ name, exit, text: expect.any(String) });
	return JSON.parse(report!.text);
}

describe("on a kernel that checks signatures", () => {
	it("finds the enrolled certificate's key in the keyring that the loader makes", (context) => {
		skipUnless(context, HAVE);
		const { kernelSignatures, keyrings, problem } = answer("keys");
		expect(kernelSignatures.have).toBe("yes");
		expect(keyrings["kernel-keys"]).toEqual([`kfn kernel key: ${image.keyid}`]);
		expect(keyrings[".builtin_trusted_keys"].length).toBeGreaterThan(0);
		expect(problem).toBeNull();
	});

	it("the kernel checks an installed bundle's signature, and `kfn status` says so", (context) => {
		skipUnless(context, HAVE);
		expect(answer("install").functions).toMatchObject([{ step: "attach", verified: "kernel" }]);
		const { health, functions } = answer("status");
		expect(health).toBe("good");
		expect(functions).toMatchObject([
			{
				...CHECKED,
				...{ running: true, kernelSigned: true },
				verifiedReason: `the kernel checked the signature with the key ${image.keyid} of kernel-keys`,
			},
		]);
	});

	it("the kernel rejects a program that differs in one byte from the signed one, whoever vouches for it", (context) => {
		skipUnless(context, HAVE);
		expect(answer("honest").functions).toMatchObject([CHECKED]);
		const { error } = answer("forged", 3);
		expect(error).toMatchObject({
			code: "LOAD_KERNEL_SIGNATURE_REJECTED",
			details: { errno: "EKEYREJECTED" },
		});
	});

	it("says nothing of the kernel where it did not look: parameters, a key that it lacks, a signature that was taken out", (context) => {
		skipUnless(context, HAVE);
		const reasons = {
			tuned: /not at their defaults/,
			unknown: /^the kernel has no key /,
			stripped: /carries no signature/,
		};
		for (const [name, reason] of Object.entries(reasons)) {
			const [checked] = answer(name).functions;
			expect(checked).toMatchObject({
				verified: "loader",
				keyring: null,
				vectors: { run: expect.any(Number) },
			});
			expect(checked.verifiedReason).toMatch(reason);
		}
	});

	it("an initramfs with the enrolled certificate loads before anything else what the kernel then checks", async (context) => {
		skipUnless(context, HAVE);
		const release = releaseOf("7");
		const early = await boot("7", await buildEarlyImage(folder, image, release), 240_000);
		process.stdout.write(`  initramfs-tools on ${release}: ${(early.milliseconds / 1000).toFixed(1)} s\n`);
		expect(early.reports.get("kernel")?.text).toBe(`${release}\n`);
		expect(answer("early", 0, early)).toMatchObject({
			...{ stage: "initramfs", generation: 1, why: "current", refused: [] },
			functions: [{ step: "attach", scope: "netns:root", ...CHECKED }],
		});
		expect(answer("keys", 0, early).keyrings["kernel-keys"]).toEqual([`kfn kernel key: ${image.keyid}`]);
		expect(answer("inspect", 0, early).pins).toMatchObject([
			{ scope: "netns:root", keyring: "kernel-keys", link: { alive: true } },
		]);
	});

	it("what the kernel checked when it was loaded stays checked while it runs, and its mark goes with it", (context) => {
		skipUnless(context, HAVE);
		expect(answer("keep").functions).toMatchObject([{ step: "keep", ...CHECKED }]);
		expect(answer("keep-unknown").functions).toMatchObject([{ step: "keep", ...CHECKED }]);
		expect(answer("unsigned").functions).toMatchObject([
			{ step: "replace", verified: "loader", keyring: null },
		]);
		expect(answer("inspect-unsigned").pins).toMatchObject([{ keyring: null, link: { alive: true } }]);
	});
});
