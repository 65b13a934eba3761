// Lays a package's sources out as they stand in the bundle: src/** plus the shared headers that are really included,
// so that the tag names everything that decides the behaviour. Refuses files outside the package and its include folders.

import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type PackageManifest, parsePackageManifest } from "#bundle/package-manifest.ts";
import { CliError } from "../errors.ts";
import { type Compiler, FLAGS, includedFiles } from "./compile.ts";

export const PACKAGE_FILE = "kfn.package.json";
const DOCS = ["README.md", "CHANGELOG.md", "LICENSE"];

export interface Stage extends AsyncDisposable {
	/** Folder laid out like the bundle, without objects and manifest. */
	readonly path: string;
	readonly manifest: PackageManifest;
	/** Paths relative to `path`, sorted as bytes. */
	readonly sources: readonly string[];
	readonly vectors: readonly string[];
	readonly docs: readonly string[];
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

/** Stages the package in `dir` into a throw-away folder, removed on dispose. */
export async function stagePackage(dir: string, compiler: Compiler): Promise<Stage> {
	const manifest = await readPackage(dir);
	const path = await mkdtemp(join(tmpdir(), "kfn-build-"));
	const dispose = () => rm(path, { recursive: true, force: true });
	try {
		await cp(join(dir, "src"), join(path, "src"), { recursive: true });
		await copyHeaders(dir, manifest, compiler, path);
		const vectors = await copyVectors(dir, path);
		const docs = await copyDocs(dir, path);
		const sources = await filesBelow(path, "src");
		return { path, manifest, sources, vectors, docs, [Symbol.asyncDispose]: dispose };
	} catch (error) {
		await dispose();
		throw error;
	}
}

async function copyHeaders(
	dir: string,
	manifest: PackageManifest,
	compiler: Compiler,
	into: string,
): Promise<void> {
	const roots = manifest.includes.map((include) => resolve(dir, include));
	for (const unit of manifest.units) {
		const files = await includedFiles(compiler, FLAGS, unit.source, manifest.includes, dir);
		for (const file of files) {
			const absolute = resolve(dir, file);
			if (isBelow(absolute, resolve(dir, "src"))) continue;
			const root = roots.find((candidate) => isBelow(absolute, candidate));
			if (root === undefined) {
				throw new CliError(
					"CLI_SOURCE_UNTAGGED",
					`${unit.source} includes ${file}, which no include folder holds`,
					{
						hint: `move it below src/ or name its folder under "includes" in ${PACKAGE_FILE}`,
					},
				);
			}
			const target = join(into, "src", relative(root, absolute));
			await mkdir(dirname(target), { recursive: true });
			await cp(absolute, target);
		}
	}
}

function isBelow(path: string, folder: string): boolean {
	return path.startsWith(folder + sep);
}

async function copyVectors(dir: string, into: string): Promise<string[]> {
	const names = await readdir(join(dir, "vectors")).catch(ignoreMissing);
	const vectors = names.filter((name) => name.endsWith(".jsonl")).map((name) => `vectors/${name}`);
	await mkdir(join(into, "vectors"));
	for (const path of vectors) await cp(join(dir, path), join(into, path));
	return vectors.sort(byBytes);
}

async function copyDocs(dir: string, into: string): Promise<string[]> {
	const names = await readdir(dir);
	const docs = DOCS.filter((name) => names.includes(name));
	for (const name of docs) await cp(join(dir, name), join(into, name));
	return docs.sort(byBytes);
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
	if (error.code === "ENOENT") return [];
	throw error;
}

async function filesBelow(root: string, folder: string): Promise<string[]> {
	const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => !entry.isDirectory())
		.map((entry) => relative(root, join(entry.parentPath, entry.name)))
		.sort(byBytes);
}

function byBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
