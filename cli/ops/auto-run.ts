// kfn auto run: what the timer does, once. Within the maintenance windows it upgrades, and writes down what it did and what not. Refuses
// to stand in anybody's way: where another command holds the host for a minute, it leaves the work to its next run.

import { machineIdOf, phaseOf } from "#host/auto/phase.ts";
import { type AutoSettings, readAuto } from "#host/auto/settings.ts";
import { isOpen, nextOpening } from "#host/auto/window.ts";
import { codeOf, gravest, HostError } from "#host/errors.ts";
import { currentGeneration } from "#host/generations.ts";
import type { Host } from "#host/host.ts";
import { type HostLock, withLock } from "#host/lock.ts";
import { appendLog, readLog } from "#host/log.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { describeError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { type SecurityUpgrades, stillOpenLines, takenLines } from "../output/security.ts";
import { leftLines, type Upgrades } from "../output/upgrades.ts";
import { type UpgradeAllInput, upgradeAll } from "./upgrade-all.ts";
import { upgradeSecurity } from "./upgrade-security.ts";

const LOCK_WAIT_MS = 60_000;
const COMMAND = "auto run";
const NOTHING: Upgrades = { changes: [], failures: [], holds: [], waits: [] };

/** What a run of either mode came to. */
type Result = Upgrades | SecurityUpgrades;

/** A run as log.jsonl has it. */
interface Run {
	readonly done: readonly string[];
	readonly left: readonly string[];
}

/** HOST_AUTO_DISABLED; errors of the registry as they come. What one bundle could not do is in the document, and in the exit code. */
export async function autoRun(
	context: Context,
	input: { now: boolean; registry: string | undefined },
): Promise<Output> {
	const patient: Context = { lockWaitMs: LOCK_WAIT_MS, ...context };
	const host = openContextHost(patient);
	const settings = readAuto(host);
	if (settings === undefined) throw disabled();
	if (!input.now && !isOpen(settings.windows, host.now())) {
		const opens = nextOpening(settings.windows, host.now()).toISOString();
		return output(NOTHING, { skipped: "window", why: `the next maintenance window opens at ${opens}` });
	}
	try {
		// Before anything is asked of the registry: who works on this host now may be changing what there is to do.
		const before = await withLock(host, COMMAND, () => currentGeneration(host));
		const upgrades = await upgradesOf(patient, host, settings, input.registry);
		const run = {
			done: doneBy(upgrades),
			left: leftOf(upgrades),
		};
		await withLock(host, COMMAND, (lock) => record(lock, settings, before, run));
		return output(upgrades);
	} catch (error) {
		if (codeOf(error) !== "HOST_LOCKED") throw error;
		return output(NOTHING, { skipped: "locked", why: (error as Error).message });
	}
}

async function upgradesOf(
	context: Context,
	host: Host,
	settings: AutoSettings,
	registry: string | undefined,
): Promise<Result> {
	try {
		const source = await openTrustedSource(context, registry);
		const asked = { scope: undefined, from: turnOf(host, settings) };
		if (settings.mode === "all") return await upgradeAll(context, source, { ...asked, allowPermit: false });
		const maySet = settings.parameters;
		return await upgradeSecurity(context, source, { ...asked, name: undefined, maySet, dryRun: false });
	} catch (error) {
		if (context.signal.aborted || codeOf(error) === "HOST_LOCKED") throw error;
		const { code, message } = describeError(error).document.error;
		const run = { done: [], left: [`nothing was looked at: ${message} [${code}]`] };
		await withLock(host, COMMAND, (lock) => record(lock, settings, currentGeneration(host), run));
		throw error;
	}
}

/** One line for each run that did something, or left something else than the run before it. */
function record(lock: HostLock, settings: AutoSettings, before: number, run: Run): void {
	const last = readLog(lock.host).findLast(({ event }) => event === "auto");
	const isNews = run.done.length > 0 || JSON.stringify(run.left) !== JSON.stringify(last?.left);
	if (!isNews) return;
	const to = currentGeneration(lock.host);
	appendLog(lock, {
		event: "auto",
		from: before,
		to,
		reason: settings.mode,
		done: [...run.done],
		left: [...run.left],
	});
}

function turnOf(host: Host, { phaseHours }: AutoSettings): UpgradeAllInput["from"] {
	const id = machineIdOf(host);
	return phaseHours === 0 || id === undefined ? undefined : (release) => phaseOf(id, release, phaseHours);
}

function doneBy(result: Result): string[] {
	const changes = result.changes.filter(({ changed }) => changed).map(changeLine);
	return "steps" in result ? [...changes, ...takenLines(result)] : changes;
}

function changeLine({ reason, generation }: Upgrades["changes"][number]): string {
	return `generation ${generation}: ${reason}`;
}

function linesLeft(result: Result): string[] {
	return "left" in result ? stillOpenLines(result) : leftLines(result);
}

function leftOf(result: Result): string[] {
	return linesLeft(result).map((text) => text.replaceAll(/\n\s*/g, "; "));
}

function output(upgrades: Result, skip?: { skipped: "window" | "locked"; why: string }): Output {
	const { changes, failures } = upgrades;
	const lines =
		skip === undefined
			? [
					...("steps" in upgrades ? takenLines(upgrades) : []),
					...changes.map((report) => changeOutput(report).text),
					...linesLeft(upgrades),
				]
			: [`skipped: ${skip.why}`];
	return {
		json: { skipped: skip?.skipped ?? null, why: skip?.why ?? null, ...upgrades },
		text: lines.length === 0 ? "nothing was to be done" : lines.join("\n"),
		// Who holds the host now is no failure of this run: the next one comes in 15 minutes.
		exit: gravest([
			...failures.filter(({ error }) => error.code !== "HOST_LOCKED").map(({ exit }) => exit),
			"notices" in upgrades && upgrades.notices.length > 0 ? 3 : 0,
		]),
	};
}

function disabled(): HostError {
	return new HostError("HOST_AUTO_DISABLED", "this host does not upgrade itself", {
		hint: "kfn auto enable --mode security, or all, lets it",
	});
}
