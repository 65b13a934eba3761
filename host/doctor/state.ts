// What `kfn doctor` asks of the host's own files: whole, readable, room for more, and not from the future. Changes nothing.
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { statOf } from "../durable.ts";
import { codeOf, type Details } from "../errors.ts";
import { currentGeneration, generationNumbers, planOrUndefined } from "../generations.ts";
import { goodGeneration, readHealth } from "../health.ts";
import { readHolds } from "../holds.ts";
import type { Host } from "../host.ts";
import { readJournal } from "../journal.ts";
import { status } from "../status.ts";
import { readMark } from "../trust-state/mark.ts";
import { type TrustStatus, trustStatus } from "../trust-state/report.ts";
import { type VerifyProblem, verifyHost } from "../verify.ts";
import { type Check, type Finding, fromError, ok, problem, unknown } from "./check.ts";

/** A bundle unpacks to at most 64 MiB, and its archive has at most 16 (docs/formats/bundle.md). */
const ENOUGH_BYTES = 80n * 1024n * 1024n;
const ENOUGH_FILES = 2048n;

export const journalCheck: Check = {
	name: "journal",
	look(host) {
		try {
			const journal = readJournal(host);
			if (journal === undefined) return [ok("no change is unfinished")];
			const { command, from, to, at } = journal;
			const what = `${command} (generation ${from} → ${to}) of ${at} is unfinished`;
			return [problem(what, "if no kfn is at work, the next changing command recovers")];
		} catch (error) {
			return [problemOf(error)];
		}
	},
};

export const generationsCheck: Check = {
	name: "generations",
	look(host) {
		const current = currentGeneration(host);
		const numbers = generationNumbers(host).filter((n) => n <= current);
		const bad = [...new Set([...numbers, current])].filter((n) => planOrUndefined(host, n) === undefined);
		if (bad.length > 0) return bad.map((n) => badGeneration(n, current));
		const good = goodGeneration(host);
		const marks = good === 0 ? "none is known to be good" : `the last good one is ${good}`;
		if (current !== 0 && readHealth(host, current)?.state === "bad")
			return [
				problem(`the current generation, ${current}, is marked bad; ${marks}`, "kfn rollback goes back"),
			];
		return [ok(`generations that can be read: ${numbers.length}; ${marks}`)];
	},
};

function badGeneration(n: number, current: number): Finding {
	const hint =
		n === current
			? "kfn rollback N takes up another generation (kfn history shows them)"
			: "it cannot be gone back to; kfn gc removes it in its time";
	return problem(
		`the plan of generation ${n}${n === current ? ", the current one," : ""} cannot be read`,
		hint,
	);
}

export const storeCheck: Check = {
	name: "store",
	async look(host) {
		try {
			const { bundles } = await verifyHost(host);
			return [ok(`stored bundles as signed: ${bundles.length}`)];
		} catch (error) {
			if (codeOf(error) === "") throw error;
			const { details, hint } = error as { details?: Details; hint?: string };
			const problems = (details?.["problems"] ?? []) as readonly VerifyProblem[];
			// A plan that cannot be read is told by the check of generations.
			const told = problems.filter(
				({ code }) => code !== "HOST_PLAN_MALFORMED" && code !== "HOST_NO_GENERATION",
			);
			if (problems.length > 0 && told.length === 0)
				return [unknown("not every generation can be read, so that not every bundle is known")];
			return told.length === 0
				? [fromError("problem", error)]
				: told.map(({ code, message }) => problem(`${message} [${code}]`, hint));
		}
	},
};

export const holdsCheck: Check = {
	name: "holds",
	look(host) {
		try {
			const names = readHolds(host).map(({ name }) => name);
			return [ok(names.length === 0 ? "nothing is held" : `held: ${names.join(", ")}`)];
		} catch (error) {
			return [problemOf(error)];
		}
	},
};

export const trustCheck: Check = {
	name: "trust",
	look: (host) => [trustFinding(trustStatus(host))],
};

const REFRESH = "read the registry again (kfn upgrade), and ask its admin where that does not help";

function trustFinding({ state, root, freshUntil, suspended, problem: damage }: TrustStatus): Finding {
	const version = `registry root ${root?.version}`;
	switch (state) {
		case "unpinned":
			return ok("no registry root is pinned: bundles come from files only");
		case "unread":
			return ok(`${version} is pinned; the registry was not read yet`);
		case "fresh":
			return ok(`${version}, metadata is fresh until ${freshUntil}`);
		case "expired":
			return problem(`${version}, metadata expired at ${freshUntil}`, REFRESH);
		case "suspended":
			return problem(`${version}, ${suspended?.guarantee} is suspended since ${suspended?.since}`, REFRESH);
		case "incomplete":
			return problem(`${version}, the last refresh was refused half-way`, REFRESH);
		case "damaged":
			return problem(`${damage?.message} [${damage?.code}]`, damage?.hint);
	}
}

export const driftCheck: Check = {
	name: "drift",
	async look(host) {
		const { drift, unseen, functions } = await status(host);
		// The journal and the store have checks of their own.
		const told = drift.filter(({ kind }) => kind !== "unfinished-change" && kind !== "store");
		const findings = told.map(({ message, hint }) => problem(message, hint));
		if (unseen !== null)
			return [
				...findings,
				unknown(`what runs could not be looked at: ${unseen.message} [${unseen.code}]`, unseen.hint),
			];
		return findings.length > 0 ? findings : [ok(`functions that run as planned: ${functions.length}`)];
	},
};

export const diskCheck: Check = {
	name: "disk",
	look(host) {
		const { bavail, bsize, ffree, files } = statfsSync(existing(host.layout.state), { bigint: true });
		const free = bavail * bsize;
		const room = `${free / (1024n * 1024n)} MiB`;
		if (free < ENOUGH_BYTES)
			return [
				problem(
					`only ${room} are free below ${host.layout.state}`,
					"kfn gc frees some; a bundle may need 80 MiB",
				),
			];
		// File systems that make inodes as they need them count none.
		if (files > 0n && ffree < ENOUGH_FILES)
			return [
				problem(`only ${ffree} more files fit below ${host.layout.state}`, "remove files there, or kfn gc"),
			];
		return [ok(`${room} are free`)];
	},
};

export const clockCheck: Check = {
	name: "clock",
	look(host) {
		const latest = latestKnown(host);
		const now = host.now();
		if (latest === undefined) return [unknown("nothing on this host says what time it must be at least")];
		if (now.getTime() >= latest.getTime()) return [ok(`the clock is past ${latest.toISOString()}`)];
		const message = `the clock says ${now.toISOString()}, but it was ${latest.toISOString()} before`;
		return [problem(message, "set the clock: what has expired counts by the later of the two")];
	},
};

/** The latest time that the registry's metadata or a generation vouches for. */
function latestKnown(host: Host): Date | undefined {
	const { time } = readMark(host);
	const plan = planOrUndefined(host, currentGeneration(host));
	const known = [time, plan === undefined || plan.generation === 0 ? null : plan.created];
	const latest = known
		.filter((text) => text !== null)
		.sort()
		.at(-1);
	return latest === undefined ? undefined : new Date(latest);
}

function existing(path: string): string {
	return statOf(path) === undefined && path !== "/" ? existing(dirname(path)) : path;
}

function problemOf(error: unknown): Finding {
	if (codeOf(error) === "") throw error;
	return fromError("problem", error);
}
