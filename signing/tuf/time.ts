// Expiry times as TUF spells them (§4.2: ISO 8601, UTC, whole seconds). Refuses to look at a clock.

/** Days from signing to expiry, unless a signer of root or targets says otherwise. */
export const ROLE_DAYS = { root: 365, targets: 180, bins: 90, snapshot: 7, timestamp: 1 } as const;

/** `YYYY-MM-DDTHH:MM:SSZ`, `days` after `now`; fractions of a second are dropped. */
export function expiryAfter(now: Date, days: number): string {
	return tufTime(new Date(now.getTime() + days * 86_400_000));
}

export function tufTime(date: Date): string {
	return `${date.toISOString().slice(0, 19)}Z`;
}

/** Whether the text is a time in this one spelling: 2027-02-30 and 24:00:00 are other spellings of other times. */
export function isTufTime(text: string): boolean {
	if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return false;
	const date = new Date(text);
	return !Number.isNaN(date.getTime()) && tufTime(date) === text;
}
