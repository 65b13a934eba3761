// kfn recall check: what the timer does. Asks what was revoked, writes it down, and takes it off this host. Refuses to let a registry
// that cannot be reached keep it from taking off what it knows already.

import { type ImagesReport, remakeImages } from "#host/boot/images.ts";
import { gravest } from "#host/errors.ts";
import { withLock } from "#host/lock.ts";
import { type Learnt, learn } from "#host/recall/learn.ts";
import { type RecallStatus, recallStatus } from "#host/recall/list-state.ts";
import { type TakenOff, takeOff } from "#host/recall/take-off.ts";
import { openRecallSource } from "../client/recall-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { describeError, type ErrorDocument } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { recallText } from "../output/recall.ts";

/** A change that is at work ends, or finds the revocation itself; a health window may last as long as this. */
const LOCK_WAIT_MS = 300_000;

/** `kfn recall check --json` (docs/formats/recall.md). */
export interface RecallCheckDocument {
	/** How the registry answered; null where the list could not be had or believed: then `problem` says why. */
	readonly list: Learnt["list"] | null;
	readonly problem: ErrorDocument["error"] | null;
	readonly recall: RecallStatus;
	/** Ids that this host did not know before. */
	readonly news: readonly {
		readonly id: string;
		readonly name: string;
		readonly state: "revoked" | "withdrawn";
	}[];
	readonly taken: readonly TakenOff[];
	/** The generation that it made; null where nothing had to be taken off. */
	readonly generation: number | null;
	/** Images of kernels' initramfs that were made anew without what is revoked. */
	readonly images: ImagesReport["made"];
	/** From the beginning of this command until everything was off. */
	readonly milliseconds: number;
	readonly warnings: readonly string[];
}

export async function recallCheck(
	context: Context,
	input: { registry: string | undefined; relearn: boolean },
): Promise<Output> {
	const start = performance.now();
	const patient: Context = { lockWaitMs: LOCK_WAIT_MS, ...context };
	const host = openContextHost(patient);
	const { learnt, problem } = await learnOrWhyNot(patient, input);
	const off = await withLock(host, "recall", (lock) => takeOff(lock, context.onStep));
	const milliseconds = Math.round(performance.now() - start);
	const images = await remakeImages(host);
	const recall = recallStatus(host);
	const document: RecallCheckDocument = {
		list: learnt?.list ?? null,
		problem: problem?.document.error ?? null,
		recall,
		news: (learnt?.news ?? []).map(({ id, name, state }) => ({ id, name, state })),
		taken: off.taken,
		generation: off.report?.generation ?? null,
		images: images.made,
		milliseconds,
		warnings: [...(learnt?.warnings ?? []), ...(off.report?.warnings ?? off.warnings), ...images.warnings],
	};
	return {
		json: document,
		text: textOf(document),
		exit: gravest(problem === undefined ? [] : [problem.exit]),
	};
}

async function learnOrWhyNot(
	context: Context,
	{ registry, relearn }: { registry: string | undefined; relearn: boolean },
): Promise<{ learnt?: Learnt; problem?: ReturnType<typeof describeError> }> {
	try {
		const source = await openRecallSource(context, registry);
		context.onStep({ step: "reading recall list", detail: source.description });
		return { learnt: await learn(openContextHost(context), source, { relearn }) };
	} catch (error) {
		if (context.signal.aborted) throw error;
		const described = describeError(error);
		// A bug, or a wrong command line, is nothing to go on after.
		if (described.exit !== 1 && described.exit !== 3) throw error;
		return { problem: described };
	}
}

function textOf(document: RecallCheckDocument): string {
	const { problem, news, taken, images, warnings, generation, milliseconds } = document;
	const lines = [
		...news.map(({ id, name, state }) => `${state}: ${name} by ${id}`),
		...taken.map(takenText),
		...(generation === null ? [] : [`generation ${generation} after ${milliseconds} ms`]),
		...images.map((release) => `made the initramfs of ${release} anew`),
		...warnings.map((warning) => `warning: ${warning}`),
		...(problem === null ? [] : [`the recall list was not read: ${problem.message} [${problem.code}]`]),
		...(problem?.hint === undefined ? [] : [`  hint: ${problem.hint}`]),
		recallText(document.recall),
	];
	return lines.join("\n");
}

function takenText({ function: name, scope, bundle, version, to, revocation, seconds }: TakenOff): string {
	const now = to === null ? "the kernel's own code" : `${bundle} ${to}`;
	const why = revocation === null ? "the recall list expired" : `${revocation.reason} (${revocation.id})`;
	const after = seconds === null ? "" : `, ${seconds.toFixed(1)} s after it was revoked`;
	return `took off ${bundle} ${version}, ${name} in ${scope}: ${now} runs${after}\n  ${why}`;
}
