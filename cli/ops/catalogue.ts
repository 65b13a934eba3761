// kfn catalogue: signs, shows, verifies, publishes and fetches vendors' catalogues (docs/formats/catalogue.md). Refuses to call one
// verified that is not signed for every device that it is of, or not in force.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { withLock } from "#host/lock.ts";
import { storeCatalogues } from "#host/offload/catalogue-files.ts";
import { vendorsInForce } from "#host/vendors.ts";
import {
	demandCatalogueInForce,
	devicesOf,
	openCatalogue,
	parseCatalogueFile,
	unverifiedCatalogue,
} from "#signing/catalogue.ts";
import { CATALOGUE_LIMITS } from "#signing/catalogue-payload.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { hardwareName } from "#signing/hardware.ts";
import { hardwareOf, vendorFor } from "#signing/vendors.ts";
import { CATALOGUE_FORM } from "../client/statements-document.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { catalogueDocument, catalogueText } from "../output/catalogue.ts";
import { readStatement, type StatementFileForm, sendStatement, signStatement } from "../statement-file.ts";
import { parseHardware } from "./registry-vendor.ts";

const CATALOGUE_FILE: StatementFileForm = {
	kind: "catalogue",
	bytes: CATALOGUE_LIMITS.envelopeBytes,
	parse: parseCatalogueFile,
	claims: (envelope) => {
		const { id, device } = unverifiedCatalogue(envelope);
		return { id, name: hardwareName(device) };
	},
};

/** Adds signatures in place; what is signed stands in the output. */
export async function signCatalogue(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	return catalogueOutput(await signStatement(context, CATALOGUE_FILE, input), input.file);
}

/** What the file claims and who claims to have signed it. */
export async function showCatalogue(_context: Context, input: { file: string }): Promise<Output> {
	return catalogueOutput(await readCatalogue(input.file), input.file);
}

/** Checks it against the vendors that this host trusts, for every one of its devices, and that it is in force now. */
export async function verifyCatalogue(context: Context, input: { file: string }): Promise<Output> {
	const vendors = vendorsInForce(openContextHost(context));
	const envelope = await readCatalogue(input.file);
	const catalogue = await openCatalogue(envelope, vendors);
	const now = new Date();
	demandCatalogueInForce(catalogue, now);
	const entries = new Set(devicesOf(catalogue).map((device) => vendorFor(vendors, device)));
	const authorities = [...entries].map((entry) => {
		return { hardware: hardwareOf(entry), issuer: entry.issuer, threshold: entry.threshold };
	});
	const document = catalogueDocument(envelope, input.file, now);
	const by = authorities.map(({ hardware, issuer, threshold }) => {
		return `verified  by ${threshold} of ${issuer}'s keys, for ${hardware.join(" ")}`;
	});
	return {
		json: { ...document, verified: true, authorities },
		text: [catalogueText(document), ...by].join("\n"),
	};
}

/** Sends it to a registry, which verifies it and lists it under bus and vendor. */
export async function publishCatalogue(
	context: Context,
	input: { file: string; registry: string | undefined },
): Promise<Output> {
	const envelope = await readCatalogue(input.file);
	const { id, name } = CATALOGUE_FILE.claims(envelope);
	const { serial } = unverifiedCatalogue(envelope);
	const sent = await sendStatement(context, CATALOGUE_FILE, { envelope, registry: input.registry });
	return {
		json: { id, name, serial, ...sent },
		text: sent.created
			? `published serial ${serial} of ${id} for ${name} to ${sent.registry}`
			: `serial ${serial} of ${id} was already published to ${sent.registry}`,
	};
}

/** Takes what a registry lists for these vendors, or for those of this machine's network devices, in place of what it listed before. */
export async function fetchCatalogues(
	context: Context,
	input: { hardware: readonly string[]; registry: string | undefined },
): Promise<Output> {
	const typed = input.hardware.map(parseHardware);
	const names = [...new Set((typed.length === 0 ? vendorsHere() : typed).map(hardwareName))].sort();
	const source = await openTrustedSource(context, input.registry);
	const fetched: { name: string; catalogues: readonly FetchedCatalogue[] }[] = [];
	for (const name of names) {
		context.onStep({ step: "reading catalogues", detail: name });
		const envelopes = await source.statements(name, CATALOGUE_FORM);
		await withLock(openContextHost(context), "catalogue fetch", (lock) =>
			storeCatalogues(lock, name, envelopes),
		);
		fetched.push({ name, catalogues: envelopes.map(summary) });
	}
	return { json: { registry: source.description, fetched }, text: fetchedText(fetched) };
}

export function readCatalogue(file: string): Promise<DsseEnvelope> {
	return readStatement(CATALOGUE_FILE, file);
}

export function catalogueOutput(envelope: DsseEnvelope, file: string): Output {
	const document = catalogueDocument(envelope, file, new Date());
	return { json: document, text: catalogueText(document) };
}

interface FetchedCatalogue {
	readonly id: string;
	readonly issuer: string;
	readonly serial: number;
	readonly expires: string;
}

function summary(envelope: DsseEnvelope): FetchedCatalogue {
	const { id, issuer, serial, expires } = unverifiedCatalogue(envelope);
	return { id, issuer, serial, expires };
}

function fetchedText(fetched: readonly { name: string; catalogues: readonly FetchedCatalogue[] }[]): string {
	if (fetched.length === 0) return "no network device here has a bus and a vendor: name BUS:VENDOR";
	return fetched
		.flatMap(({ name, catalogues }) =>
			catalogues.length === 0
				? [`${name}: none`]
				: catalogues.map(
						({ id, issuer, serial, expires }) =>
							`${name}: ${id} of ${issuer}, serial ${serial}, until ${expires}`,
					),
		)
		.join("\n");
}

/** Bus and vendor of the network devices that sysfs shows; a device without either is left out. */
function vendorsHere(): { bus: string; vendor: string }[] {
	return readdirSync("/sys/class/net").flatMap((device) => {
		try {
			const parent = join("/sys/class/net", device, "device");
			const bus = basename(readlinkSync(join(parent, "subsystem")));
			const vendor = readFileSync(join(parent, "vendor"), "latin1").trim().replace(/^0x/, "");
			return [parseHardware(`${bus}:${vendor}`)];
		} catch {
			return [];
		}
	});
}
