// kfn publish: sends a signed bundle to a registry. Refuses an unsound or unsigned bundle before anything is sent.

import { openBundle } from "#bundle/bundle.ts";
import { openRegistryClient } from "../client/registry.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";

export async function publish(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const archive = await readInput(input.file);
	const { manifest, sha256, manifestDigest } = await openBundle(archive);
	const client = await openRegistryClient(context, input.registry);
	context.onStep({ step: "publishing", detail: `${manifest.name} ${manifest.version}` });
	const { created } = await client.publish(manifest.name, manifest.version, archive);
	return {
		json: {
			name: manifest.name,
			version: manifest.version,
			tag: manifest.tag.value,
			sha256,
			manifestSha256: manifestDigest,
			registry: client.description,
			created,
		},
		text: created
			? `published ${manifest.name} ${manifest.version} to ${client.description}`
			: `${manifest.name} ${manifest.version} was already published to ${client.description}, with the same bytes`,
	};
}
