// For tests only: signed bundles that provide tso/1 at devices. Their programs pass every packet on; versions differ in a number.
import { writeBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { sampleBundle } from "#bundle/testing/sample.ts";
import type { SecretKey } from "#signing/ed25519.ts";
import { addSignature, serializeSignatureFile } from "#signing/signature-file.ts";

export interface Segmenter {
	readonly version: string;
	readonly archive: Uint8Array;
	readonly sha256: string;
	readonly tag: string;
}

/** A signed bundle `segmenter` of that version. */
export async function segmenter(version: string, key: SecretKey): Promise<Segmenter> {
	const number = Number(version.replaceAll(".", ""));
	const data = "00".repeat(64);
	const vector = { name: "any", why: "every packet", program: "sample", data, retval: 0, out: data };
	const unit = { variant: "generic", source: "src/sample.bpf.c", object: "obj/sample.bpf.o" };
	const assembled = sampleBundle({
		package: {
			...{ name: "segmenter", version, function: { name: "tso", abi: 1 } },
			units: [{ ...unit, requires: { kernel: ">=5.10", features: ["prog_type:sched_cls"] } }],
		},
		source: (text) =>
			text
				.replace("function=flow-dissector", "function=tso")
				.replace(
					'"feature=link:netns\\\\nfeature=prog_type:flow_dissector\\\\n"',
					'"feature=prog_type:sched_cls\\\\n"',
				)
				.replace('SEC("flow_dissector") int', 'SEC("tc/egress") int')
				.replace(
					/\tstruct bpf_flow_keys \*keys[\s\S]*return 0;/,
					`\treturn *(unsigned *)ctx->other == ${number} ? 1 : 0;`,
				),
		files: { "vectors/basic.jsonl": `${JSON.stringify(vector)}\n` },
	});
	const signatures = await addSignature(serializeSignatureFile([]), key, assembled.manifestBytes);
	const archive = writeBundle(assembled.manifestBytes, signatures, assembled.files);
	return { version, archive, sha256: sha256(archive), tag: assembled.manifest.tag.value };
}
