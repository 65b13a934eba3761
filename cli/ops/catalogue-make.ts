// kfn catalogue make: a catalogue from bundles' files and tags, or the successor of one (docs/formats/catalogue.md). Refuses to let a
// claim go on for firmware that is added later, unless it is told so.
import { openBundle } from "#bundle/bundle.ts";
import { configDigest, effectiveConfig } from "#bundle/config.ts";
import { newCatalogue, unverifiedCatalogue } from "#signing/catalogue.ts";
import {
	type Catalogue,
	type CatalogueDevice,
	type CatalogueEntry,
	type CatalogueLimits,
	sortEntries,
} from "#signing/catalogue-payload.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import { SigningError } from "#signing/errors.ts";
import { expiryAfter, tufTime } from "#signing/tuf/time.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { parseHardware } from "../hardware.ts";
import { writeStatement } from "../statement-file.ts";
import { catalogueOutput, readCatalogue } from "./catalogue.ts";

export interface MakeInput {
	/** The catalogue that this one follows. */
	readonly from: string | undefined;
	readonly id: string | undefined;
	readonly issuer: string | undefined;
	/** `BUS:VENDOR`. */
	readonly hardware: string | undefined;
	readonly driver: string | undefined;
	readonly devices: readonly string[];
	readonly subsystems: readonly string[];
	/** Versions to add, oldest first. */
	readonly firmware: readonly string[];
	/** Open claims of the one before hold for the added firmware, too. */
	readonly keepEntries: boolean;
	/** Tags of the one before that are claimed no more. */
	readonly without: readonly string[];
	readonly bundles: readonly string[];
	/** `FUNCTION/ABI=TAG`. */
	readonly entries: readonly string[];
	/** For all entries that are added. */
	readonly config: string | undefined;
	readonly maxSegments: number | undefined;
	readonly headerDepth: number | undefined;
	/** None: not claimed. */
	readonly protocols: readonly string[];
	readonly since: string | undefined;
	readonly until: string | undefined;
	readonly days: number;
	readonly keys: readonly string[];
	readonly out: string;
}

type Claim = Pick<CatalogueEntry, "function" | "abi" | "tag" | "config">;

/** Writes a new catalogue, signed with `keys` if there are any. */
export async function makeCatalogue(context: Context, input: MakeInput): Promise<Output> {
	const before = input.from === undefined ? undefined : unverifiedCatalogue(await readCatalogue(input.from));
	const device = deviceOf(input, before?.device);
	const entries = [...entriesBefore(input, before), ...(await entriesAdded(input, before !== undefined))];
	const now = new Date();
	const envelope = usable({
		id: input.id ?? before?.id ?? required("--id"),
		issuer: input.issuer ?? before?.issuer ?? required("--issuer"),
		serial: (before?.serial ?? 0) + 1,
		issued: tufTime(now),
		expires: expiryAfter(now, input.days),
		device,
		entries: sortEntries(entries, device.firmware),
	});
	return catalogueOutput(await writeStatement(context, envelope, input), input.out);
}

function deviceOf(input: MakeInput, before: CatalogueDevice | undefined): CatalogueDevice {
	const { bus, vendor } =
		input.hardware === undefined ? (before ?? required("--hardware")) : parseHardware(input.hardware);
	const devices = input.devices.length === 0 ? (before?.devices ?? required("--device")) : input.devices;
	const subsystems = input.subsystems.length === 0 ? (before?.subsystems ?? null) : sorted(input.subsystems);
	const firmware = [...(before?.firmware ?? []), ...input.firmware];
	if (firmware.length === 0) required("--firmware");
	const driver = input.driver ?? before?.driver ?? required("--driver");
	return { bus, driver, vendor, devices: sorted(devices), subsystems, firmware };
}

function entriesBefore(input: MakeInput, before: Catalogue | undefined): CatalogueEntry[] {
	const { without, keepEntries, firmware } = input;
	const unknown = without.find((tag) => !before?.entries.some((entry) => entry.tag === tag));
	if (unknown !== undefined) throw new CliError("CLI_USAGE", `no entry before has the tag ${unknown}`);
	const kept = (before?.entries ?? []).filter(({ tag }) => !without.includes(tag));
	if (keepEntries || firmware.length === 0) return kept;
	const last = before?.device.firmware.at(-1) ?? null;
	return kept.map((entry) => ({ ...entry, untilFirmware: entry.untilFirmware ?? last }));
}

/** A successor's entries begin with the firmware that it adds: what ran before was claimed before. */
async function entriesAdded(input: MakeInput, follows: boolean): Promise<CatalogueEntry[]> {
	const first = follows ? input.firmware[0] : undefined;
	const range = {
		sinceFirmware: input.since ?? first ?? null,
		untilFirmware: input.until ?? null,
	};
	const claims = await Promise.all(input.bundles.map((file) => claimOfBundle(file, input.config)));
	for (const text of input.entries) claims.push(claimOfText(text, input.config));
	return claims.map((claim) => ({ ...claim, limits: limitsOf(input), ...range }));
}

function limitsOf({ maxSegments, headerDepth, protocols }: MakeInput): CatalogueLimits {
	return {
		maxSegments: maxSegments ?? null,
		headerDepth: headerDepth ?? null,
		protocols: protocols.length === 0 ? null : sorted(protocols),
	};
}

async function claimOfBundle(file: string, config: string | undefined): Promise<Claim> {
	const { manifest } = await openBundle(await readInput(file));
	const { name, abi } = manifest.function;
	const own = configDigest(effectiveConfig(manifest.config));
	return { function: name, abi, tag: manifest.tag.value, config: config ?? own };
}

function claimOfText(text: string, config: string | undefined): Claim {
	const [, name, abi, tag] = /^([^/=]+)\/(\d{1,5})=(.+)$/.exec(text) ?? [];
	if (name === undefined || abi === undefined || tag === undefined) {
		throw new CliError("CLI_USAGE", `"${text}" is not FUNCTION/ABI=TAG`, { hint: "tso/1=kfn1:…" });
	}
	return { function: name, abi: Number(abi), tag, config: config ?? required("--config") };
}

/** What the format refuses is here what the user typed. */
function usable(catalogue: Catalogue): DsseEnvelope {
	try {
		return newCatalogue(catalogue);
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "CATALOGUE_MALFORMED") throw error;
		throw new CliError("CLI_USAGE", `no such catalogue can be made: ${String(error.details["why"])}`);
	}
}

function sorted(values: readonly string[]): string[] {
	return [...new Set(values)].sort();
}

function required(flag: string): never {
	throw new CliError("CLI_USAGE", `${flag} is missing`, {
		hint: "a first catalogue needs it; a successor (--from FILE) takes it from the one before",
	});
}
