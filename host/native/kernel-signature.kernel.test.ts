// Signatures for the kernel, on whatever kernel this is: a file in any other spelling is refused, one that the kernel does not check changes
// nothing and says why, and a mark in the pins counts for its own program only. test/vm has the kernel that checks them.
import { execFileSync } from "node:child_process";
import { readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { parsePkcs7, serializePkcs7 } from "#signing/kernel/pkcs7.ts";
import { generateKernelKey, openKernelKey, signInstructions } from "#signing/kernel/secret-key.ts";
import { serializeKernelSignatures } from "#signing/kernel/signature-file.ts";
import { exists, make, pinDir, Rig, type TestBundle } from "./fixture.ts";

const FN = "flow-dissector";
const INSNS = Buffer.from("9500000000000000", "hex");
let rig: Rig;
let blue: string;
let bundle: TestBundle;
let digest: string;
let pkcs7: Uint8Array;
let certificate: Uint8Array;

beforeAll(async () => {
	make("all");
	const made = await generateKernelKey("test", "x", new Date());
	certificate = made.certificate;
	pkcs7 = signInstructions(INSNS, openKernelKey(made.pem, "x"), parseKernelCertificate(certificate));
});
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
	blue = rig.namespace("blue");
	bundle = rig.bundle();
	digest = check().body.functions[0].programs[0].insnsDigest;
});
afterEach(() => rig.dispose());
afterAll(() => {
	expect(execFileSync("ip", ["netns", "list"], { encoding: "utf8" })).not.toContain(`-${process.pid}\n`);
});

const file = (bytes = pkcs7, of = digest) =>
	Buffer.from(serializeKernelSignatures([{ insnsDigest: of, pkcs7: bytes }]));
const lay = (bytes: Uint8Array) => writeFileSync(join(bundle.dir, "kfn.kernel-sig.json"), bytes);
const check = () => rig.check([bundle.planned(blue)]);

test("without one, and with one that this kernel does not check, the loader verifies and says why", () => {
	expect(check().body.functions).toMatchObject([
		{ verified: "loader", keyring: null, verifiedReason: "the bundle carries no signature for the kernel" },
	]);
	const without = check().body.functions[0].programs;
	lay(file());
	const [checked] = check().body.functions;
	const { have, reason } = rig.run(["probe"]).body.kernelSignatures;
	expect(checked).toMatchObject({ verified: "loader", keyring: null, programs: without });
	if (have === "no") expect(checked.verifiedReason).toBe(reason);
	else expect(checked.verifiedReason).toMatch(/^the kernel has no key /);
	lay(file(pkcs7, "0".repeat(64)));
	expect(check().body.functions[0].verifiedReason).toBe("the bundle carries no signature for the kernel");
});

test("every other spelling is refused: JSON, and DER down to each byte of its frame", () => {
	const good = file().toString();
	const spellings = [
		good.replace("  ", "   "),
		good.replace("\n}", ""),
		good.replace("signatures/1", "signatures/2"),
		good.replace('"pkcs7": "', '"pkcs7": "A'),
		good.replace(digest, digest.toUpperCase()),
		good.replace('"programs": [', '"programs": [\n    null,'),
		good.replace('"programs"', '"x": 1,\n  "programs"'),
		"{}\n",
		"",
	];
	for (const text of spellings) {
		lay(Buffer.from(text));
		expect(check().code, text).toBe("LOAD_KERNEL_SIGNATURE_MALFORMED");
	}
	const { keyid, sig } = parsePkcs7(pkcs7)!;
	const frame = pkcs7.length - sig.length;
	const shapes = Array.from({ length: frame }, (_, at) => {
		const changed = Buffer.from(pkcs7);
		changed[at]! ^= 1;
		return changed;
	}).filter((changed) => parsePkcs7(changed) === undefined);
	expect(shapes.length).toBe(frame - keyid.length);
	const long = serializePkcs7({ keyid: Buffer.alloc(65, 1), sig });
	const short = serializePkcs7({ keyid, sig: sig.subarray(0, 255) });
	for (const bytes of [...shapes, long, short, pkcs7.subarray(0, -1), Buffer.concat([pkcs7, Buffer.of(0)])]) {
		lay(file(bytes));
		expect(check().code, Buffer.from(bytes).toString("hex")).toBe("LOAD_KERNEL_SIGNATURE_MALFORMED");
	}
}, 60_000);

test("a mark counts for the program that it names, only while the link runs that, and goes with the pins", () => {
	rig.apply([bundle.planned(blue)]);
	const mark = join(pinDir(rig, FN, blue), "verified");
	expect(exists(mark)).toBe(false);
	const id = rig.run(["inspect"]).body.pins[0].pinnedProgramId;
	for (const [text, keyring] of [
		[`${id + 1} .platform`, null],
		["nonsense", null],
		[`${id} .platform`, ".platform"],
	] as const) {
		rmSync(mark, { force: true });
		symlinkSync(text, mark);
		expect(rig.run(["inspect"]).body.pins[0].keyring).toBe(keyring);
		const [kept] = rig.apply([bundle.planned(blue)]).body.functions;
		expect(kept).toMatchObject({ step: "keep", verified: keyring === null ? "loader" : "kernel", keyring });
	}
	const other = rig.bundle({ mark: 2 });
	const [replaced] = rig.apply([other.planned(blue)]).body.functions;
	expect(replaced).toMatchObject({ step: "replace", verified: "loader", keyring: null });
	expect(() => readlinkSync(mark)).toThrow("ENOENT");
	symlinkSync("1 .platform", mark);
	expect(rig.apply([]).code).toBe("ok");
	expect(exists(pinDir(rig, FN, blue))).toBe(false);
});

test("kernel-keys shows the certificate that the kernel takes, and names the one that it does not", () => {
	const folder = join(rig.root, "etc/kfn/trust/kernel-keys");
	execFileSync("mkdir", ["-p", folder]);
	expect(rig.run(["kernel-keys"]).body.keyrings["kernel-keys"]).toBeNull();
	writeFileSync(join(folder, "good.der"), certificate);
	writeFileSync(join(folder, "other.txt"), "not looked at");
	const taken = rig.run(["kernel-keys"]).body;
	const { keyid } = parseKernelCertificate(certificate);
	expect(taken).toMatchObject({ problem: null, keyrings: { "kernel-keys": [`test: ${keyid}`] } });
	writeFileSync(join(folder, "bad.der"), "no certificate");
	const { problem, keyrings } = rig.run(["kernel-keys"]).body;
	expect(problem).toMatch(/^the kernel does not take etc\/kfn\/trust\/kernel-keys\/bad\.der: /);
	expect(keyrings["kernel-keys"]).toHaveLength(1);
});
