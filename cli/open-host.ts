// Opens the host that a context points at: its root, its loader, how its changes are watched, and in the project's tests
// an injected fault.

import { parseFault } from "#host/faults.ts";
import type { HealthSettings } from "#host/health-settings.ts";
import { type Host, openHost } from "#host/host.ts";
import { isSeconds, readConfiguration } from "./config-file.ts";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";

const DEFAULT_WINDOW_SECONDS = 1;
const DEFAULT_CHECK_SECONDS = 30;

export function openContextHost(context: Context): Host {
	const { fault } = context.env;
	return openHost({
		root: context.root,
		loader: context.loader,
		health: () => healthSettings(context),
		recall: () => ({ stopAfterHours: readConfiguration(context).recall?.stopAfterHours }),
		lockWaitMs: context.lockWaitMs,
		...(fault === undefined ? {} : { faults: parseFault(fault) }),
	});
}

/** Flags before config.json before what kfn does by itself; CLI_USAGE where a flag is no number of seconds or no command. */
function healthSettings(context: Context): HealthSettings {
	const { window, check } = context.health;
	const configured = readConfiguration(context).health ?? {};
	const seconds = window === undefined ? undefined : Number(window.trim() === "" ? Number.NaN : window);
	const words = check?.split(" ").filter((word) => word !== "");
	if (!isSeconds(seconds)) {
		throw new CliError("CLI_USAGE", `--health-window wants seconds from 0 to 3600, not ${window}`);
	}
	if (words?.length === 0) throw new CliError("CLI_USAGE", "--health-check wants a command");
	const argv = words ?? configured.check;
	const timeoutSeconds = configured.checkTimeoutSeconds ?? DEFAULT_CHECK_SECONDS;
	return {
		seconds: seconds ?? configured.windowSeconds ?? DEFAULT_WINDOW_SECONDS,
		check: argv === undefined ? undefined : { argv, timeoutSeconds },
	};
}
