// One refresh of a host's trusted metadata in a process of its own, for tests of two at once and of kills in the middle. Prints
// "accepted" or the code of the refusal; refuses to decide anything.
import { writeFileSync } from "node:fs";
import { folderReader, httpReader } from "#cli/client/registry-fetch.ts";
import { trustedSource } from "#cli/client/trusted-source.ts";
import { type FaultKind, faultAt } from "#host/faults.ts";
import { openHost } from "#host/host.ts";

export interface TrustChildSpec {
	readonly root: string;
	/** A registry over HTTP, or a folder. */
	readonly url?: string;
	readonly folder?: string;
	readonly fault?: { readonly at: number; readonly kind: FaultKind };
	/** The host's time, instead of the system's. */
	readonly now?: string;
	/** Where to write the names of the points that were passed. */
	readonly passed?: string;
}

const LOADER = new URL("../../build/kfn-load", import.meta.url).pathname;

async function main(spec: TrustChildSpec): Promise<void> {
	const faults = faultAt(spec.fault?.at ?? 0, spec.fault?.kind ?? "fail");
	const now = spec.now === undefined ? undefined : () => new Date(spec.now!);
	const host = openHost({ root: spec.root, loader: LOADER, faults, now });
	const reader =
		spec.url === undefined
			? folderReader(spec.folder!)
			: httpReader({
					base: spec.url,
					token: undefined,
					signal: new AbortController().signal,
					userAgent: "kfn/test",
				});
	try {
		await trustedSource(host, reader);
		console.log("accepted");
	} catch (error) {
		console.log((error as { code?: string }).code ?? String(error));
	}
	if (spec.passed !== undefined) writeFileSync(spec.passed, JSON.stringify(faults.passed));
}

if (import.meta.main) await main(JSON.parse(process.argv[2] ?? "") as TrustChildSpec);
