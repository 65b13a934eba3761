// kfn root: shows and signs drafts of root and targets metadata, on a machine that has nothing but the file and a key. Refuses
// a draft that became another one between showing and signing it.

import type { SecretKey } from "#signing/ed25519.ts";
import { type Draft, isDraftFile, parseDraft, serializeDraft } from "#signing/tuf/draft.ts";
import { type DraftReport, reportOf } from "#signing/tuf/draft-report.ts";
import {
	demandMaySign,
	maySign,
	mergeDrafts,
	signDraft,
	signedPrevious,
} from "#signing/tuf/draft-signatures.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { type MetadataReport, metadataReport } from "#signing/tuf/metadata-report.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { draftText, metadataText } from "../output/draft.ts";
import { printable } from "../printable.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

const FILE_LIMIT = 16 * 1024 * 1024;

/** Shows a draft, or a root or targets file that is live. */
export async function rootShow(_context: Context, input: { file: string }): Promise<Output> {
	const bytes = await readInput(input.file, FILE_LIMIT);
	if (!isDraftFile(bytes)) {
		const report: MetadataReport = await metadataReport(bytes);
		return { json: { draft: false, ...report }, text: metadataText(report) };
	}
	const report = await reportOf(parseDraft(bytes));
	return { json: { draft: true, ...report }, text: draftText(report) };
}

interface SignedFile {
	readonly file: string;
	readonly keys: readonly { readonly tufId: TufKeyId; readonly signedPrevious: boolean }[];
	readonly report: DraftReport;
}

/**
 * Signs each file with those of the keys that it asks for. A key that no file asks for, or a file that asks for none of the keys,
 * is DRAFT_FOREIGN_KEY before anything is written.
 */
export async function rootSign(
	context: Context,
	input: { files: readonly string[]; keys: readonly string[] },
): Promise<Output> {
	const drafts = new Map<string, Draft>();
	for (const file of input.files) drafts.set(file, parseDraft(await readInput(file, FILE_LIMIT)));
	// All of them before the first is signed: of several files, either all are sound or none is touched.
	const reports = await Promise.all([...drafts.values()].map(reportOf));
	if (asksPassphrase(context))
		for (const report of reports) process.stderr.write(`${printable(draftText(report))}\n\n`);
	const secrets = await openSigningKeys(context, input.keys);
	demandEachHasWork([...drafts.values()], secrets);
	const signed: SignedFile[] = [];
	for (const [file, draft] of drafts) {
		const own = secrets.filter((secret) => maySign(draft, idOf(secret)));
		signed.push(await signFile(file, draft, own));
	}
	return { json: { files: signed }, text: signed.map(signedText).join("\n\n") };
}

/** Whoever types a passphrase has seen what it signs; where nobody types, it is shown once, afterwards. */
function asksPassphrase({ env, stdinIsTerminal, stderrIsTerminal }: Context): boolean {
	return env.passphrase === undefined && stdinIsTerminal && stderrIsTerminal;
}

async function signFile(file: string, shown: Draft, secrets: readonly SecretKey[]): Promise<SignedFile> {
	let signed = shown;
	await rewriteFile(file, async (bytes) => {
		// What was shown, with whatever signatures have come to it since; DRAFT_DIFFERS when it is another draft by now.
		signed = mergeDrafts([parseDraft(bytes), shown]);
		await reportOf(signed);
		for (const secret of secrets) signed = await signDraft(signed, secret);
		return serializeDraft(signed);
	});
	const keys = secrets.map(async (secret) => {
		const tufId = idOf(secret);
		return { tufId, signedPrevious: await signedPrevious(signed, tufId) };
	});
	return { file, keys: await Promise.all(keys), report: await reportOf(signed) };
}

function demandEachHasWork(drafts: readonly Draft[], secrets: readonly SecretKey[]): void {
	const ids = secrets.map(idOf);
	for (const draft of drafts) if (!ids.some((id) => maySign(draft, id))) demandMaySign(draft, ids[0]!);
	for (const id of ids) if (!drafts.some((draft) => maySign(draft, id))) demandMaySign(drafts[0]!, id);
}

function signedText({ file, keys, report }: SignedFile): string {
	const lines = keys.map(({ tufId, signedPrevious: before }) => {
		if (report.previous === null) return `signed with ${tufId}`;
		const seen = before
			? `this key signed version ${report.previous.version}, too`
			: `this key did not sign version ${report.previous.version}: compare its sha256 with a copy of your own`;
		return `signed with ${tufId} (${seen})`;
	});
	return [draftText(report), `${file}: ${lines.join("; ")}`].join("\n");
}

function idOf(secret: SecretKey): TufKeyId {
	return tufKeyId(tufKeyOf(secret.publicKey));
}
