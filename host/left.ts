// What the loader left as it is, told to a person. Refuses to judge whether that may be: who asked the loader has.
import type { ApplyAnswer } from "./loader-answers.ts";

/** One line for each function that the loader left as it is: which one, why, and what follows from that. */
export function leftWarnings(applied: ApplyAnswer | undefined): string[] {
	return (applied?.left ?? []).map(({ function: name, scope, running, error }) => {
		const what =
			running === true
				? "keeps running as it is, but would not load again, at boot for example"
				: "does not run and was not loaded";
		const hint = error.hint === undefined ? "" : ` (${error.hint})`;
		return `${name} in ${scope} ${what}: ${error.message} [${error.code}]${hint}`;
	});
}
