// etc/kfn/config.json: what an operator sets once instead of in each command. Refuses a damaged file: it is not an empty one.

import { readFileSync } from "node:fs";
import { type ChannelName, isChannelName } from "#signing/channel-name.ts";
import { type Context, configPath } from "./context.ts";
import { CliError } from "./errors.ts";

export interface Configuration {
	readonly registry?: string;
	/** Which channel this host follows; stable without it. */
	readonly channel?: ChannelName;
	readonly recall?: {
		/** Hours after the recall list's expiry; without it, its functions stay. */
		readonly stopAfterHours?: number;
	};
	readonly health?: {
		readonly windowSeconds?: number;
		readonly check?: readonly string[];
		readonly checkTimeoutSeconds?: number;
	};
}

export const EXPECTED =
	'{"registry": "http(s)://…", "channel": "stable", "health": {"windowSeconds": 1, "check": ["PROGRAM", "ARGUMENT"], "checkTimeoutSeconds": 30}, "recall": {"stopAfterHours": 72}}';

/** The settings; a missing file has none. CLI_USAGE where it is not a configuration. */
export function readConfiguration(context: Context): Configuration {
	const path = configPath(context);
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
		throw error;
	}
	const found = parsed(text);
	if (found !== undefined) return found;
	throw new CliError("CLI_USAGE", `${path} is not a configuration: expected ${EXPECTED}, each part optional`);
}

function parsed(text: string): Configuration | undefined {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (typeof document !== "object" || document === null) return undefined;
	const { registry, channel, health, recall } = document as Record<string, unknown>;
	if (channel !== undefined && !isChannelName(channel)) return undefined;
	if (registry !== undefined && typeof registry !== "string") return undefined;
	if (recall !== undefined && !isRecall(recall)) return undefined;
	return health === undefined || isHealth(health) ? (document as Configuration) : undefined;
}

function isHealth(health: unknown): boolean {
	if (typeof health !== "object" || health === null) return false;
	const { windowSeconds, check, checkTimeoutSeconds } = health as Record<string, unknown>;
	const isCheck = Array.isArray(check) && check.length > 0 && check.every((word) => typeof word === "string");
	return isSeconds(windowSeconds) && isSeconds(checkTimeoutSeconds) && (check === undefined || isCheck);
}

/** A year is the longest. */
function isRecall(recall: unknown): boolean {
	if (typeof recall !== "object" || recall === null) return false;
	const { stopAfterHours } = recall as Record<string, unknown>;
	return (
		stopAfterHours === undefined ||
		(typeof stopAfterHours === "number" && stopAfterHours >= 0 && stopAfterHours <= 8760)
	);
}

/** An hour is the longest: the host is locked meanwhile. */
export function isSeconds(value: unknown): boolean {
	return value === undefined || (typeof value === "number" && value >= 0 && value <= 3600);
}
