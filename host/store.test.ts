import {
	chmodSync,
	cpSync,
	mkdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type Bundle, openBundle } from "#bundle/bundle.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { importBundle, openStored, storedDigests } from "./store.ts";

let samples: Samples;
let bundle: Bundle;
beforeAll(async () => {
	samples = await makeSamples();
	bundle = await openBundle(samples.v1.archive);
});

async function stored(): Promise<{ fake: FakeHost; entry: string }> {
	const fake = openFakeHost(samples);
	expect(await fake.locked((lock) => importBundle(lock, bundle))).toBe(true);
	return { fake, entry: fake.host.layout.storeEntry(bundle.sha256) };
}

const look = (fake: FakeHost) => openStored(fake.host, bundle.sha256, bundle.manifestDigest);

test("an imported bundle is the archive's files, readable by all, and is imported once", async () => {
	const { fake, entry } = await stored();
	using _ = fake;
	expect(look(fake).manifest).toEqual(bundle.manifest);
	expect(readFileSync(join(entry, "obj/sample.bpf.o"))).toEqual(
		Buffer.from(bundle.files.get("obj/sample.bpf.o")!),
	);
	expect(statSync(join(entry, "kfn.json")).mode & 0o777).toBe(0o644);
	expect(await fake.locked((lock) => importBundle(lock, bundle))).toBe(false);
	expect(storedDigests(fake.host)).toEqual([bundle.sha256]);
});

const tampering: [string, string, (entry: string) => void][] = [
	["a changed object", "obj/sample.bpf.o", (entry) => flip(join(entry, "obj/sample.bpf.o"))],
	["a changed source", "src/kfn/sample.h", (entry) => flip(join(entry, "src/kfn/sample.h"))],
	["a longer file", "README.md", (entry) => writeFileSync(join(entry, "README.md"), "more", { flag: "a" })],
	["a missing file", "LICENSE", (entry) => rmSync(join(entry, "LICENSE"))],
	["an extra file", "src/kfn/evil.h", (entry) => writeFileSync(join(entry, "src/kfn/evil.h"), "")],
	["a changed manifest", "kfn.json", (entry) => flip(join(entry, "kfn.json"))],
	["missing signatures", "kfn.sig.json", (entry) => rmSync(join(entry, "kfn.sig.json"))],
	[
		"a symlink to the same bytes",
		"README.md",
		(entry) => {
			cpSync(join(entry, "README.md"), join(entry, "../elsewhere"));
			rmSync(join(entry, "README.md"));
			symlinkSync("../elsewhere", join(entry, "README.md"));
		},
	],
	[
		"a folder in a file's place",
		"LICENSE",
		(entry) => {
			rmSync(join(entry, "LICENSE"));
			mkdirSync(join(entry, "LICENSE"));
		},
	],
];
test.each(tampering)("%s is found and named, and importing again repairs it", async (_, file, tamper) => {
	const { fake, entry } = await stored();
	using _fake = fake;
	tamper(entry);
	expect(() => look(fake)).toThrow(
		expect.objectContaining({
			...{ code: "HOST_STORE_DIGEST", exit: 3 },
			details: { path: join(entry, file), file },
			message: expect.stringContaining(join(entry, file)),
		}),
	);
	expect(await fake.locked((lock) => importBundle(lock, bundle))).toBe(true);
	expect(look(fake).manifest).toEqual(bundle.manifest);
});

test("signatures for the kernel are stored with it; without them, or with others, it is imported anew", async () => {
	using fake = openFakeHost(samples);
	const signed = { ...bundle, kernelSignatureBytes: Buffer.from("signatures") };
	const importSigned = () => fake.locked((lock) => importBundle(lock, signed));
	const path = join(fake.host.layout.storeEntry(bundle.sha256), "kfn.kernel-sig.json");
	expect(await importSigned()).toBe(true);
	expect(look(fake).kernelSignatureBytes).toEqual(signed.kernelSignatureBytes);
	expect(await importSigned()).toBe(false);
	flip(path);
	expect(await importSigned()).toBe(true);
	rmSync(path);
	expect(look(fake).kernelSignatureBytes).toBeUndefined();
	expect(await importSigned()).toBe(true);
	expect(look(fake).kernelSignatureBytes).toEqual(signed.kernelSignatureBytes);
});

test("an entry that is not there", async () => {
	using fake = openFakeHost(samples);
	expect(() => look(fake)).toThrow(expect.objectContaining({ code: "HOST_STORE_MISSING", exit: 1 }));
});

function flip(path: string): void {
	const bytes = readFileSync(path);
	bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1;
	chmodSync(path, 0o644);
	writeFileSync(path, bytes);
}
