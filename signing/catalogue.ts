// Catalogues: a vendor's signed word on which functions its hardware runs, by device and firmware (docs/formats/catalogue.md).
// Refuses keys that are not trusted for exactly the device in question: no vendor speaks for another's hardware.
import {
	CATALOGUE_LIMITS,
	type Catalogue,
	type CatalogueEntry,
	holdsFor,
	malformed,
	parseCatalogue,
	serializeCatalogue,
} from "./catalogue-payload.ts";
import { type DsseEnvelope, envelopeOfValue, type PayloadForm, parseDsseEnvelope } from "./envelope.ts";
import { plain, SigningError } from "./errors.ts";
import type { HardwareId } from "./hardware.ts";
import { tufTime } from "./tuf/time.ts";
import { type Vendor, type Vendors, vendorFor } from "./vendors.ts";
import { verifyEnvelope } from "./verify.ts";

export const CATALOGUE_PAYLOAD_TYPE = "application/vnd.kfn.catalogue.v1+json";

declare const opened: unique symbol;

/** A catalogue whose signatures have been checked; made only by {@link openCatalogue}. Time and firmware are not judged yet. */
export type OpenedCatalogue = Catalogue & { readonly [opened]: true };

const FORM: PayloadForm = {
	payloadType: CATALOGUE_PAYLOAD_TYPE,
	payloadBytes: CATALOGUE_LIMITS.payloadBytes,
	envelopeBytes: CATALOGUE_LIMITS.envelopeBytes,
	malformed,
};

/** Parses a catalogue's file: CATALOGUE_MALFORMED for all but an envelope in its one spelling. The payload stays closed. */
export function parseCatalogueFile(bytes: Uint8Array): DsseEnvelope {
	return parseDsseEnvelope(bytes, FORM);
}

/** Reads a catalogue that another document embeds; errors as {@link parseCatalogueFile}. */
export function catalogueOfValue(value: unknown): DsseEnvelope {
	return envelopeOfValue(value, FORM);
}

/** The unsigned envelope around a new catalogue. CATALOGUE_MALFORMED where it breaks the format. */
export function newCatalogue(catalogue: Catalogue): DsseEnvelope {
	const payload = serializeCatalogue(catalogue);
	parseCatalogue(payload);
	return { payloadType: CATALOGUE_PAYLOAD_TYPE, payload, signatures: [] };
}

/** What a catalogue claims, for whoever shows it, signs it or looks for its vendor; CATALOGUE_MALFORMED, and nothing is verified. */
export function unverifiedCatalogue(envelope: DsseEnvelope): Catalogue {
	return parseCatalogue(envelope.payload);
}

/**
 * Verifies the signatures with the vendor that `vendors` give for `hardware`; without it, with those of all of the catalogue's
 * devices. CATALOGUE_MALFORMED; VENDORS_NO_MATCH: nobody is trusted for the device; CATALOGUE_FOREIGN: keys that are trusted for
 * other hardware only; CATALOGUE_ISSUER: another issuer than the device's; CATALOGUE_DEVICE: it is not of the device; the SIGNATURE_ codes.
 */
export async function openCatalogue(
	envelope: DsseEnvelope,
	vendors: Vendors,
	hardware?: HardwareId,
): Promise<OpenedCatalogue> {
	// A copy: what was verified and what is parsed are the same bytes, whatever the caller does to his meanwhile.
	const own: DsseEnvelope = { ...envelope, payload: new Uint8Array(envelope.payload) };
	const devices = hardware === undefined ? devicesOf(unverifiedCatalogue(own)) : [hardware];
	const signers = vendorsOf(vendors, devices, own);
	for (const vendor of signers) await verifyAs(own, vendor, vendors);
	const catalogue = parseCatalogue(own.payload);
	for (const vendor of signers) demandIssuer(catalogue, vendor);
	if (hardware !== undefined) demandDevice(catalogue, hardware);
	return catalogue as OpenedCatalogue;
}

/** The hardware that a catalogue is of, each device by itself. */
export function devicesOf({ device }: Catalogue): HardwareId[] {
	const { bus, vendor } = device;
	return device.devices.map((id) => ({ bus, vendor, device: id }));
}

/** Where `now` lies between issue, with its skew, and expiry. */
export function catalogueState(
	{ issued, expires }: Pick<Catalogue, "issued" | "expires">,
	now: Date,
): "not-yet" | "in-force" | "expired" {
	const skew = CATALOGUE_LIMITS.skewSeconds * 1000;
	if (!(Date.parse(issued) <= now.getTime() + skew)) return "not-yet";
	return now.getTime() < Date.parse(expires) ? "in-force" : "expired";
}

/** CATALOGUE_NOT_YET or CATALOGUE_EXPIRED unless it is in force. The caller's clock must not go back: a host takes the latest time it has seen. */
export function demandCatalogueInForce(catalogue: OpenedCatalogue, now: Date): void {
	const { id, serial, issued, expires } = catalogue;
	const state = catalogueState(catalogue, now);
	if (state === "not-yet") {
		const message = `catalogue ${id} counts from ${issued} on, and it is ${tufTime(now)}`;
		throw new SigningError("CATALOGUE_NOT_YET", message, {
			hint: "check this machine's clock; if it is right, the issuer has a wrong one",
			details: { id, serial, issued },
		});
	}
	if (state === "expired") {
		throw new SigningError("CATALOGUE_EXPIRED", `catalogue ${id} expired at ${expires}`, {
			hint: "get a newer one from the vendor or the registry",
			details: { id, serial, expires },
		});
	}
}

/** The entries that hold for a firmware version; undefined where the catalogue does not list it. */
export function entriesFor(
	catalogue: OpenedCatalogue,
	version: string,
): readonly CatalogueEntry[] | undefined {
	const { entries, device } = catalogue;
	if (!device.firmware.includes(version)) return undefined;
	return entries.filter((entry) => holdsFor(entry, device.firmware, version));
}

/** The entries of the map that the devices fall to, each once. */
function vendorsOf(vendors: Vendors, devices: readonly HardwareId[], envelope: DsseEnvelope): Set<Vendor> {
	const found = new Set<Vendor>();
	for (const device of devices) {
		try {
			found.add(vendorFor(vendors, device));
		} catch (error) {
			if (!(error instanceof SigningError)) throw error;
			throw foreign(envelope, vendors, error) ?? error;
		}
	}
	return found;
}

async function verifyAs(envelope: DsseEnvelope, vendor: Vendor, vendors: Vendors): Promise<void> {
	try {
		await verifyEnvelope(envelope, CATALOGUE_PAYLOAD_TYPE, vendor, "catalogue");
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "SIGNATURE_UNKNOWN_KEY") throw error;
		throw foreign(envelope, vendors, error) ?? error;
	}
}

function demandIssuer({ id, issuer }: Catalogue, vendor: Vendor): void {
	if (issuer === vendor.issuer) return;
	const message = `catalogue ${id} gives ${issuer} as its issuer, and its devices are ${vendor.issuer}'s`;
	throw new SigningError("CATALOGUE_ISSUER", message, {
		hint: "the map of vendors names the issuer of each device; the vendor must sign under that name",
		details: { id, issuer, expected: vendor.issuer },
	});
}

function demandDevice(catalogue: Catalogue, hardware: HardwareId): void {
	if (devicesOf(catalogue).some((device) => sameHardware(device, hardware))) return;
	const shown = plain(`${hardware.bus} ${hardware.vendor}:${hardware.device}`);
	throw new SigningError("CATALOGUE_DEVICE", `catalogue ${catalogue.id} is not of ${shown}`, {
		hint: "kfn catalogue show says which devices it is of",
	});
}

/** Named only where each listed key is somebody's; a stranger among them makes it what it is otherwise. */
function foreign(
	envelope: DsseEnvelope,
	{ vendors }: Vendors,
	cause: SigningError,
): SigningError | undefined {
	const owners = envelope.signatures.map(({ keyid }) =>
		vendors.find(({ keys }) => keys.some((key) => key.keyid === keyid)),
	);
	const [owner] = owners;
	if (owner === undefined || owners.includes(undefined)) return undefined;
	return new SigningError("CATALOGUE_FOREIGN", `keys of ${owner.issuer} may not speak for this hardware`, {
		hint: "do not use it: a vendor's keys count for the devices that the map of vendors gives it, and no others",
		details: { issuer: owner.issuer },
		cause,
	});
}

function sameHardware(a: HardwareId, b: HardwareId): boolean {
	return a.bus === b.bus && a.vendor === b.vendor && a.device === b.device;
}
