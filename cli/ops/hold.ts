// kfn hold, kfn unhold: what the operator keeps at its version. Every hold says which fixes it keeps out, or that this cannot be
// told: a registry that does not answer must not keep anybody from holding.

import { sort } from "semver";
import { kernelVersion } from "#host/advisories/kernel-version.ts";
import type { Known } from "#host/advisories/known.ts";
import { closedBy, openIn } from "#host/advisories/open.ts";
import { type Hold, hold as holdBundle, readHolds, unhold as unholdBundle } from "#host/holds.ts";
import type { Host } from "#host/host.ts";
import { list } from "#host/list.ts";
import { withLock } from "#host/lock.ts";
import { knownAdvisories } from "../client/advisories.ts";
import { type FixJudge, newerVersions } from "../client/newer-versions.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { describeError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { type HoldStatus, holdText, leftOpen } from "../output/hold.ts";

type OpenSource = () => Promise<Source>;

export async function hold(
	context: Context,
	input: {
		/** NAME or NAME@VERSION; without it, all holds are shown. */
		request: string | undefined;
		reason: string | undefined;
		registry: string | undefined;
	},
): Promise<Output> {
	const host = openContextHost(context);
	const source = once(() => openTrustedSource(context, input.registry));
	if (input.request === undefined) return output(false, await holdStatuses(context, host, source));
	const [name, version] = nameAndVersion(input.request);
	const changed = await withLock(host, "hold", (lock) =>
		holdBundle(lock, { name, version, reason: input.reason }),
	);
	return output(changed, await holdStatuses(context, host, source, name));
}

export async function unhold(context: Context, input: { name: string }): Promise<Output> {
	const host = openContextHost(context);
	await withLock(host, "unhold", (lock) => unholdBundle(lock, input.name));
	return { json: { changed: true, holds: [] }, text: `${input.name} is not held any more` };
}

/** What the holds keep out, of one name or of all; a failure to find out is part of the answer. */
export async function holdStatuses(
	context: Context,
	host: Host,
	source: OpenSource,
	name?: string,
): Promise<HoldStatus[]> {
	const holds = readHolds(host).filter((entry) => name === undefined || entry.name === name);
	const statuses: HoldStatus[] = [];
	for (const entry of holds) statuses.push(await statusOf(context, host, source, entry));
	return statuses;
}

async function statusOf(
	context: Context,
	host: Host,
	source: OpenSource,
	{ name, version, reason, since }: Hold,
): Promise<HoldStatus> {
	const installed = list(host).installed.filter((entry) => entry.bundle === name);
	const active = sort([...new Set(installed.map((entry) => entry.version))]);
	const at = version ?? active[0];
	const known = await knownAdvisories(host, source, [name]);
	const kernel = kernelVersion(host);
	const open = openIn(known, kernel, installed).map(leftOpen);
	const told = { name, version, reason, since, active, open };
	// A name that is held and not active keeps nothing out yet.
	if (at === undefined) return { ...told, keepsOut: [], unknown: null };
	try {
		const judge: FixJudge = {
			knows: (id) => isKnown(known, id),
			closes: (release) => closedBy(known, kernel, installed, release),
		};
		return { ...told, keepsOut: await newerVersions(await source(), name, at, judge), unknown: null };
	} catch (error) {
		if (context.signal.aborted) throw error;
		const { code, message } = describeError(error).document.error;
		return { ...told, keepsOut: null, unknown: { code, message } };
	}
}

function isKnown(known: Known, id: string): boolean {
	return known.some(({ advisories }) =>
		advisories.some(({ advisory }) => advisory.id === id || advisory.aliases.includes(id)),
	);
}

function nameAndVersion(request: string): [name: string, version: string | undefined] {
	const at = request.indexOf("@", 1);
	return at < 0 ? [request, undefined] : [request.slice(0, at), request.slice(at + 1)];
}

/** The registry is asked once, and not at all where nothing is held. */
function once(open: OpenSource): OpenSource {
	let opened: Promise<Source> | undefined;
	return () => {
		opened ??= open();
		return opened;
	};
}

function output(changed: boolean, holds: readonly HoldStatus[]): Output {
	const text = holds.length === 0 ? "nothing is held" : holds.map(holdText).join("\n");
	return { json: { changed, holds }, text };
}
