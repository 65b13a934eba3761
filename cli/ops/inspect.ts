// kfn inspect: what a bundle says of itself, with its digests recomputed. Trusts nobody: signatures are listed, not judged.

import { openBundle } from "#bundle/bundle.ts";
import { parseSignatureFile } from "#signing/signature-file.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { kernelKeysOf } from "../kernel-signing.ts";
import { columns } from "../output/columns.ts";

export async function inspect(_context: Context, input: { file: string }): Promise<Output> {
	const bundle = await openBundle(await readInput(input.file));
	const { manifest } = bundle;
	const signatures = parseSignatureFile(bundle.signatureBytes).map(({ keyid }) => keyid);
	const kernelKeys = kernelKeysOf(bundle);
	const programs = manifest.variants.flatMap((variant) =>
		variant.programs.map((program) => [
			`  ${program.name}`,
			program.type,
			`${program.insns} instructions`,
			program.insnsDigest ?? "relocated at load",
		]),
	);
	const facts = columns([
		["function", `${manifest.function.name}/${manifest.function.abi}`],
		["license", manifest.license],
		["tag", manifest.tag.value],
		["sha256", bundle.sha256],
		["manifest", bundle.manifestDigest],
		["built by", `${manifest.build.compiler} ${manifest.build.version}`],
		...manifest.variants.map((v) => [
			`variant ${v.name}`,
			`kernel ${v.requires.kernel}, ${v.requires.features.join(", ")}`,
		]),
		["files", String(manifest.files.length)],
		["signatures", signatures.length === 0 ? "none" : `${signatures.join(", ")} (listed, not checked)`],
		...(kernelKeys.length === 0
			? []
			: [["for the kernel", `${kernelKeys.join(", ")} (listed, not checked)`]]),
	]);
	return {
		json: { sha256: bundle.sha256, manifestSha256: bundle.manifestDigest, signatures, kernelKeys, manifest },
		text: [
			`${manifest.name} ${manifest.version}: ${manifest.summary}`,
			facts,
			"programs",
			columns(programs),
		].join("\n"),
	};
}
