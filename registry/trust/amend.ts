// Drafts as changes of what is live, or of a draft that waits already: pure. Refuses to keep a signature over what it changes, and
// to leave live targets behind that the changed root would no longer vouch for.

import type { RootDraft, TargetsDraft } from "#signing/tuf/draft.ts";
import { maySign } from "#signing/tuf/draft-signatures.ts";
import type { Envelope, RootSigned, TargetsSigned } from "#signing/tuf/metadata.ts";
import { signedBytes } from "#signing/tuf/metadata.ts";
import { nextRoot } from "#signing/tuf/next-root.ts";
import { type Documents, nextTargets } from "#signing/tuf/next-targets.ts";
import { signersOf } from "#signing/tuf/sign.ts";
import { expiryAfter, ROLE_DAYS } from "#signing/tuf/time.ts";
import type { Drafts } from "./staged-drafts.ts";

export interface TargetsVersion {
	readonly metadata: Envelope<TargetsSigned>;
	readonly documents: Documents;
}

/** What a registry serves now. */
export interface LiveVersions {
	readonly root: Envelope<RootSigned>;
	readonly targets: TargetsVersion;
}

/** `live` is undefined until the first versions went live; then both drafts are staged. */
export interface TrustState {
	readonly live: LiveVersions | undefined;
	readonly staged: Drafts;
}

export interface TargetsContent {
	readonly signed: TargetsSigned;
	readonly documents: Documents;
}

export interface Edits {
	readonly root?: ((root: RootSigned) => RootSigned) | undefined;
	readonly targets?: ((targets: TargetsContent) => TargetsContent) | undefined;
	/** Makes new versions even where nothing else changes, and sets the expiry of a draft that waits, too. */
	readonly renew?: { readonly root?: number | undefined; readonly targets?: number | undefined } | undefined;
}

/**
 * The state's drafts as they should be seen: those that follow what is live, targets under the root that will name their
 * signers once both are live, without signatures that this root does not ask for.
 */
export function currentDrafts({ live, staged }: TrustState): Drafts {
	const root = staged.root !== undefined && follows(staged.root, live?.root.signed) ? staged.root : undefined;
	const targets =
		staged.targets !== undefined && follows(staged.targets, live?.targets.metadata.signed)
			? staged.targets
			: undefined;
	return { root, targets: targets && underRoot(targets, root, live?.root) };
}

/** The drafts that the edits make or change; those of roles that stay as they were are absent. */
export async function amend(state: TrustState, edits: Edits, now: Date): Promise<Drafts> {
	const before = currentDrafts(state);
	const root = amendRoot(state, before.root, edits, now);
	const targets = amendTargets(state, { ...before, root: root ?? before.root }, edits, now);
	if (targets !== undefined || root === undefined) return { root, targets };
	if (before.targets !== undefined) {
		const moved = underRoot(before.targets, root, state.live?.root);
		return { root, targets: sameRoot(moved, before.targets) ? undefined : moved };
	}
	if (state.live === undefined || (await vouchesFor(root.metadata.signed, state.live.targets.metadata)))
		return { root };
	// Clients would refuse the live targets under the new root (TUF 1.0.34 §5.6.3): they are signed again, and go live with it.
	const renewed = { renew: { targets: ROLE_DAYS.targets } };
	return { root, targets: amendTargets(state, { root }, renewed, now) };
}

/** A targets draft under the root that will be in force when it goes live: a draft of root only where that changes who signs. */
export function underRoot(
	draft: TargetsDraft,
	rootDraft: RootDraft | undefined,
	live: Envelope<RootSigned> | undefined,
): TargetsDraft {
	const next = rootDraft?.metadata;
	const changes = next !== undefined && (live === undefined || !sameSigners(next.signed, live.signed));
	const moved = { ...draft, root: changes ? next : (live ?? draft.root) };
	const signatures = draft.metadata.signatures.filter(({ keyid }) => maySign(moved, keyid));
	return { ...moved, metadata: { ...draft.metadata, signatures } };
}

function amendRoot(
	{ live }: TrustState,
	waiting: RootDraft | undefined,
	edits: Edits,
	now: Date,
): RootDraft | undefined {
	const days = edits.renew?.root;
	if (edits.root === undefined && days === undefined) return undefined;
	const base =
		waiting?.metadata.signed ?? (live && nextRoot(live.root.signed, { now, days: days ?? ROLE_DAYS.root }));
	if (base === undefined) return undefined;
	const signed = renewed(edits.root?.(base) ?? base, waiting === undefined ? undefined : days, now);
	if (days === undefined && sameContent(signed, base)) return undefined;
	const previous = waiting === undefined ? { metadata: live!.root } : waiting.previous;
	return { role: "root", metadata: { signatures: [], signed }, previous };
}

function amendTargets(
	{ live }: TrustState,
	waiting: Drafts,
	edits: Edits,
	now: Date,
): TargetsDraft | undefined {
	const days = edits.renew?.targets;
	if (edits.targets === undefined && days === undefined) return undefined;
	const base = targetsBase(live, waiting.targets, { now, days: days ?? ROLE_DAYS.targets });
	if (base === undefined) return undefined;
	const content = edits.targets?.(base) ?? base;
	const signed = renewed(content.signed, waiting.targets === undefined ? undefined : days, now);
	if (days === undefined && sameContent(signed, base.signed)) return undefined;
	const draft: TargetsDraft = {
		role: "targets",
		metadata: { signatures: [], signed },
		documents: content.documents,
		previous: waiting.targets === undefined ? live!.targets : waiting.targets.previous,
		root: waiting.targets?.root ?? live!.root,
	};
	return underRoot(draft, waiting.root, live?.root);
}

function targetsBase(
	live: LiveVersions | undefined,
	waiting: TargetsDraft | undefined,
	lifetime: { now: Date; days: number },
): TargetsContent | undefined {
	if (waiting !== undefined) return { signed: waiting.metadata.signed, documents: waiting.documents };
	if (live === undefined) return undefined;
	const { metadata, documents } = live.targets;
	return { signed: nextTargets(metadata.signed, lifetime), documents };
}

function renewed<S extends RootSigned | TargetsSigned>(signed: S, days: number | undefined, now: Date): S {
	return days === undefined ? signed : { ...signed, expires: expiryAfter(now, days) };
}

function follows(draft: RootDraft | TargetsDraft, live: RootSigned | TargetsSigned | undefined): boolean {
	return draft.metadata.signed.version === (live?.version ?? 0) + 1;
}

/** True when enough of the root's targets signers have signed these targets. */
export async function vouchesFor(root: RootSigned, targets: Envelope<TargetsSigned>): Promise<boolean> {
	const { targets: role } = root.roles;
	return (await signersOf(targets, role, root.keys)).length >= role.threshold;
}

function sameSigners(a: RootSigned, b: RootSigned): boolean {
	const [one, two] = [a.roles.targets, b.roles.targets];
	return one.threshold === two.threshold && [...one.keyids].sort().join() === [...two.keyids].sort().join();
}

function sameRoot(a: TargetsDraft, b: TargetsDraft): boolean {
	return (
		sameContent(a.root.signed, b.root.signed) && a.metadata.signatures.length === b.metadata.signatures.length
	);
}

function sameContent(a: RootSigned | TargetsSigned, b: RootSigned | TargetsSigned): boolean {
	return Buffer.from(signedBytes(a)).equals(signedBytes(b));
}
