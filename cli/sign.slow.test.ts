// kfn sign as real processes on one file: no signature is lost, the file keeps its mode, its owner and its name, and a file that
// became another bundle meanwhile is not signed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	chownSync,
	lstatSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openBundle, writeBundle } from "#bundle/bundle.ts";
import { sampleBundle } from "#bundle/testing/sample.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { formatSeed } from "#signing/secret-key-file.ts";
import { parseSignatureFile, serializeSignatureFile } from "#signing/signature-file.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");

/** An unsigned bundle in a folder of its own; `source` makes another one of the same name. */
function layBundle(source = (text: string) => text): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-sign-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const { manifestBytes, files } = sampleBundle({ source });
	const path = join(folder, "sample.kfn");
	writeFileSync(path, writeBundle(manifestBytes, serializeSignatureFile([]), files));
	return path;
}

function startSign(path: string, key: SecretKey): ChildProcess {
	const env = { ...process.env, KFN_SIGNING_KEY: formatSeed(key) };
	return spawn(KFN, ["sign", path, "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
}

interface Told {
	readonly code: number | null;
	readonly document: { signatures?: string[]; error?: { code: string; message: string } };
}

async function ended(child: ChildProcess): Promise<Told> {
	let output = "";
	child.stdout!.on("data", (chunk: Buffer) => {
		output += chunk.toString();
	});
	const [code] = (await once(child, "close")) as [number | null];
	return { code, document: JSON.parse(output) as Told["document"] };
}

async function signersOf(path: string): Promise<string[]> {
	const { signatureBytes } = await openBundle(readFileSync(path));
	return parseSignatureFile(signatureBytes).map(({ keyid }) => keyid);
}

/** Holds the file's lock as another kfn would, until it is told to let go. */
async function holdLock(path: string): Promise<{ release(): Promise<void> }> {
	const holder = spawn("flock", [path, "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
	await once(holder.stdout, "data");
	return {
		async release() {
			const gone = once(holder, "close");
			holder.stdin.end();
			await gone;
		},
	};
}

test("many at once on one file: every signature is there afterwards, and nothing else", async () => {
	const path = layBundle();
	const keys = await Promise.all(Array.from({ length: 8 }, (_, i) => generateKeyPair(`k${i}`)));
	const told = await Promise.all(keys.map((key) => ended(startSign(path, key))));
	expect(told.map(({ code }) => code)).toEqual(keys.map(() => 0));
	expect(await signersOf(path)).toEqual(keys.map(({ publicKey }) => publicKey.keyid).sort());
	expect(readdirSync(join(path, ".."))).toEqual(["sample.kfn"]);
});

test("mode and owner stay, whatever the umask; a symbolic link stays one", async () => {
	const path = layBundle();
	const link = `${path}.link`;
	symlinkSync("sample.kfn", link);
	const owner = process.getuid!() === 0 ? 65534 : process.getuid!();
	chownSync(path, owner, process.getgid!());
	chmodSync(path, 0o664);
	const told = await ended(startSign(link, await generateKeyPair("k")));
	expect(told).toMatchObject({ code: 0, document: { signatures: [expect.any(String)] } });
	const { mode, uid } = statSync(path);
	expect({ mode: (mode & 0o7777).toString(8), uid }).toEqual({ mode: "664", uid: owner });
	expect(lstatSync(link).isSymbolicLink()).toBe(true);
	expect(await signersOf(path)).toHaveLength(1);
});

test("who waits for the lock signs what is there then, and refuses another bundle than it started with", async () => {
	const path = layBundle();
	const [first, second] = [await generateKeyPair("a"), await generateKeyPair("b")];
	const other = layBundle((text) => `${text}/* other */\n`);
	const before = await holdLock(path);
	const waiting = startSign(path, first);
	const answer = ended(waiting);
	await lockAwaited(waiting);
	// As `kfn build --force` does: another file under the same name, without asking for the lock.
	renameSync(other, path);
	await before.release();
	expect(await answer).toMatchObject({ code: 1, document: { error: { code: "CLI_FILE_BUSY" } } });
	expect(await signersOf(path)).toEqual([]);
	expect(await ended(startSign(path, second))).toMatchObject({ code: 0 });
	expect(await signersOf(path)).toEqual([second.publicKey.keyid]);
});

test("without flock(1) nothing is changed, and the answer says why", async () => {
	const path = layBundle();
	const before = readFileSync(path);
	const env = { PATH: "/nonexistent", KFN_SIGNING_KEY: formatSeed(await generateKeyPair("k")) };
	const node = process.execPath;
	const dist = join(import.meta.dirname, "../dist/kfn.cjs");
	const child = spawn(node, [dist, "sign", path, "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
	const { code, document } = await ended(child);
	expect({ code, error: document.error?.code }).toEqual({ code: 1, error: "CLI_FILE_BUSY" });
	expect(document.error?.message).toContain("flock(1)");
	expect(readFileSync(path).equals(before)).toBe(true);
});

/** Resolves when a flock(1) that `child` started stands in the kernel's list of those that wait. */
async function lockAwaited(child: ChildProcess): Promise<void> {
	for (;;) {
		const waiting = [...readFileSync("/proc/locks", "utf8").matchAll(/-> FLOCK\s+ADVISORY\s+WRITE (\d+) /g)];
		if (waiting.some(([, pid]) => parentOf(pid!) === child.pid)) return;
		if (child.exitCode !== null) throw new Error("it did not wait for the lock");
		await nextTurn();
	}
}

function parentOf(pid: string): number | undefined {
	try {
		return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
	} catch {
		return undefined;
	}
}
