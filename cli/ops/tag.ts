// kfn tag: the tag of a package folder (staged, as it would stand in the bundle) or of a bundle.

import { stat } from "node:fs/promises";
import { openBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { type TaggedFile, tagLines, tagOf } from "#bundle/tag.ts";
import { stagePackage } from "../build/stage.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";

export async function tag(_context: Context, input: { source: string; lines: boolean }): Promise<Output> {
	const folder = (await stat(input.source)).isDirectory();
	const files = folder ? await filesOfPackage(input.source) : await filesOfBundle(input.source);
	const value = tagOf(files);
	return {
		json: { tag: value, files },
		text: input.lines ? tagLines(files).trimEnd() : value,
	};
}

async function filesOfPackage(dir: string): Promise<TaggedFile[]> {
	const { sources } = await stagePackage(dir);
	return [...sources].map(([path, bytes]) => ({ path, sha256: sha256(bytes) }));
}

async function filesOfBundle(file: string): Promise<TaggedFile[]> {
	const { manifest, files } = await openBundle(await readInput(file));
	return manifest.tag.files.map((path) => ({ path, sha256: sha256(files.get(path)!) }));
}
