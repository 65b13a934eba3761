// kfn verify: signatures and every digest, of a bundle file or of all that this host holds. There is no option that
// leaves a check out.

import { openBundle } from "#bundle/bundle.ts";
import { publishersInForce } from "#host/publishers.ts";
import { verifyHost } from "#host/verify.ts";
import { publisherFor } from "#signing/publishers.ts";
import { parseSignatureFile } from "#signing/signature-file.ts";
import { verifyManifest } from "#signing/verify.ts";
import { rebuild } from "../build/rebuild.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { kernelKeysOf } from "../kernel-signing.ts";
import { openContextHost } from "../open-host.ts";
import { verifyProof } from "./verify-proof.ts";

export async function verify(
	context: Context,
	input: { file: string | undefined; rebuild: boolean; proof: string | undefined },
): Promise<Output> {
	if (input.file === undefined) {
		if (input.rebuild) throw new CliError("CLI_USAGE", "--rebuild wants a bundle file");
		if (input.proof !== undefined) throw new CliError("CLI_USAGE", "--proof wants a bundle file");
		return verifyInstalled(context);
	}
	const bundle = await openBundle(await readInput(input.file));
	const { manifest } = bundle;
	const publishers = publishersInForce(openContextHost(context));
	await verifyManifest(bundle.manifestBytes, bundle.signatureBytes, publisherFor(publishers, manifest.name));
	const signatures = parseSignatureFile(bundle.signatureBytes).map(({ keyid }) => keyid);
	const logged = input.proof === undefined ? null : await verifyProof(context, bundle, input.proof);
	const rebuilt = input.rebuild ? await rebuild(bundle) : null;
	const document = {
		name: manifest.name,
		version: manifest.version,
		tag: manifest.tag.value,
		sha256: bundle.sha256,
		manifestSha256: bundle.manifestDigest,
		signatures,
		kernelKeys: kernelKeysOf(bundle),
		files: manifest.files.length,
		rebuilt,
		logged,
	};
	const inLog = logged === null ? "" : `\nlogged at ${logged.at}: entry ${logged.index} of ${logged.origin}`;
	const proof =
		rebuilt === null ? "" : `\nrebuilt with ${rebuilt.compiler}: the same object but for its DWARF`;
	return {
		json: document,
		text: `${manifest.name} ${manifest.version}: ${document.files} files as signed by ${signatures.join(", ")}${inLog}${proof}`,
	};
}

async function verifyInstalled(context: Context): Promise<Output> {
	const report = await verifyHost(openContextHost(context));
	return {
		json: report,
		text:
			report.bundles.map((b) => `${b.name} ${b.version}: ${b.files} files as signed`).join("\n") ||
			"nothing is installed",
	};
}
