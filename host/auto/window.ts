// Maintenance windows: when an unattended run may change this host (docs/formats/auto.md). Refuses a window without a time zone, and
// one so short that no run of the timer falls into it.

/** Between two runs of kfn-auto.timer there are 15 minutes: a window of 30 has one even where its first run finds the host locked. */
export const SHORTEST_MINUTES = 30;
const DAY = 24 * 60;
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;
const WINDOW =
	/^(?:([A-Za-z,.-]+) )?([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])(?: ([A-Za-z0-9_+/-]{1,64}))?$/;

export interface Window {
	/** 0 is Monday; in order, each once; all seven where the text names none. */
	readonly days: readonly number[];
	/** Minutes of the day on the zone's clocks; `end` up to 1440, and at or below `start` for one that goes past midnight. */
	readonly start: number;
	readonly end: number;
	/** An IANA time zone. */
	readonly zone: string;
}

/**
 * Reads `[DAYS ]HH:MM-HH:MM[ ZONE]`: days as `Mon`, `Mon-Fri`, `Mon,Wed,Sat-Sun` (`Mon..Fri`, as systemd writes it, is the same), a
 * zone as `UTC` or `Europe/Berlin`; `zone` is for a text that names none. Undefined for anything else.
 */
export function parseWindow(text: string, zone: string | undefined): Window | undefined {
	const match = WINDOW.exec(text);
	if (match === null) return undefined;
	const [, dayText, h1, m1, h2, m2, named = zone] = match;
	const days = dayText === undefined ? DAYS.map((_, day) => day) : daysOf(dayText);
	const [start, end] = [Number(h1) * 60 + Number(m1), Number(h2) * 60 + Number(m2)];
	if (days === undefined || named === undefined || !isZone(named)) return undefined;
	if (start >= DAY || end > DAY || lengthOf({ start, end }) < SHORTEST_MINUTES) return undefined;
	return { days, start, end, zone: named };
}

/** The one spelling in which it is stored and shown: with days unless it is all seven, and with its zone. */
export function windowText({ days, start, end, zone }: Window): string {
	const clock = (minutes: number) =>
		`${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
	const named = days.length === DAYS.length ? "" : `${runs(days).join(",")} `;
	return `${named}${clock(start)}-${clock(end)} ${zone}`;
}

/** Whether one of the windows is open; without windows it always is. */
export function isOpen(windows: readonly Window[], now: Date): boolean {
	return windows.length === 0 || windows.some((window) => isOpenAt(window, now));
}

/** The next whole minute at which a window is open: `now` itself where one is. Looks eight days ahead; every window has opened by then. */
export function nextOpening(windows: readonly Window[], now: Date): Date {
	if (isOpen(windows, now)) return now;
	const first = Math.ceil((now.getTime() + 1) / 60_000) * 60_000;
	for (let minute = 0; minute < 8 * DAY; minute++) {
		const then = new Date(first + minute * 60_000);
		if (isOpen(windows, then)) return then;
	}
	throw new Error("a window that does not open within eight days is none");
}

function isOpenAt({ days, start, end, zone }: Window, now: Date): boolean {
	const { day, minute } = localTime(zone, now);
	if (start < end) return days.includes(day) && start <= minute && minute < end;
	// Past midnight: what is left of the window belongs to the day on which it began.
	return (days.includes(day) && minute >= start) || (days.includes((day + 6) % 7) && minute < end);
}

function lengthOf({ start, end }: { start: number; end: number }): number {
	return start < end ? end - start : DAY - start + end;
}

function daysOf(text: string): number[] | undefined {
	const found = new Set<number>();
	for (const part of text.split(",")) {
		const [from, to = from, ...rest] = part.split(/-|\.\./).map(dayOf);
		if (from === undefined || to === undefined || rest.length > 0) return undefined;
		for (let day = from; ; day = (day + 1) % 7) {
			found.add(day);
			if (day === to) break;
		}
	}
	return [...found].sort();
}

function dayOf(text: string): number | undefined {
	const found = DAYS.findIndex((day) => day.toLowerCase() === text.toLowerCase());
	return found < 0 ? undefined : found;
}

/** Neighbouring days as `Mon-Fri`. */
function runs(days: readonly number[]): string[] {
	const found: number[][] = [];
	for (const day of days) {
		const last = found.at(-1);
		if (last?.at(-1) === day - 1) last.push(day);
		else found.push([day]);
	}
	return found.map((run) => (run.length === 1 ? DAYS[run[0]!]! : `${DAYS[run[0]!]}-${DAYS[run.at(-1)!]}`));
}

function isZone(zone: string): boolean {
	try {
		clockOf(zone);
		return true;
	} catch {
		return false;
	}
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
	let found = clocks.get(zone);
	if (found === undefined) {
		const fields = { weekday: "short", hour: "2-digit", minute: "2-digit" } as const;
		found = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...fields });
		clocks.set(zone, found);
	}
	return found;
}

function localTime(zone: string, now: Date): { day: number; minute: number } {
	const parts = new Map(
		clockOf(zone)
			.formatToParts(now)
			.map(({ type, value }) => [type, value]),
	);
	const minute = Number(parts.get("hour")) * 60 + Number(parts.get("minute"));
	return { day: dayOf(parts.get("weekday") ?? "") ?? 0, minute };
}
