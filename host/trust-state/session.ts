// Reading a registry through verified metadata: refresh, commit what was verified, then targets. Refuses whatever TUF refuses;
// of a walk that was refused half-way it keeps what had been verified by then, as the specification asks (§5.3.8, 5.4.5).
import { SigningError } from "#signing/errors.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import type { KeyPolicy } from "#signing/tuf/key-policy.ts";
import { type Target, TrustUpdater } from "#signing/tuf/updater.ts";
import { type VerifiedRole, verifiedRoles } from "#signing/tuf/verified-roles.ts";
import { fileError } from "../durable.ts";
import { codeOf, HostError, withDetails } from "../errors.ts";
import type { Host } from "../host.ts";
import { withLock } from "../lock.ts";
import { commitSet, type NextSet, recordedRoles } from "./commit.ts";
import { effectiveTime, type TrustMark } from "./mark.ts";
import { readTrustPolicy } from "./policy.ts";
import { scratchPath } from "./scratch.ts";
import { allRolesOfSet, roleFile, rolesOfSet, type Staleness, type TrustSet } from "./set.ts";
import { readTrustState, type TrustState } from "./state.ts";

/** What stands in a set beside the roles' metadata: by file name, derived from a finished walk and what was known before it. */
export type Companions = (walk: Walk, before: Remembered) => Promise<ReadonlyMap<string, Uint8Array>>;

/** What the host knew when the walk began; where its set is lost, only the mark. */
export type Remembered = Pick<TrustState, "set" | "mark">;

export interface SessionOptions {
	readonly fetch: FetchFile;
	readonly policy: KeyPolicy;
	readonly companions: Companions;
	/** Also keep the metadata of delegated roles that the walk came by; test/conformance looks at them. */
	readonly keepDelegated?: boolean;
	/** Commit nothing, a refused walk's beginning included. */
	readonly rehearse?: boolean;
}

const ATTEMPTS = 4;

/**
 * Brings what this host trusts up to date, and commits it. Errors of `TrustUpdater.refresh` and `readTrustState`, those of
 * `fetch`, HOST_LOCKED where another command holds the host, and HOST_DISK_FULL and the like.
 */
export async function openTrustSession(host: Host, options: SessionOptions): Promise<TrustSession> {
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		const state = readTrustState(host);
		const walk = await walkFrom(host, options, state);
		const set = await commit(host, state.set, walk);
		// Compare-and-swap: another command committed meanwhile, so that this walk began with what is no longer trusted.
		if (set !== undefined) return new TrustSession(host, options, walk, set);
	}
	throw overtaken();
}

/**
 * What {@link openTrustSession} would commit, by file name, and nothing of it committed: for a copy that has to be whole before
 * this host may trust what it holds. Errors as there.
 */
export async function rehearseTrust(
	host: Host,
	options: SessionOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
	const walk = await walkFrom(host, { ...options, rehearse: true }, readTrustState(host));
	return walk.next().files;
}

/** A refreshed view of the registry. Finding targets may load more metadata; it is verified like the rest. */
export class TrustSession {
	readonly #host: Host;
	readonly #options: SessionOptions;
	#walk: Walk;
	#set: TrustSet;
	/** The set from which the walk goes on. */
	#base: TrustSet | undefined;

	constructor(host: Host, options: SessionOptions, walk: Walk, set: TrustSet) {
		this.#host = host;
		this.#options = options;
		this.#walk = walk;
		this.#set = set;
		this.#base = set;
	}

	/** What was committed; its documents are verified. */
	get set(): TrustSet {
		return this.#set;
	}

	/** A target; TRUST_NO_TARGET where the metadata lists none. Errors as {@link openTrustSession}. */
	async find(path: string): Promise<Target> {
		try {
			const found = await this.#walk.find(path);
			if (this.#options.keepDelegated) await this.#commitAgain();
			if (found !== undefined) return found;
		} catch (error) {
			if (this.#options.keepDelegated) await this.#commitAgain();
			const relaxed = await this.#relaxed(error);
			if (relaxed === undefined) throw error;
			const found = await relaxed.find(path);
			if (found !== undefined) {
				await this.#commitAgain();
				return found;
			}
		}
		throw new SigningError("TRUST_NO_TARGET", `the registry's metadata lists no ${path}`, {
			details: { path },
		});
	}

	download(target: Target): Promise<Uint8Array> {
		return this.#walk.download(target);
	}

	/** The same walk at the end of what policy allows, where a delegated role has expired within it. */
	async #relaxed(error: unknown): Promise<Walk | undefined> {
		if (codeOf(error) !== "TRUST_EXPIRED" || this.#walk.isRelaxed) return undefined;
		const state = readTrustState(this.#host);
		const walk = await relaxedWalk(this.#host, this.#options, state);
		if (walk !== undefined) [this.#walk, this.#base] = [walk, state.set];
		return walk;
	}

	/** What the walk has learnt since the last commit: staleness of a bin, or delegated roles. */
	async #commitAgain(): Promise<void> {
		const set = await commit(this.#host, this.#base, this.#walk);
		// Compare-and-swap, as at the opening; what came meanwhile may be newer, and must not be lost.
		if (set === undefined) throw overtaken();
		[this.#set, this.#base] = [set, set];
	}
}

/** One walk of tuf-js and what of it a set records. */
export class Walk {
	readonly isRelaxed: boolean;
	readonly #updater: TrustUpdater;
	readonly #state: TrustState;
	/** The host's time, however far policy moves the reference time of the walk. */
	readonly #now: Date;
	readonly #keepDelegated: boolean;
	#complete = false;
	#companions: ReadonlyMap<string, Uint8Array>;
	#staleBin: Staleness | undefined;

	constructor(
		host: Host,
		options: SessionOptions,
		state: TrustState,
		mark: TrustMark,
		stalenessDays: number,
	) {
		this.#state = state;
		this.#now = effectiveTime(host, mark);
		this.isRelaxed = stalenessDays > 0;
		this.#keepDelegated = options.keepDelegated ?? false;
		this.#companions = companionsOf(state.set);
		this.#updater = new TrustUpdater({
			scratch: scratchPath(host),
			trusted: this.#startOf(state),
			fetch: options.fetch,
			referenceTime: new Date(this.#now.getTime() - stalenessDays * 86_400_000),
			policy: options.policy,
		});
	}

	#startOf({ set, pin }: TrustState): ReadonlyMap<string, Uint8Array> {
		if (set === undefined) return new Map([["root", pin.bytes]]);
		return this.#keepDelegated ? allRolesOfSet(set) : rolesOfSet(set);
	}

	/** To the end: the roles, then the documents beside them. */
	async run(companions: Companions): Promise<void> {
		await onDisk(() => this.#updater.refresh());
		const root = verifiedRoles(this.#updater.verified()).get("root");
		// Policy stretches what others must renew; a root that expired has nobody left to vouch for anything.
		if (root !== undefined && this.#isPast(root)) throw expiredRoot(root);
		this.#companions = await companions(this, this.#state);
		this.#complete = true;
	}

	async find(path: string): Promise<Target | undefined> {
		const found = await onDisk(() => this.#updater.find(path));
		if (this.isRelaxed) this.#noteStaleBins();
		return found;
	}

	download(target: Target): Promise<Uint8Array> {
		return this.#updater.download(target);
	}

	/** By role: everything that is verified. */
	trusted(): ReadonlyMap<string, Uint8Array> {
		return this.#updater.verified();
	}

	/** What a set of this walk holds, also where the walk was refused on its way. */
	next(): NextSet {
		const verified = this.#updater.verified();
		const roles = verifiedRoles(verified);
		const kept = [...verified].filter(([role]) => this.#keepDelegated || roles.has(role as "root"));
		const stale = this.#complete ? this.#staleness(roles) : (this.#state.set?.record.stale ?? null);
		const { pin, set } = this.#state;
		return {
			record: {
				at: this.#now.toISOString(),
				pin: set?.record.pin ?? { sha256: pin.root.fingerprint, by: pin.by },
				complete: this.#complete,
				roles: recordedRoles(roles),
				stale,
			},
			files: new Map([...this.#companions, ...kept.map(([role, bytes]) => [roleFile(role), bytes] as const)]),
			movesTime: this.#complete && stale === null,
		};
	}

	/** Whether anything was verified that the set before, or the pin where there is none, does not have. */
	get hasProgress(): boolean {
		const { set, pin } = this.#state;
		const before = set?.files ?? new Map([[roleFile("root"), pin.bytes]]);
		return [...this.#updater.verified()].some(([role, bytes]) => {
			const old = before.get(roleFile(role));
			return (
				(this.#keepDelegated || role in ROLES) && (old === undefined || Buffer.compare(old, bytes) !== 0)
			);
		});
	}

	#staleness(roles: ReadonlyMap<string, VerifiedRole>): Staleness | null {
		const past = [...roles].filter(([, role]) => this.#isPast(role));
		const names = [...past.map(([name]) => name), ...(this.#staleBin?.roles ?? [])];
		if (names.length === 0) return null;
		const times = [
			...past.map(([, { expires }]) => expires),
			...(this.#staleBin === undefined ? [] : [this.#staleBin.since]),
		];
		return { since: times.sort((a, b) => Date.parse(a) - Date.parse(b))[0]!, roles: names };
	}

	#noteStaleBins(): void {
		const verified = [...this.#updater.verified()].filter(([role]) => !(role in ROLES));
		const past = verified.flatMap(([role, bytes]) => {
			const { signed } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { signed: { expires: string } };
			return this.#isPast(signed) ? [{ role, expires: signed.expires }] : [];
		});
		const [first] = past.map(({ expires }) => expires).sort((a, b) => Date.parse(a) - Date.parse(b));
		if (first !== undefined) this.#staleBin = { since: first, roles: past.map(({ role }) => role) };
	}

	#isPast({ expires }: { readonly expires: string }): boolean {
		return Date.parse(expires) <= this.#now.getTime();
	}
}

const ROLES = { root: true, timestamp: true, snapshot: true, targets: true };

/** A whole walk, as strict as it can be and no laxer than policy allows; of a refused one what was verified is kept, unless rehearsed. */
export async function walkFrom(host: Host, options: SessionOptions, state: TrustState): Promise<Walk> {
	const walk = new Walk(host, options, state, state.mark, 0);
	try {
		await walk.run(options.companions);
		return walk;
	} catch (error) {
		const relaxed = codeOf(error) === "TRUST_EXPIRED" ? await relaxedWalk(host, options, state) : undefined;
		if (relaxed !== undefined) return relaxed;
		throw options.rehearse ? error : await kept(host, state, walk, error);
	}
}

/** The walk with the reference time moved back as far as policy allows; undefined where it allows nothing, or not enough. */
async function relaxedWalk(
	host: Host,
	options: SessionOptions,
	state: TrustState,
): Promise<Walk | undefined> {
	const { stalenessDays } = readTrustPolicy(host);
	if (stalenessDays === 0) return undefined;
	const walk = new Walk(host, options, state, state.mark, stalenessDays);
	try {
		await walk.run(options.companions);
		return walk;
	} catch (error) {
		if (codeOf(error) === "TRUST_EXPIRED") return undefined;
		throw options.rehearse ? error : await kept(host, state, walk, error);
	}
}

/** Keeps what a refused walk had verified; the refusal, which comes out whether or not that succeeds. */
async function kept(host: Host, state: TrustState, walk: Walk, refusal: unknown): Promise<unknown> {
	if (!walk.hasProgress) return refusal;
	try {
		await commit(host, state.set, walk);
		return refusal;
	} catch (error) {
		return withDetails(refusal, { notKept: codeOf(error) });
	}
}

function commit(host: Host, base: TrustSet | undefined, walk: Walk): Promise<TrustSet | undefined> {
	return withLock(host, "trust refresh", (lock) => commitSet(lock, base, walk.next()));
}

function overtaken(): HostError {
	return new HostError("HOST_LOCKED", "other commands kept changing this host's trusted metadata", {
		hint: "wait until they are done, then run the command again",
	});
}

function companionsOf(set: TrustSet | undefined): ReadonlyMap<string, Uint8Array> {
	const roles = new Set(Object.keys(ROLES).map(roleFile));
	return new Map([...(set?.files ?? [])].filter(([name]) => !roles.has(name)));
}

/** tuf-js works on files: what the disk refuses is the host's error. */
async function onDisk<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw fileError(error, "var/lib/kfn/tmp");
	}
}

function expiredRoot({ version, expires }: VerifiedRole): SigningError {
	return new SigningError("TRUST_EXPIRED", `the registry's root metadata expired at ${expires}`, {
		hint: "the registry's root signers must sign a new root (kfn root rotate); no policy of this host can stand in for them",
		details: { role: "root", version, expires },
	});
}
