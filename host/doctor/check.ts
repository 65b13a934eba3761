// What one check of `kfn doctor` is, and how it is run. Refuses to call anything well that could not be looked at: what fails to
// look is "could not tell", with its reason.
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";

/** `unknown`: it could not be told; the message says why. */
export type CheckState = "ok" | "problem" | "unknown";

export interface Finding {
	readonly state: CheckState;
	/** One line. */
	readonly message: string;
	/** What to do next; null where nothing needs to be done. */
	readonly hint: string | null;
}

/** One thing to look at; reads only. More than one finding where more than one thing is wrong. */
export interface Check {
	/** A word, which scripts may rely on. */
	readonly name: string;
	look(host: Host): Promise<readonly Finding[]> | readonly Finding[];
}

export interface CheckResult extends Finding {
	readonly check: string;
}

export function ok(message: string): Finding {
	return { state: "ok", message, hint: null };
}

export function problem(message: string, hint: string | null | undefined): Finding {
	return { state: "problem", message, hint: hint ?? null };
}

export function unknown(message: string, hint: string | null | undefined = null): Finding {
	return { state: "unknown", message, hint: hint ?? null };
}

/** An error as a finding: its words, its code, its hint. */
export function fromError(state: "problem" | "unknown", error: unknown): Finding {
	const { message, hint } = error as { message: string; hint?: string | undefined };
	return { state, message: `${message} [${codeOf(error)}]`, hint: hint ?? null };
}

/** Runs a check; an error with a code is "could not tell", and any other is our bug. */
export async function runCheck(host: Host, check: Check): Promise<CheckResult[]> {
	try {
		return (await check.look(host)).map((finding) => ({ check: check.name, ...finding }));
	} catch (error) {
		if (codeOf(error) === "") throw error;
		return [{ check: check.name, ...fromError("unknown", error) }];
	}
}
