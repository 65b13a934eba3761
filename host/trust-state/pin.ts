// The root with which a host's trust in its registry begins: etc/kfn/trust/root.json, or the one that a package brought.
// Refuses to look anywhere else for one, least of all at the network.
import { readTrustedRoot, type TrustedRoot } from "#signing/tuf/trusted-root.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { readIfThere } from "../state-file.ts";
import { damaged } from "./damage.ts";

export type PinnedBy = "operator" | "package";

export interface PinnedRoot {
	readonly bytes: Uint8Array;
	readonly root: TrustedRoot;
	readonly path: string;
	readonly by: PinnedBy;
}

/** The pinned root; undefined where there is none. HOST_TRUST_DAMAGED where the file holds anything but root metadata. */
export function findPin(host: Host): PinnedRoot | undefined {
	const { trustRoot, packagedRoot } = host.layout;
	return pinAt(trustRoot, "operator") ?? pinAt(packagedRoot, "package");
}

/** The pinned root; HOST_TRUST_NO_ROOT, with the ways to pin one, where there is none. */
export function readPin(host: Host): PinnedRoot {
	const pin = findPin(host);
	if (pin !== undefined) return pin;
	throw new HostError("HOST_TRUST_NO_ROOT", "no registry root is pinned on this host", {
		hint:
			"get the registry's root or its fingerprint from its admin over another channel, then: kfn trust root pin FILE, " +
			"or kfn trust root pin --fingerprint HEX --registry URL, or install a package that brings /usr/share/kfn/root.json",
		details: { path: host.layout.trustRoot },
	});
}

function pinAt(path: string, by: PinnedBy): PinnedRoot | undefined {
	const bytes = readIfThere(path);
	if (bytes === undefined) return undefined;
	try {
		return { bytes: new Uint8Array(bytes), root: readTrustedRoot(bytes), path, by };
	} catch (cause) {
		throw damaged(path, "is not the root metadata that was pinned", cause);
	}
}
