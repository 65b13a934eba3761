// Lays a package's files out as they stand in the bundle: src/** plus the shared headers that its units include, so that
// the tag names everything that decides the behaviour. Refuses files outside the package and its include folders.

import type { Dirent } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { type PackageManifest, parsePackageManifest } from "#bundle/package-manifest.ts";
import { CliError } from "../errors.ts";
import { reachedSources, type Sources } from "./tagged-set.ts";

export const PACKAGE_FILE = "kfn.package.json";
const DOCS = ["README.md", "CHANGELOG.md", "LICENSE"];

export interface Stage {
	readonly manifest: PackageManifest;
	/** The tagged files. */
	readonly sources: Sources;
	readonly vectors: Sources;
	readonly docs: Sources;
}

/** Reads the author's manifest of a package folder. */
export async function readPackage(dir: string): Promise<PackageManifest> {
	const path = join(dir, PACKAGE_FILE);
	try {
		return parsePackageManifest(await readFile(path));
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
		throw new CliError("CLI_FILE_UNREADABLE", `${dir} is not a package: it has no ${PACKAGE_FILE}`, {
			cause,
		});
	}
}

/** Reads all that becomes the bundle of the package in `dir`, but its objects. CLI_SOURCE_FORBIDDEN, CLI_SOURCE_UNTAGGED. */
export async function stagePackage(dir: string): Promise<Stage> {
	const manifest = await readPackage(dir);
	const own = await filesBelow(dir, "src");
	const folders = manifest.includes.map((include) => resolve(dir, include));
	const reached = await reachedSources(
		manifest.units,
		async (path) => own.get(path) ?? (await readHeader(folders, relative("src", path))),
	);
	return {
		manifest,
		sources: sorted(new Map([...own, ...reached])),
		vectors: await readVectors(dir),
		docs: await readDocs(dir),
	};
}

/** The header at `path` below the first of the folders that has it. */
async function readHeader(folders: readonly string[], path: string): Promise<Uint8Array | undefined> {
	for (const folder of folders) {
		const file = join(folder, path);
		const found = await lstat(file).catch(() => undefined);
		if (found === undefined) continue;
		if (!found.isFile()) throw notRegular(file);
		return readFile(file);
	}
	return undefined;
}

/** A link would put a file from anywhere into the bundle. */
function notRegular(file: string): CliError {
	return new CliError("CLI_SOURCE_UNTAGGED", `${file} is not a regular file`, {
		hint: "put a copy of the file there instead of a link",
	});
}

async function filesBelow(dir: string, folder: string): Promise<Map<string, Uint8Array>> {
	const files = new Map<string, Uint8Array>();
	const entries: Dirent[] = await readdir(join(dir, folder), { recursive: true, withFileTypes: true });
	for (const entry of entries) {
		if (entry.isDirectory()) continue;
		const file = join(entry.parentPath, entry.name);
		if (!entry.isFile()) throw notRegular(file);
		files.set(relative(dir, file), await readFile(file));
	}
	return files;
}

async function readVectors(dir: string): Promise<Sources> {
	const names = await readdir(join(dir, "vectors")).catch(ignoreMissing);
	return readAll(
		dir,
		names.filter((name) => name.endsWith(".jsonl")).map((name) => `vectors/${name}`),
	);
}

async function readDocs(dir: string): Promise<Sources> {
	const names = await readdir(dir);
	return readAll(
		dir,
		DOCS.filter((name) => names.includes(name)),
	);
}

async function readAll(dir: string, paths: readonly string[]): Promise<Sources> {
	const files = new Map<string, Uint8Array>();
	for (const path of paths) files.set(path, await readFile(join(dir, path)));
	return sorted(files);
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
	if (error.code === "ENOENT") return [];
	throw error;
}

/** By path, as bytes. */
function sorted(files: Sources): Sources {
	return new Map([...files].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}
