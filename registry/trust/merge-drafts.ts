// Which drafts `kfn registry accept` takes live: those that wait, with the signatures of copies that were signed elsewhere. Refuses
// copies of what something overtook, or of another registry.
import { type Draft, draftTitle, type TargetsDraft } from "#signing/tuf/draft.ts";
import { type Demand, demandsOf, isComplete, mergeDrafts } from "#signing/tuf/draft-signatures.ts";
import type { Envelope, RootSigned, TargetsSigned } from "#signing/tuf/metadata.ts";
import { fileDigest } from "#signing/tuf/metadata-report.ts";
import { RegistryError } from "../api/errors.ts";
import { currentDrafts, type LiveVersions, type TrustState, underRoot, vouchesFor } from "./amend.ts";
import type { Drafts } from "./staged-drafts.ts";

/**
 * The drafts of the roles that `copies` are of, or all that wait; of the first versions, both. A root under which the live targets
 * would not count any more brings the targets draft that waits along. Every signature of every copy has been verified.
 */
export async function draftsToAccept(state: TrustState, copies: readonly Draft[]): Promise<Drafts> {
	const { live, staged } = state;
	for (const copy of copies) demandFollows(copy, live);
	const waiting = currentDrafts(state);
	const rootCopies = copies.filter((copy) => copy.role === "root");
	const targetsCopies = copies.filter((copy) => copy.role === "targets");
	const all = copies.length === 0 || live === undefined;
	const root = all || rootCopies.length > 0 ? await merged(waiting.root, rootCopies) : undefined;
	const needed =
		root !== undefined &&
		live !== undefined &&
		!(await vouchesFor(root.metadata.signed, live.targets.metadata));
	const home = (draft: TargetsDraft) => underRoot(draft, root, live?.root);
	const targets =
		all || needed || targetsCopies.length > 0
			? await merged(waiting.targets && home(waiting.targets), targetsCopies.map(home))
			: undefined;
	if (root !== undefined || targets !== undefined) return { root, targets };
	for (const draft of [staged.root, staged.targets]) if (draft !== undefined) demandFollows(draft, live);
	throw none();
}

async function merged<D extends Draft>(waiting: D | undefined, copies: readonly D[]): Promise<D | undefined> {
	const [first, ...others]: readonly D[] = waiting === undefined ? copies : [waiting, ...copies];
	if (first === undefined) return undefined;
	for (const draft of [first, ...others]) await demandsOf(draft);
	return mergeDrafts<D>([first, ...others]);
}

function demandFollows(draft: Draft, live: LiveVersions | undefined): void {
	const current: Envelope<RootSigned | TargetsSigned> | undefined =
		draft.role === "root" ? live?.root : live?.targets.metadata;
	const { version } = draft.metadata.signed;
	if (version !== (current?.signed.version ?? 0) + 1) throw overtaken(draft, current?.signed.version ?? 0);
	if (current === undefined || fileDigest(current) === fileDigest(draft.previous!.metadata)) return;
	throw new RegistryError(
		"REGISTRY_DRAFT_FOREIGN",
		`the draft of ${draftTitle(draft)} follows another ${draft.role} ${version - 1} than the one that is live here`,
		{ hint: "it is of another registry, or was tampered with: do not sign it, and make a new one here" },
	);
}

function overtaken(draft: Draft, live: number): RegistryError {
	const now = live === 0 ? "nothing is live yet" : `${draft.role} ${live} is live`;
	return new RegistryError(
		"REGISTRY_DRAFT_OVERTAKEN",
		`the draft of ${draftTitle(draft)} was overtaken: ${now}`,
		{
			hint: "make the change again (kfn root …, kfn registry publisher …): the new draft follows what is live",
			details: { draft: draft.metadata.signed.version, live },
		},
	);
}

/** REGISTRY_DRAFT_INCOMPLETE with every key that may still sign. */
export async function demandComplete(drafts: readonly Draft[]): Promise<void> {
	for (const draft of drafts) {
		const demands = await demandsOf(draft);
		if (!isComplete(demands)) throw incomplete(draft, demands);
	}
}

function incomplete(draft: Draft, demands: readonly Demand[]): RegistryError {
	const open = demands.filter(({ lacking }) => lacking > 0);
	const lines = open.map(
		({ by, lacking }) => `${lacking} more ${by.role} ${plural(lacking)} of root ${by.root}`,
	);
	return new RegistryError(
		"REGISTRY_DRAFT_INCOMPLETE",
		`the draft of ${draftTitle(draft)} is not signed enough: it needs ${lines.join(" and ")}`,
		{
			hint: "kfn root show names the keys; kfn root sign FILE --key SECRET adds a signature, then accept again",
			details: { draft: draftTitle(draft), demands: open },
		},
	);
}

function plural(count: number): string {
	return count === 1 ? "key" : "keys";
}

function none(): RegistryError {
	return new RegistryError("REGISTRY_DRAFT_NONE", "no draft waits in this registry's folder", {
		hint: "kfn registry init, kfn root … and kfn registry publisher … make drafts",
	});
}
