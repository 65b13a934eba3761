// kfn catalogue: signs, shows, verifies, publishes and fetches vendors' catalogues (docs/formats/catalogue.md). Refuses to call one
// verified that is not signed for every device that it is of, or not in force.
import type { Host } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { storeCatalogues } from "#host/offload/catalogue-files.ts";
import { catalogueSource } from "#host/offload/catalogue-source.ts";
import { identityOf } from "#host/offload/device.ts";
import type { Identity, SourceAnswer } from "#host/offload/source.ts";
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
import { parseHardware } from "../hardware.ts";
import { openContextHost } from "../open-host.ts";
import { catalogueDocument, catalogueText } from "../output/catalogue.ts";
import { readStatement, type StatementFileForm, sendStatement, signStatement } from "../statement-file.ts";

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

/**
 * Takes what a registry lists for these vendors, or for those of the network devices here, in place of what it listed before; says
 * what that makes of each such device, and remembers its highest serial.
 */
export async function fetchCatalogues(
	context: Context,
	input: { hardware: readonly string[]; registry: string | undefined },
): Promise<Output> {
	const host = openContextHost(context);
	const typed = input.hardware.map(parseHardware);
	const here = await devicesHere(host, typed.length > 0);
	const wanted = typed.length > 0 ? typed.map(hardwareName) : here.map(({ name }) => name);
	const source = await openTrustedSource(context, input.registry);
	const found: { name: string; envelopes: readonly DsseEnvelope[] }[] = [];
	for (const name of [...new Set(wanted)].sort()) {
		context.onStep({ step: "reading catalogues", detail: name });
		found.push({ name, envelopes: await source.statements(name, CATALOGUE_FORM) });
	}
	const devices = await withLock(host, "catalogue fetch", async (lock) => {
		for (const { name, envelopes } of found) storeCatalogues(lock, name, envelopes);
		const judged: DeviceAnswer[] = [];
		for (const { name, identity } of here) {
			if (!wanted.includes(name)) continue;
			judged.push(deviceAnswer(identity, await catalogueSource(host, lock).claims(identity)));
		}
		return judged;
	});
	const fetched = found.map(({ name, envelopes }) => ({ name, catalogues: envelopes.map(summary) }));
	return {
		json: { registry: source.description, fetched, devices },
		text: [...fetchedText(fetched), ...devices.map(deviceText)].join("\n"),
	};
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

function fetchedText(
	fetched: readonly { name: string; catalogues: readonly FetchedCatalogue[] }[],
): string[] {
	if (fetched.length === 0) return ["no network device here has a bus and a vendor: name BUS:VENDOR"];
	return fetched.flatMap(({ name, catalogues }) => {
		if (catalogues.length === 0) return [`${name}: none`];
		return catalogues.map(({ id, issuer, serial, expires }) => {
			return `${name}: ${id} of ${issuer}, serial ${serial}, until ${expires}`;
		});
	});
}

/** What the catalogues on this host say of a device now; null where one speaks, or none does. */
interface DeviceAnswer {
	readonly device: string;
	readonly claims: number | null;
	readonly reason: string | null;
	readonly why: string | null;
}

function deviceAnswer({ device }: Identity, answer: SourceAnswer): DeviceAnswer {
	if (answer.kind === "claims") return { device, claims: answer.claims.length, reason: null, why: null };
	return { device, claims: null, reason: answer.reason, why: answer.why };
}

function deviceText({ device, claims, reason, why }: DeviceAnswer): string {
	return claims === null ? `${device}: ${reason}: ${why}` : `${device}: ${claims} claims for its firmware`;
}

/** The network devices of this namespace that catalogues can name; where vendors were typed, a machine that does not tell is one without. */
async function devicesHere(host: Host, typed: boolean): Promise<{ name: string; identity: Identity }[]> {
	const reports = await host.devices.show("/proc/self/ns/net").catch((error: unknown) => {
		if (!typed) throw error;
		return [];
	});
	return reports.flatMap((report) => {
		const identity = identityOf(report, host.kernel);
		const { bus, vendor } = identity;
		// Of the kernel's own devices no vendor speaks; an operator who does asks for them by name.
		return bus === null || vendor === null || bus === "virtual"
			? []
			: [{ name: hardwareName({ bus, vendor }), identity }];
	});
}
