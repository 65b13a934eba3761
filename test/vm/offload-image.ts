// Makes the initramfs of the VM in which a host gives its function to the test device: the whole command line with node, both versions of tso,
// firmware, and catalogues of the device's vendor, honest and not. Refuses to load anything on the building machine: files only.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openBundle } from "#bundle/bundle.ts";
import { newCatalogue } from "#signing/catalogue.ts";
import { type Catalogue, type CatalogueEntry, sortEntries } from "#signing/catalogue-payload.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { serializeVendors, type Vendor } from "#signing/vendors.ts";
import { run } from "../harness/command.ts";
import { requireTools } from "../harness/feature.ts";
import { buildModule } from "./device/build.ts";
import { buildEngines, FIRMWARE, placeTool } from "./device-image.ts";
import { packTree, place, placeBase } from "./image.ts";
import { placeCommandLine } from "./kernel-signed-image.ts";

const TOP = join(import.meta.dirname, "../..");
const DAY = 86_400_000;

export interface OffloadImage {
	readonly initrd: string;
	/** Of the version that the host starts with, and of the patched one. */
	readonly tags: { readonly first: string; readonly second: string };
}

/**
 * Builds the image below `folder`. In `/catalogues`: `unsigned.json`; `foreign.json`, by a vendor of other hardware; `stale.json`, expired;
 * `lying.json`, which gives the running firmware the other tag; `good.json`, with the highest serial. What `psh.fw` does wrong no catalogue knows.
 */
export async function buildOffloadImage(folder: string, series: string): Promise<OffloadImage> {
	requireTools("busybox", "cpio", "devlink", "ethtool", "ip", "make", "strip", "zstd");
	const tree = join(folder, "tree");
	placeBase(tree, "offload-init.sh");
	const engines = await buildEngines(folder);
	place(tree, "kfn_device.ko", readFileSync(await buildModule(folder, series, engines)));
	for (const [name, text] of Object.entries(FIRMWARE))
		place(tree, join("lib/firmware", name), Buffer.from(text));
	for (const archive of Object.values(engines))
		place(tree, archive.slice(folder.length + 1), readFileSync(archive));
	const tags = { first: await tagOf(engines.first), second: await tagOf(engines.second) };
	await layTrust(folder, tree, tags);
	// What the loader compares with runs on a pair of these.
	place(tree, "modules/veth.ko", readFileSync(join(TOP, "build/vm/kernels", series, "modules/veth.ko")));
	await placeCommandLine(tree);
	for (const tool of ["devlink", "ethtool", "ip"]) await placeTool(tree, tool);
	await placeTool(tree, join(TOP, "build/kfn-device"), "bin");
	const initrd = join(folder, "initrd.zst");
	await packTree(tree, initrd);
	return { initrd, tags };
}

const tagOf = async (archive: string) => (await openBundle(readFileSync(archive))).manifest.tag.value;

/** The publisher of tso, the vendor of the device, another vendor, and what they say. */
async function layTrust(folder: string, tree: string, tags: OffloadImage["tags"]): Promise<void> {
	const env = { ...process.env, KFN_ROOT: tree };
	const publisher = join(folder, "publisher.key.pub");
	await run(join(TOP, "node_modules/.bin/kfn"), ["trust", "add", "tso", "--key", publisher], { env });
	const [vendor, other] = [await generateKeyPair(), await generateKeyPair()];
	const vendors = [vendorOf("qemu-lab", "1234", vendor), vendorOf("other-lab", "4321", other)];
	place(tree, "etc/kfn/trust/vendors.json", Buffer.from(serializeVendors({ vendors })));
	const good = catalogueOf(tags);
	const lying = { ...catalogueOf({ first: tags.second, second: tags.first }), serial: 2 };
	const stale = { ...good, serial: 1, issued: timeOf(-30), expires: timeOf(-1) };
	const envelopes: Record<string, DsseEnvelope> = {
		good: await signDsseEnvelope(newCatalogue(good), vendor),
		unsigned: newCatalogue(good),
		foreign: await signDsseEnvelope(newCatalogue(good), other),
		stale: await signDsseEnvelope(newCatalogue(stale), vendor),
		lying: await signDsseEnvelope(newCatalogue(lying), vendor),
	};
	for (const [name, envelope] of Object.entries(envelopes))
		place(tree, `catalogues/${name}.json`, Buffer.from(serializeDsseEnvelope(envelope)));
}

function vendorOf(issuer: string, vendor: string, key: SecretKey): Vendor {
	return { issuer, bus: "pci", vendor, devices: "all", threshold: 1, keys: [key.publicKey] };
}

const timeOf = (days: number) => new Date(Date.now() + days * DAY).toISOString().replace(/\.\d+Z$/, "Z");

/** Of QEMU's `edu` under this driver: the first engine up to 1.0.0, the second in 2.0.0, and in 3.0.0, which lies, the first again. */
function catalogueOf({ first, second }: OffloadImage["tags"]): Catalogue {
	const entry = (tag: string, version: string): CatalogueEntry => ({
		...{ function: "tso", abi: 1, tag, config: "any" },
		limits: { maxSegments: 65_535, headerDepth: 114, protocols: ["ipv4", "ipv6", "tcp"] },
		...{ sinceFirmware: version, untilFirmware: version },
	});
	const firmware = ["1.0.0", "2.0.0", "3.0.0"];
	const entries = [entry(first, "1.0.0"), entry(second, "2.0.0"), entry(first, "3.0.0")];
	return {
		...{ id: "edu", issuer: "qemu-lab", serial: 3, issued: timeOf(-1), expires: timeOf(30) },
		device: {
			...{ bus: "pci", driver: "kfn_device", vendor: "1234", devices: ["11e8"], subsystems: null },
			firmware,
		},
		entries: sortEntries(entries, firmware),
	};
}
