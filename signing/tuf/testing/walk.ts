// For tests only: a client's walk over a repository in memory, and its refusal. Product code never imports it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import type { SigningError } from "../../errors.ts";
import type { FetchFile } from "../fetch-port.ts";
import type { KeyPolicy } from "../key-policy.ts";
import { TrustUpdater } from "../updater.ts";

export const NOW = new Date("2026-11-28T12:00:00Z");
export const INDEX = "flow-dissector/index.json";
export const days = (n: number) => new Date(NOW.getTime() + n * 86_400_000);

/** A folder for what a walk writes, removed after the test. */
export function scratchFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-walk-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
}

/** A port over the tree in memory; `asked` are its paths. */
export function portOf(files: ReadonlyMap<string, Uint8Array>, asked: string[] = []): FetchFile {
	return async (path) => {
		asked.push(path);
		return files.get(`v1/${path}`) ?? "missing";
	};
}

export function walk(
	trusted: ReadonlyMap<string, Uint8Array>,
	fetch: FetchFile,
	more: { at?: Date; policy?: KeyPolicy } = {},
): TrustUpdater {
	const { at = NOW, policy = "ed25519" } = more;
	return new TrustUpdater({ scratch: scratchFolder(), trusted, fetch, referenceTime: at, policy });
}

export const only = (root: Uint8Array) => new Map([["root", root]]);

export async function make(): Promise<TufRepository> {
	const repository = await TufRepository.make({ now: NOW });
	await repository.publish("kfn/publishers.json", Buffer.from("{}\n"));
	await repository.publish(INDEX, Buffer.from("[]\n"), { kfn: { tag: "kfn1:x" } });
	return repository;
}

/** What a client trusts after it has seen the repository as it stands. */
export async function seen(repository: TufRepository, at = NOW): Promise<ReadonlyMap<string, Uint8Array>> {
	const updater = walk(only(repository.root), portOf(repository.files), { at });
	await updater.refresh();
	return updater.verified();
}

export async function refusal(work: Promise<unknown>): Promise<SigningError> {
	return work.then(
		() => {
			throw new Error("it was not refused");
		},
		(error: SigningError) => error,
	);
}

export const refused = async (updater: TrustUpdater): Promise<string> =>
	(await refusal(updater.refresh())).code;
