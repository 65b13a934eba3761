// etc/kfn/auto.json: that this host changes itself, in which mode and when (docs/formats/auto.md). Refuses a file that it does not
// understand: a window that is not seen does not keep anybody out.
import { decodeUtf8, parseStrictJson } from "#signing/strict-json.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { count, exact, flag, listOf, oneOf, type Shape, ShapeError, text } from "../shape.ts";
import { readIfThere } from "../state-file.ts";
import { parseWindow, type Window, windowText } from "./window.ts";

export const MODES = ["security", "all"] as const;
export type AutoMode = (typeof MODES)[number];
/** A week: longer, and what is published next overtakes what is still being spread. */
export const MOST_PHASE_HOURS = 168;
const SIZE_LIMIT = 64 * 1024;
const MOST_WINDOWS = 32;

export interface AutoSettings {
	/** `security`: only what closes an advisory, by the smallest step. `all`: the newest of everything. */
	readonly mode: AutoMode;
	/** Empty: at any time. */
	readonly windows: readonly Window[];
	/** Over how many hours after its publication a release is spread. */
	readonly phaseHours: number;
	/** In the mode `security`: whether parameters are set where an advisory asks for them. */
	readonly parameters: boolean;
}

/** As stored: with its zone, in the one spelling. */
const windowShape: Shape<Window> = (value, where) => {
	const found = parseWindow(text(value, where), undefined);
	if (found !== undefined && windowText(found) === value) return found;
	throw new ShapeError(where, "[DAYS ]HH:MM-HH:MM ZONE");
};

const hours: Shape<number> = (value, where) => {
	if (count(value, where) <= MOST_PHASE_HOURS) return value as number;
	throw new ShapeError(where, `at most ${MOST_PHASE_HOURS}`);
};

const shape = exact({
	schema: oneOf("kfn.auto/1"),
	mode: oneOf(...MODES),
	windows: listOf(windowShape, MOST_WINDOWS),
	phaseHours: hours,
	parameters: flag,
});

/** Undefined where nothing runs unattended. HOST_AUTO_MALFORMED. */
export function readAuto(host: Host): AutoSettings | undefined {
	const bytes = readIfThere(host.layout.auto);
	return bytes === undefined ? undefined : parseAuto(bytes, host.layout.auto);
}

/** Parses auto.json; `source` names it in the HOST_AUTO_MALFORMED that anything undocumented gets. */
export function parseAuto(bytes: Uint8Array, source = "auto.json"): AutoSettings {
	try {
		const decoded = decodeUtf8(bytes, SIZE_LIMIT);
		const document = decoded === undefined ? undefined : parseStrictJson(decoded);
		if (document === undefined) throw new ShapeError("", "strict JSON in UTF-8, each field once");
		const { mode, windows, phaseHours, parameters } = shape(document, "");
		return { mode, windows, phaseHours, parameters };
	} catch (cause) {
		throw new HostError("HOST_AUTO_MALFORMED", `${source}: ${(cause as Error).message}`, {
			hint: "correct it by docs/formats/auto.md, or make it anew: kfn auto disable, kfn auto enable",
			details: { source },
			cause,
		});
	}
}

/** The one spelling in which kfn writes it. */
export function serializeAuto({ mode, windows, phaseHours, parameters }: AutoSettings): string {
	const file = { schema: "kfn.auto/1", mode, windows: windows.map(windowText), phaseHours, parameters };
	return `${JSON.stringify(file, null, 2)}\n`;
}
