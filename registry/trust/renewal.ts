// Renews what the registry signs itself before it expires, and at the start what expired while it was down. Refuses nothing
// that is due, and never touches root or targets: those are their signers' to renew.
import { binNames } from "#signing/tuf/bins.ts";
import type { MetadataReads, MetadataTransaction, RoleRecord } from "../ports/metadata-store.ts";
import { kindOfRole, renewalTime } from "./expiry.ts";
import type { Keyring } from "./online-keys.ts";
import { currentRecallList, OnlineSigner, readLiveTrust, recallKey } from "./repository.ts";

/** Bins signed in one transaction: publishes wait for as long as it takes. */
const BATCH = 64;

/** Runs `work` once, after `delayMs`; what it answers cancels it. */
export type Schedule = (delayMs: number, work: () => void) => () => void;

/** The plain timer; it keeps no process alive. */
export const byTimer: Schedule = (delayMs, work) => {
	const timer = setTimeout(work, delayMs).unref();
	return () => clearTimeout(timer);
};

/** Roles that count now: the bins of the live number of bins, not those of an earlier one. */
export async function listLiveRoles(reads: MetadataReads): Promise<RoleRecord[]> {
	const bins = new Set(binNames((await readLiveTrust(reads)).bins));
	return (await reads.listRoles()).filter(({ role }) => kindOfRole(role) !== "bins" || bins.has(role));
}

/** Signs what is due at `now`: metadata first, then the recall list, whose failure must hold up nothing else. Names what was signed. */
export async function renewDue(
	tx: MetadataTransaction,
	signing: { readonly keyring: Keyring; readonly now: Date },
): Promise<string[]> {
	const renewed = await renewRoles(tx, signing);
	if (renewed.length > 0 || (await recallListDue(tx)) > signing.now.getTime()) return renewed;
	const signer = await OnlineSigner.open(tx, signing);
	return (await signer.signRecallList()) ? ["recall list"] : [];
}

/** Signs what is due at `now`, at most {@link BATCH} bins of it, and names the roles signed; empty when nothing is due. */
async function renewRoles(
	tx: MetadataTransaction,
	signing: { readonly keyring: Keyring; readonly now: Date },
): Promise<string[]> {
	const due = (await listLiveRoles(tx)).filter(
		(role) => (dueTime(role) ?? Infinity) <= signing.now.getTime(),
	);
	if (due.length === 0) return [];
	const bins = due.map(({ role }) => role).filter((role) => kindOfRole(role) === "bins");
	const renewed = bins.slice(0, BATCH);
	const signer = await OnlineSigner.open(tx, signing);
	await signer.resignBins(renewed);
	if (renewed.length === 0 && due.every(({ role }) => role === "timestamp")) {
		await signer.signTimestamp();
		return ["timestamp"];
	}
	await signer.signSnapshot();
	return [...renewed, "snapshot", "timestamp"];
}

/** Milliseconds from `now` until something is due; 0 when it is. */
export async function untilDue(reads: MetadataReads, now: Date): Promise<number> {
	const times = (await listLiveRoles(reads)).map((role) => dueTime(role) ?? Infinity);
	return Math.max(0, Math.min(...times, await recallListDue(reads)) - now.getTime());
}

/** Half-way through its day; never where the registry has none. */
async function recallListDue(reads: MetadataReads): Promise<number> {
	if ((await recallKey(reads)) === undefined) return Infinity;
	const list = await currentRecallList(reads);
	return list === undefined ? 0 : (Date.parse(list.issued) + Date.parse(list.expires)) / 2;
}

function dueTime({ role, expires }: RoleRecord): number | undefined {
	const kind = kindOfRole(role);
	return kind === "root" || kind === "targets" ? undefined : renewalTime(kind, expires).getTime();
}
