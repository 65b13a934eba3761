// kfn root sign and show as real processes in a folder that holds a draft and a key, and nothing else of kfn's.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { formatSeed } from "#signing/secret-key-file.ts";
import { parseDraft, type RootDraft, serializeDraft } from "#signing/tuf/draft.ts";
import { demandsOf, isComplete, signDraft } from "#signing/tuf/draft-signatures.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { serializeEnvelope } from "#signing/tuf/metadata.ts";
import { firstRoot, nextRoot, withSigner } from "#signing/tuf/next-root.ts";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");
const NOW = new Date();

const idOf = ({ publicKey }: SecretKey) => tufKeyId(tufKeyOf(publicKey));

interface Ceremony {
	readonly folder: string;
	readonly signers: readonly SecretKey[];
	readonly first: RootDraft;
	lay(name: string, draft: RootDraft): string;
}

/** A folder, keys, and a draft of root 1 that all of them must sign. */
async function openCeremony(count: number): Promise<Ceremony> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-root-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const signers = await Promise.all(Array.from({ length: count }, () => generateKeyPair()));
	const keys = signers.map(({ publicKey }) => publicKey);
	const [snapshot, timestamp] = [await generateKeyPair(), await generateKeyPair()];
	const signed = firstRoot(
		{
			root: { keys, threshold: count },
			targets: { keys, threshold: 1 },
			online: { snapshot: snapshot.publicKey, timestamp: timestamp.publicKey },
		},
		{ now: NOW, days: 365 },
	);
	const first: RootDraft = { role: "root", metadata: { signatures: [], signed }, previous: null };
	const lay = (name: string, draft: RootDraft) => {
		writeFileSync(join(folder, name), serializeDraft(draft));
		return join(folder, name);
	};
	return { folder, signers, first, lay };
}

async function rootTwo(
	{ first, signers }: Ceremony,
	by: readonly SecretKey[],
	added: SecretKey,
): Promise<RootDraft> {
	let live = first;
	for (const signer of by) live = await signDraft(live, signer);
	const next = withSigner(nextRoot(live.metadata.signed, { now: NOW, days: 365 }), "root", {
		key: added.publicKey,
		threshold: signers.length + 1,
	});
	const previous = { metadata: live.metadata };
	return { role: "root", metadata: { signatures: [], signed: next }, previous };
}

function start(folder: string, args: readonly string[], key?: SecretKey): ChildProcess {
	const { KFN_SIGNING_KEY: _, ...clean } = process.env;
	const env = key === undefined ? clean : { ...clean, KFN_SIGNING_KEY: formatSeed(key) };
	return spawn(KFN, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
}

interface Told {
	readonly code: number | null;
	readonly out: string;
	readonly err: string;
}

async function kfn(folder: string, args: readonly string[], key?: SecretKey): Promise<Told> {
	const child = start(folder, args, key);
	let [out, err] = ["", ""];
	child.stdout!.on("data", (chunk: Buffer) => {
		out += chunk.toString();
	});
	child.stderr!.on("data", (chunk: Buffer) => {
		err += chunk.toString();
	});
	const [code] = (await once(child, "close")) as [number | null];
	return { code, out, err };
}

async function refusal(folder: string, args: readonly string[], key?: SecretKey) {
	const { code, out } = await kfn(folder, [...args, "--json"], key);
	return { code, error: (JSON.parse(out) as { error: { code: string } }).error.code };
}

test("many signers of one file at once: no signature is lost, and the file keeps its mode", async () => {
	const ceremony = await openCeremony(6);
	const path = ceremony.lay("1.root.json", ceremony.first);
	chmodSync(path, 0o664);
	const told = await Promise.all(
		ceremony.signers.map((key) => kfn(ceremony.folder, ["root", "sign", "1.root.json"], key)),
	);
	expect(told.map(({ code }) => code)).toEqual(ceremony.signers.map(() => 0));
	expect(isComplete(await demandsOf(parseDraft(readFileSync(path))))).toBe(true);
	expect((statSync(path).mode & 0o7777).toString(8)).toBe("664");
	expect(readdirSync(ceremony.folder)).toEqual(["1.root.json"]);
});

test("what is signed is shown: role, version, expiry, every key and threshold, every change, what is still missing", async () => {
	const ceremony = await openCeremony(2);
	const [one, two] = ceremony.signers as [SecretKey, SecretKey];
	const three = await generateKeyPair();
	const draft = await rootTwo(ceremony, [one, two], three);
	ceremony.lay("2.root.json", draft);
	const { out } = await kfn(ceremony.folder, ["root", "sign", "2.root.json"], one);
	for (const shown of [
		"draft of  root 2",
		`expires   ${draft.metadata.signed.expires}`,
		"root       3 of 3",
		"targets    1 of 2",
		idOf(two),
		...draft.metadata.signed.roles.snapshot.keyids,
		...draft.metadata.signed.roles.timestamp.keyids,
		"to be signed by 2 of 2 root keys of root 1: 1 signed, all of these must still:",
		"to be signed by 3 of 3 root keys of root 2: 1 signed, all of these must still:",
		"~ roles.root.threshold: 2 -> 3",
		`+ roles.root.key ${idOf(three)}: may sign`,
		`signed with ${idOf(one)} (this key signed version 1, too)`,
	])
		expect(out).toContain(shown);
	const shown = await kfn(ceremony.folder, ["root", "show", "2.root.json"]);
	expect(out.startsWith(shown.out.trimEnd())).toBe(true);
});

test("a signer whose key is not on the previous version is told to compare it", async () => {
	const ceremony = await openCeremony(1);
	const added = await generateKeyPair();
	ceremony.lay("2.root.json", await rootTwo(ceremony, ceremony.signers, added));
	const { out } = await kfn(ceremony.folder, ["root", "sign", "2.root.json"], added);
	expect(out).toContain("this key did not sign version 1: compare its sha256 with a copy of your own");
});

test("kfn root show takes a live root, too, and refuses one that its own keys did not sign", async () => {
	const ceremony = await openCeremony(1);
	const live = (await signDraft(ceremony.first, ceremony.signers[0]!)).metadata;
	writeFileSync(join(ceremony.folder, "1.root.json"), serializeEnvelope(live));
	const { out } = await kfn(ceremony.folder, ["root", "show", "1.root.json"]);
	expect(out).toContain("signed by:");
	writeFileSync(join(ceremony.folder, "1.root.json"), serializeEnvelope({ ...live, signatures: [] }));
	expect(await refusal(ceremony.folder, ["root", "show", "1.root.json"])).toEqual({
		code: 3,
		error: "TRUST_SIGNATURES",
	});
	writeFileSync(join(ceremony.folder, "1.root.json"), "{}");
	expect(await refusal(ceremony.folder, ["root", "show", "1.root.json"])).toEqual({
		code: 3,
		error: "TRUST_MALFORMED",
	});
});

test("nothing is signed by a foreign key, or where anything is wrong with the draft", async () => {
	const ceremony = await openCeremony(2);
	const { folder, signers } = ceremony;
	const draft = await rootTwo(ceremony, signers, await generateKeyPair());
	const unchanged = async (name: string, key: SecretKey, ...more: string[]) => {
		const before = readFileSync(join(folder, name));
		const told = await refusal(folder, ["root", "sign", name, ...more], key);
		expect(readFileSync(join(folder, name)).equals(before)).toBe(true);
		return told;
	};
	ceremony.lay("good", draft);
	const stranger = await generateKeyPair();
	expect(await unchanged("good", stranger)).toEqual({ code: 1, error: "DRAFT_FOREIGN_KEY" });
	const { metadata } = draft.previous!;
	const cut = { ...metadata, signatures: metadata.signatures.slice(1) };
	ceremony.lay("cut", { ...draft, previous: { metadata: cut } });
	expect(await unchanged("cut", signers[0]!)).toEqual({ code: 3, error: "TRUST_SIGNATURES" });
	const [sig] = (await signDraft(draft, signers[0]!)).metadata.signatures;
	const moved = { ...sig!, keyid: idOf(signers[1]!) };
	ceremony.lay("forged", { ...draft, metadata: { ...draft.metadata, signatures: [moved] } });
	expect(await unchanged("forged", signers[0]!)).toEqual({ code: 3, error: "TRUST_SIGNATURES" });
	writeFileSync(join(folder, "torn"), serializeDraft(draft).slice(0, -40));
	expect(await unchanged("torn", signers[0]!)).toEqual({ code: 3, error: "DRAFT_MALFORMED" });
	// Of two files, one of which is bad, neither is signed.
	expect(await unchanged("good", signers[0]!, "torn")).toEqual({ code: 3, error: "DRAFT_MALFORMED" });
	expect(await unchanged("good", signers[0]!, "cut")).toEqual({ code: 3, error: "TRUST_SIGNATURES" });
	expect(await refusal(folder, ["root", "sign", "good"])).toEqual({ code: 2, error: "CLI_USAGE" });
});
