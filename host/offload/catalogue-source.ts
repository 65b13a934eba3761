// Claims out of signed catalogues: the one that speaks for a device now, by its own vendor, for the firmware that runs. Refuses to
// fall back from the newest to an older one, and to be stopped by files that do not count: beside a good one they are nothing.
import { createHash } from "node:crypto";
import { catalogueState, entriesFor, type OpenedCatalogue, openCatalogue } from "#signing/catalogue.ts";
import type { Catalogue, CatalogueEntry, CatalogueLimits } from "#signing/catalogue-payload.ts";
import { plain, SigningError, type SigningErrorCode } from "#signing/errors.ts";
import type { HardwareId } from "#signing/hardware.ts";
import type { Vendors } from "#signing/vendors.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { effectiveTime, readMark } from "../trust-state/mark.ts";
import { vendorsInForce } from "../vendors.ts";
import { type CatalogueFile, type CatalogueFiles, readCatalogues } from "./catalogue-files.ts";
import { rememberCatalogue, type SeenCatalogue, seenCatalogue } from "./catalogue-memory.ts";
import type { Claim, ClaimLimits, ClaimSource, Identity, NoClaim, SourceAnswer } from "./source.ts";

type None = Extract<SourceAnswer, { kind: "none" }>;

/** A catalogue that its vendor signed, whatever its time and serial are. */
interface Signed {
	readonly path: string;
	readonly catalogue: OpenedCatalogue;
	readonly payloadSha256: string;
}

/** Of several that do not count, what is wrong with the one that came nearest is the answer. */
const NEARNESS: readonly NoClaim[] = ["malformed", "unsigned", "untrusted", "foreign-vendor"];

/**
 * Catalogues as a source of claims. With the host's lock, what counts is remembered: give it wherever something is changed. Without
 * it nothing is written, and a replay is found only against what was remembered before.
 */
export function catalogueSource(host: Host, lock?: HostLock): ClaimSource {
	return {
		source: "catalogue",
		claims: async (identity) => {
			try {
				return await answer(host, identity, lock);
			} catch (error) {
				// The operator's own files, or the disk: named, and nothing counts until it is repaired.
				if (!(error instanceof SigningError || error instanceof HostError) || error.exit === 70) throw error;
				return none("unreadable", error.message);
			}
		},
	};
}

async function answer(host: Host, identity: Identity, lock: HostLock | undefined): Promise<SourceAnswer> {
	const hardware = hardwareOf(identity);
	if (hardware === undefined) {
		return none(
			"none",
			`${plain(identity.device)} tells no bus, vendor and device that a catalogue could name`,
		);
	}
	const files = readCatalogues(host);
	const offered = files.found.filter(({ unverified }) => isOf(unverified, identity, hardware));
	const { signed, refused } = await sift(offered, vendorsInForce(host), hardware);
	if (signed.length === 0) return nearest(refused) ?? nothing(files, hardware);
	const now = effectiveTime(host, readMark(host));
	const begun = signed.filter(({ catalogue }) => catalogueState(catalogue, now) !== "not-yet");
	if (begun.length === 0) return notYet(signed[0]!);
	const [newest, ...others] = begun.sort((a, b) => b.catalogue.serial - a.catalogue.serial) as [Signed];
	const seen = seenOf(identity, hardware, newest);
	const replay = replayed(newest, others, seenCatalogue(host, seen));
	if (replay !== undefined) return replay;
	if (lock !== undefined) rememberCatalogue(lock, seen);
	return claimsOf(newest, identity, now);
}

/** Verified one by one: what is wrong with one of them is no matter of the others. */
async function sift(
	offered: readonly CatalogueFile[],
	vendors: Vendors,
	hardware: HardwareId,
): Promise<{ signed: Signed[]; refused: None[] }> {
	const signed: Signed[] = [];
	const refused: None[] = [];
	for (const { path, envelope } of offered) {
		const payloadSha256 = createHash("sha256").update(envelope.payload).digest("hex");
		try {
			const catalogue = await openCatalogue(envelope, vendors, hardware);
			signed.push({ path, catalogue, payloadSha256 });
		} catch (error) {
			if (!(error instanceof SigningError)) throw error;
			refused.push(none(reasonOf(error.code), `${path}: ${error.message}`));
		}
	}
	return { signed, refused };
}

function reasonOf(code: SigningErrorCode): NoClaim {
	if (code === "SIGNATURE_MISSING") return "unsigned";
	if (code === "CATALOGUE_FOREIGN") return "foreign-vendor";
	return code === "CATALOGUE_MALFORMED" ? "malformed" : "untrusted";
}

function nearest(refused: readonly None[]): None | undefined {
	return refused.toSorted((a, b) => NEARNESS.indexOf(b.reason) - NEARNESS.indexOf(a.reason))[0];
}

function nothing({ broken }: CatalogueFiles, hardware: HardwareId): None {
	const [first] = broken;
	if (first !== undefined) return none("malformed", `${first.path}: ${first.error.message}`);
	return none("none", `there is no catalogue of ${hardware.bus} ${hardware.vendor}:${hardware.device}`);
}

function notYet({ path, catalogue: { id, serial, issued } }: Signed): None {
	return none("not-yet", `${path}: serial ${serial} of ${id} counts from ${issued} on`);
}

/** Against what this host remembers, and against another content of the same serial beside it. */
function replayed(
	{ path, catalogue: { id, serial }, payloadSha256 }: Signed,
	others: readonly Signed[],
	seen: SeenCatalogue | undefined,
): None | undefined {
	const twin = others.find(
		(other) => other.catalogue.serial === serial && other.payloadSha256 !== payloadSha256,
	);
	if (twin !== undefined) {
		return none("replayed", `${path} and ${twin.path} say different things under the serial ${serial}`);
	}
	if (seen === undefined || serial > seen.serial) return undefined;
	if (serial < seen.serial) {
		return none("replayed", `${path}: serial ${serial} of ${id}, and this host has seen ${seen.serial}`);
	}
	if (payloadSha256 === seen.payloadSha256) return undefined;
	return none("replayed", `${path}: not the catalogue of serial ${serial} that this host has seen`);
}

function claimsOf({ path, catalogue }: Signed, identity: Identity, now: Date): SourceAnswer {
	const { id, issuer, serial, expires } = catalogue;
	if (catalogueState(catalogue, now) === "expired") {
		return none("expired", `${path}: serial ${serial} of ${id} expired at ${expires}`);
	}
	const { firmware } = identity;
	const entries = firmware === null ? undefined : entriesFor(catalogue, firmware);
	if (entries !== undefined) {
		const from = `${issuer} ${id}, serial ${serial}`;
		return { kind: "claims", claims: entries.map((entry) => claimOf(entry, from)) };
	}
	const runs = firmware === null ? "the driver tells no firmware version" : `${plain(firmware)} runs`;
	return none("wrong-firmware", `${path}: ${runs}, and it is of ${shown(catalogue.device.firmware)}`);
}

function claimOf(entry: CatalogueEntry, from: string): Claim {
	const { abi, tag, config, limits } = entry;
	return { source: "catalogue", function: entry.function, abi, tag, config, limits: limitsOf(limits), from };
}

function limitsOf({ maxSegments, headerDepth, protocols }: CatalogueLimits): ClaimLimits {
	return {
		...(maxSegments === null ? {} : { maxSegments }),
		...(headerDepth === null ? {} : { headerDepth }),
		...(protocols === null ? {} : { protocols }),
	};
}

function hardwareOf({ bus, vendor, deviceId }: Identity): HardwareId | undefined {
	if (bus === null || vendor === null || deviceId === null) return undefined;
	return { bus, vendor, device: deviceId };
}

/** Whether it says that it is of this device; only a claim, by which it is chosen to be verified. */
function isOf({ device }: Catalogue, identity: Identity, { bus, vendor, device: id }: HardwareId): boolean {
	const hardware = device.bus === bus && device.vendor === vendor && device.devices.includes(id);
	const board = subsystemOf(identity);
	const boards = device.subsystems;
	const ofBoard = boards === null || (board !== null && boards.includes(board));
	return hardware && device.driver === identity.driver && ofBoard;
}

function subsystemOf({ subsystem }: Identity): string | null {
	return subsystem === undefined ? null : `${subsystem.vendor}:${subsystem.device}`;
}

function seenOf(
	identity: Identity,
	hardware: HardwareId,
	{ catalogue, payloadSha256 }: Signed,
): SeenCatalogue {
	const { issuer, serial } = catalogue;
	const { driver } = identity;
	return { ...hardware, driver, subsystem: subsystemOf(identity), issuer, serial, payloadSha256 };
}

function shown(versions: readonly string[]): string {
	const last = versions.slice(-4).join(", ");
	return versions.length > 4 ? `…, ${last}` : last;
}

function none(reason: NoClaim, why: string): None {
	return { kind: "none", reason, why };
}
