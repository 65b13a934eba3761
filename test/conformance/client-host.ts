// The suite's METADATA_DIR as a kfn host: below it the host's own root folder, and links by which the suite reads what is
// current. Refuses to write metadata anywhere but through host/trust-state.
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { linkTarget, statOf } from "#host/durable.ts";
import { type Host, openHost } from "#host/host.ts";
import { readTrustedRoot } from "#signing/tuf/trusted-root.ts";

export interface ClientHost {
	readonly host: Host;
	/** Makes `root` the pinned one; not twice. What it is signed with is the first refresh's business. */
	pin(root: Uint8Array): void;
	/** Lets the suite see every role of the current set: `METADATA_DIR/timestamp.json` and so on. */
	publish(): void;
}

const LOADER = join(import.meta.dirname, "../../build/kfn-load");

export function openClientHost(metadataDir: string): ClientHost {
	const host = openHost({ root: join(metadataDir, "host"), loader: LOADER });
	const { durable, layout } = host;
	const show = (name: string, path: string) => {
		const link = join(metadataDir, name);
		const target = relative(metadataDir, path);
		if (linkTarget(link) !== target) durable.swapLink(link, target);
	};
	return {
		host,
		// Not pinRoot: that takes Ed25519 alone, as a host should.
		pin(root) {
			if (statOf(layout.trustRoot) !== undefined) throw new Error("this folder trusts a root already");
			readTrustedRoot(root);
			durable.makeFolder(dirname(layout.trustRoot));
			durable.writeFile(layout.trustRoot, root);
			show("root.json", layout.trustRoot);
		},
		publish() {
			const current = layout.trustCurrent;
			if (linkTarget(current) === undefined) return;
			// Through `current`, so that all of them change at once.
			for (const name of readdirSync(current)) {
				if (name.endsWith(".json") && name !== "set.json") show(name, join(current, name));
			}
		},
	};
}
