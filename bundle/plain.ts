// Makes text from outside safe to print. Refuses nothing: it only removes.

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const LONGEST = 200;

/** Strips control, format (bidirectional override) and line separator characters, and cuts after 200 characters. */
export function plain(text: string): string {
	const shown = text.replace(UNPRINTABLE, "");
	return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}

/** Whether a text holds none of the characters that `plain` removes. */
export function isPlain(text: string): boolean {
	return text.search(UNPRINTABLE) === -1;
}
