// A catalogue for people and programs. Refuses to call anything in it verified.
import { catalogueState, unverifiedCatalogue } from "#signing/catalogue.ts";
import type { Catalogue, CatalogueEntry, CatalogueLimits } from "#signing/catalogue-payload.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { hardwareName } from "#signing/hardware.ts";
import { oneLine } from "../printable.ts";
import { columns } from "./columns.ts";

export interface CatalogueDocument extends Catalogue {
	/** Under which a registry lists it. */
	readonly name: string;
	readonly file: string;
	/** By this machine's clock. */
	readonly state: "not-yet" | "in-force" | "expired";
	/** Key ids, as the file lists them. */
	readonly signatures: readonly string[];
}

export function catalogueDocument(envelope: DsseEnvelope, file: string, now: Date): CatalogueDocument {
	const catalogue = unverifiedCatalogue(envelope);
	const signatures = envelope.signatures.map(({ keyid }) => keyid).sort();
	const name = hardwareName(catalogue.device);
	return { name, ...catalogue, file, state: catalogueState(catalogue, now), signatures };
}

export function catalogueText(document: CatalogueDocument): string {
	const { id, issuer, serial, issued, expires, state, device, entries, signatures } = document;
	const { bus, vendor, driver, devices, subsystems, firmware } = device;
	const head = [
		["catalogue", `${id}, serial ${serial}`],
		["issuer", issuer],
		["devices", `${bus} ${devices.map((each) => `${vendor}:${each}`).join(" ")}, driver ${driver}`],
		...(subsystems === null ? [] : [["boards", subsystems.join(" ")]]),
		["firmware", firmware.map(oneLine).join(", ")],
		["in force", `${issued} to ${expires}${state === "in-force" ? "" : ` (${state})`}`],
		["signed", signatures.length === 0 ? "no (kfn catalogue sign adds a signature)" : signatures.join(", ")],
	];
	const rows = entries.map((entry) => [
		`${entry.function}/${entry.abi}`,
		entry.tag,
		entry.config === "any" ? "any" : entry.config.slice(0, 12),
		limitsText(entry.limits),
		rangeText(entry),
	]);
	return [columns(head), columns([["FUNCTION", "TAG", "CONFIG", "LIMITS", "FIRMWARE"], ...rows])].join("\n");
}

function limitsText({ maxSegments, headerDepth, protocols }: CatalogueLimits): string {
	const parts = [
		...(maxSegments === null ? [] : [`${maxSegments} segments`]),
		...(headerDepth === null ? [] : [`headers to ${headerDepth}`]),
		...(protocols === null ? [] : [protocols.join("+")]),
	];
	return parts.join(", ") || "none claimed";
}

function rangeText({ sinceFirmware, untilFirmware }: CatalogueEntry): string {
	const parts = [
		...(sinceFirmware === null ? [] : [`since ${oneLine(sinceFirmware)}`]),
		...(untilFirmware === null ? [] : [`until ${oneLine(untilFirmware)}`]),
	];
	return parts.join(" ") || "all";
}
