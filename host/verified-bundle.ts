// From an archive's bytes to a bundle whose publisher this host trusts, and from there to a line of a plan. Refuses whatever is not signed by enough of that publisher's keys.
import { type Bundle, openBundle } from "#bundle/bundle.ts";
import { type Config, configDigest, effectiveConfig } from "#bundle/config.ts";
import { checkConfigPlaces } from "#bundle/config-places.ts";
import { programDigests } from "#bundle/instructions.ts";
import type { Hook } from "#bundle/manifest-shape.ts";
import { parseKernelSignatures } from "#signing/kernel/signature-file.ts";
import { publisherFor } from "#signing/publishers.ts";
import { verifyManifest } from "#signing/verify.ts";
import { HostError } from "./errors.ts";
import type { Host, OnStep } from "./host.ts";
import type { PlanFunction } from "./plan.ts";
import { publishersInForce } from "./publishers.ts";
import { hookTakes, type Scope } from "./scope.ts";

/**
 * Opens an archive and verifies its publisher's signatures; BUNDLE_, SIGNATURE_, PUBLISHERS_ and KERNEL_SIGNATURE_ codes come out as they are.
 *
 * The loader verifies the same again on the bytes that it loads: this look only keeps the untrusted out of the store.
 */
export async function openVerified(
	host: Host,
	archive: Uint8Array | AsyncIterable<Uint8Array>,
	onStep?: OnStep,
): Promise<Bundle> {
	onStep?.({ step: "verify", detail: "digests and signatures" });
	const bundle = await openBundle(archive);
	const publisher = publisherFor(publishersInForce(host), bundle.manifest.name);
	await verifyManifest(bundle.manifestBytes, bundle.signatureBytes, publisher);
	// Whether they are valid only the kernel can say; what is not even well-formed stays out of the store.
	parseKernelSignatures(bundle.kernelSignatureBytes, programDigests(bundle.manifest));
	return bundle;
}

/** HOST_SCOPE_UNSUPPORTED where the function's programs are not attached to scopes of this kind. */
function demandKind({ function: { name }, variants }: Bundle["manifest"], scope: Scope): void {
	const hooks = variants.flatMap(({ programs }) => programs.map(({ hook }) => hook));
	const hook = hooks.find((candidate) => !hookTakes(candidate, scope));
	if (hook === undefined) return;
	throw new HostError("HOST_SCOPE_UNSUPPORTED", `${name} is not attached to ${scope}: its hook is ${hook}`, {
		hint: WHERE[hook],
		details: { scope, hook },
	});
}

const DEVICES =
	"name a device: dev:NAME, dev:driver=NAME or dev:bus=NAME, with @/run/netns/NAME in a namespace";
const WHERE: Readonly<Record<Hook, string>> = {
	netns: "name a network namespace: netns:root, netns:/run/netns/NAME or netns:/run/netns/PREFIX*",
	"tc-egress": DEVICES,
	"tc-ingress": DEVICES,
	none: "it is attached nowhere: leave out --scope, or say --scope none",
};

/** HOST_EXPERIMENTAL where its publisher calls it so, and nobody said that they want it all the same. */
function demandWanted({ name, experimental }: Bundle["manifest"], wanted: boolean): void {
	if (experimental === undefined || wanted) return;
	throw new HostError("HOST_EXPERIMENTAL", `${name} is experimental: ${experimental}`, {
		hint: 'if you want it all the same: kfn install --experimental, or "experimental": true in the state that kfn apply reads',
		details: { name, experimental },
	});
}

/**
 * The plan's line for a bundle in a scope; `experimental` says that the operator wants it although it is called that.
 *
 * HOST_SCOPE_UNSUPPORTED, HOST_EXPERIMENTAL, and BUNDLE_CONFIG_ codes for parameters that the function does not take.
 */
export function planFunctionOf(
	bundle: Pick<Bundle, "manifest" | "manifestDigest" | "sha256" | "files">,
	scope: Scope,
	given: Config = {},
	experimental = false,
): PlanFunction {
	const { manifest, manifestDigest, sha256 } = bundle;
	demandWanted(manifest, experimental);
	demandKind(manifest, scope);
	const config = effectiveConfig(manifest.config, given);
	checkConfigPlaces(bundle, config);
	return {
		function: manifest.function.name,
		abi: manifest.function.abi,
		scope,
		bundle: { name: manifest.name, version: manifest.version, sha256, manifestSha256: manifestDigest },
		tag: manifest.tag.value,
		config,
		configDigest: configDigest(config),
		...(manifest.experimental === undefined ? {} : { experimental: true }),
	};
}
