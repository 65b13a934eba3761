// Drafts of root and targets metadata that wait for signatures, as files of DATA/staged (docs/formats/trust.md): an admin takes
// them to the signers and back. Refuses to hold two drafts of one role: the newer replaces the older.
import { randomUUID } from "node:crypto";
import { open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
	type Draft,
	parseDraft,
	type RootDraft,
	serializeDraft,
	type TargetsDraft,
} from "#signing/tuf/draft.ts";
import { hasCode, makeFolder, moveIntoPlace, syncFolder, writeAll } from "../blob/durable.ts";

export interface Drafts {
	readonly root?: RootDraft | undefined;
	readonly targets?: TargetsDraft | undefined;
}

const NAME = /^([1-9]\d{0,15})\.(root|targets)\.json$/;

/** The drafts as they are on disk, of each role the one of the highest version. Errors of `parseDraft`. */
export async function readStaged(dataDir: string): Promise<Drafts> {
	const names = await stagedNames(dataDir);
	const read = async (role: Draft["role"]) => {
		const versions = names.filter((name) => isOf(role, name)).map((name) => Number(NAME.exec(name)![1]));
		const name = `${Math.max(...versions)}.${role}.json`;
		return versions.length === 0 ? undefined : parseDraft(await readFile(join(dataDir, "staged", name)));
	};
	return { root: (await read("root")) as RootDraft, targets: (await read("targets")) as TargetsDraft };
}

/** Where the draft's file is, or would be. */
export function stagedPath(dataDir: string, { role, metadata }: Draft): string {
	return join(dataDir, "staged", `${metadata.signed.version}.${role}.json`);
}

/** Writes the draft's file, durably and whole, and removes those of other versions of its role. */
export async function writeStaged(dataDir: string, draft: Draft): Promise<void> {
	const folder = join(dataDir, "staged");
	await makeFolder(folder);
	const fresh = join(folder, `.${randomUUID()}.tmp`);
	const file = await open(fresh, "wx", 0o644);
	try {
		await writeAll(file, serializeDraft(draft));
		await file.sync();
		await moveIntoPlace(fresh, stagedPath(dataDir, draft));
	} finally {
		await file.close();
		await rm(fresh, { force: true });
	}
	await removeStaged(dataDir, draft.role, draft.metadata.signed.version);
}

/** Removes the drafts of the role, of all versions but `kept`. */
export async function removeStaged(dataDir: string, role: Draft["role"], kept?: number): Promise<void> {
	const keptName = `${kept}.${role}.json`;
	const names = (await stagedNames(dataDir)).filter((name) => isOf(role, name) && name !== keptName);
	for (const name of names) await rm(join(dataDir, "staged", name), { force: true });
	if (names.length > 0) await syncFolder(join(dataDir, "staged"));
}

function isOf(role: Draft["role"], name: string): boolean {
	return NAME.exec(name)?.[2] === role;
}

async function stagedNames(dataDir: string): Promise<string[]> {
	try {
		return (await readdir(join(dataDir, "staged"))).filter((name) => NAME.test(name));
	} catch (error) {
		if (hasCode(error, "ENOENT")) return [];
		throw error;
	}
}

export function listed({ root, targets }: Drafts): Draft[] {
	return [root, targets].filter((draft) => draft !== undefined);
}
