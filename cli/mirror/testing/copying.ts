// For tests only: trees in memory, and the head of a registry that this process made itself. Product code never imports it.
import { join } from "node:path";
import type { Context } from "../../context.ts";
import { CliError } from "../../errors.ts";
import { type CopyReport, copyTree, type VerifiedHead } from "../copy.ts";
import type { TreeReader, TreeWriter } from "../tree.ts";
import { metadataPath, TIMESTAMP_PATH } from "../tree-path.ts";

export const LOADER = join(import.meta.dirname, "../../../build/kfn-load");
export const NOW = new Date("2026-11-28T12:00:00Z");

export class MemoryTree implements TreeWriter {
	readonly description = "memory";
	readonly files: Map<string, Uint8Array>;
	/** Every path that was asked for. */
	readonly asked: string[] = [];

	constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
		this.files = new Map(files);
	}

	async read(path: string): Promise<Uint8Array | undefined> {
		this.asked.push(path);
		return this.files.get(path);
	}

	async place(path: string, bytes: Uint8Array): Promise<void> {
		this.files.set(path, bytes);
	}

	async settle(): Promise<void> {}

	replace(path: string, bytes: Uint8Array): Promise<void> {
		return this.place(path, bytes);
	}
}

/** What a host has verified that trusts the registry with these files: the newest of each role. */
export function headOf(files: ReadonlyMap<string, Uint8Array>): VerifiedHead {
	const newest = (role: string) => {
		const name = new RegExp(`/(\\d+)\\.${role}\\.json$`);
		const versions = [...files.keys()].flatMap((path) => name.exec(path)?.[1] ?? []);
		return files.get(metadataPath(role, Math.max(...versions.map(Number))))!;
	};
	return {
		root: newest("root"),
		timestamp: files.get(TIMESTAMP_PATH)!,
		snapshot: newest("snapshot"),
		targets: newest("targets"),
		now: NOW,
	};
}

/** A whole copy of what `head` leads to in `origin`, or the error: the proof that a reader finds everything there. */
export function copyOf(
	head: VerifiedHead,
	origin: TreeReader,
	out: TreeWriter = new MemoryTree(),
	bases: readonly TreeReader[] = [],
): Promise<CopyReport> {
	const missing = (path: string) => new CliError("CLI_MIRROR_INCOMPLETE", path);
	return copyTree({ head, origin, out, bases, missing, onFile: () => {} });
}

/** The code of the error that the work ends with. */
export function codeOf(work: Promise<unknown>): Promise<string> {
	return work.then(
		() => "no error",
		(error: { code?: string }) => error.code ?? "no code",
	);
}

/** The context of a command on the host below `root`; `fault` is what KFN_FAULT would say. */
export function contextOf(root: string, env: { readonly fault?: string | undefined } = {}): Context {
	const none = { registry: undefined, token: undefined, passphrase: undefined, signingKey: undefined };
	return {
		root,
		loader: LOADER,
		env: { ...none, fault: env.fault },
		health: {},
		stderrIsTerminal: false,
		bootFiles: "/nonexistent",
		stdinIsTerminal: false,
		version: "test",
		signal: new AbortController().signal,
		onStep: () => {},
	};
}
