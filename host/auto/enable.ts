// Lets this host change itself, and takes that back: auto.json, and the link by which systemd starts the timer at boot. Files
// only, below one root: it works in an image that is being built, and starts nothing.
import { dirname, join } from "node:path";
import { linkTarget, statOf } from "../durable.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { readIfThere } from "../state-file.ts";
import { type AutoSettings, parseAuto, serializeAuto } from "./settings.ts";

const UNIT = "usr/lib/systemd/system/kfn-auto.timer";
const LINK = "etc/systemd/system/timers.target.wants/kfn-auto.timer";

export interface EnabledReport {
	readonly changed: boolean;
	/** Whether a timer will run it; false where no package has brought one. */
	readonly timer: boolean;
}

/** Writes the settings, and makes the link where a package has brought the timer. A damaged auto.json is replaced. */
export function enableAuto({ host }: HostLock, settings: AutoSettings): EnabledReport {
	const { durable, layout } = host;
	const bytes = Buffer.from(serializeAuto(settings));
	// What is written must be readable by the next run.
	parseAuto(bytes, layout.auto);
	const timer = statOf(join(layout.root, UNIT)) !== undefined;
	const changed = !readIfThere(layout.auto)?.equals(bytes) || (timer && !isTimerLinked(host));
	if (!changed) return { changed, timer };
	durable.makeFolder(layout.config);
	durable.writeFile(layout.auto, bytes);
	if (timer && !isTimerLinked(host)) {
		const link = join(layout.root, LINK);
		durable.makeFolder(dirname(link));
		durable.swapLink(link, `/${UNIT}`);
	}
	return { changed, timer };
}

/** Nothing runs unattended any more; whether anything did. */
export function disableAuto({ host }: HostLock): { readonly changed: boolean } {
	const { durable, layout } = host;
	const link = join(layout.root, LINK);
	const wasLinked = linkTarget(link) !== undefined;
	const changed = wasLinked || statOf(layout.auto) !== undefined;
	if (wasLinked) {
		durable.removeFile(link);
		durable.removeEmpty(dirname(link));
	}
	// Last: while it is there, a run knows that it may.
	durable.removeFile(layout.auto);
	return { changed };
}

/** Whether every boot starts the timer. */
export function isTimerLinked({ layout }: Host): boolean {
	return linkTarget(join(layout.root, LINK)) === `/${UNIT}`;
}
