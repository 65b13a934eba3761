// When the power is cut, and what the machine was doing then. Refuses to count a cut between two changes as one within a change.
import type { StepName } from "#host/change.ts";
import type { Cut } from "./machine.ts";

/** Changes that a machine's first life does undisturbed: how long they take says when to cut. */
export const CALIBRATION = 6;
/** How many changes a life does before it is cut: none to this many, less one. */
const CHANGES = 3;
/** The steps of host/change.ts; a health window is not asked for, so that there is none to cut. */
export const STEPS = [
	...["import", "preflight", "write", "journal", "apply", "check"],
	...["record", "commit", "mark", "finish", "log"],
] as readonly StepName[];

const CHANGED = /^@@ changed /gm;
const LAST = /^@@ (?:step-(\S+)|changed|found) .*\n(?![\s\S]*^@@ (?:step-|changed|found))/m;

/** The calibration ends itself: nothing is in flight. */
export const calibrated: Cut = {
	after: new RegExp(`^@@ changed .*"i":${CALIBRATION - 1}\\b`, "m"),
	thenMs: 0,
};

/** The first change of a life takes longer than all others: node compiles what verifies signatures. */
export const WARM = /^@@ changed .*"i":0\b/m;

/**
 * A moment for the power cut: one in four is any moment of the loop, the others are within a step that is drawn first, for
 * else most would fall into the long ones, which write nothing.
 */
export function drawCut(changeMs: number, random: () => number = Math.random): Cut {
	if (random() < 0.25) return { after: WARM, thenMs: random() * CHANGES * changeMs };
	const step = STEPS[Math.floor(random() * STEPS.length)]!;
	const times = 1 + Math.floor(random() * CHANGES);
	const after = new RegExp(`(?:^@@ step-${step} [\\s\\S]*?){${times}}`, "m");
	return { after, thenMs: (random() * changeMs) / STEPS.length };
}

/** The step in which the power was cut; undefined where no change was going on. */
export function stepAtCut(text: string): string | undefined {
	return LAST.exec(text)?.[1];
}

/** How many changes the life did to their end. */
export function changesIn(text: string): number {
	return (text.match(CHANGED) ?? []).length;
}
