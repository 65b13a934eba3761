// kfn offload: devices that take a function over (docs/formats/offload.md).
import { type HostLock, withLock } from "#host/lock.ts";
import { parseDevice } from "#host/offload/device.ts";
import {
	disableOffload,
	enableOffload,
	type OffloadChange,
	type OffloadRequest,
	refusedBy,
} from "#host/offload/enable.ts";
import { follow, type Settled, settleOnce } from "#host/offload/follow.ts";
import { readEntries } from "#host/offload/state.ts";
import {
	type DeviceSurvey,
	type FunctionSurvey,
	type Survey,
	surveyAll,
	surveyDevice,
} from "#host/offload/survey.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";
import { printable } from "../printable.ts";

export interface DeviceInput {
	readonly device: string;
	readonly function: string | undefined;
}

/** How long the watch waits for another command to end. */
const LOCK_WAIT_MS = 60_000;

const requestOf = ({ device, function: name }: DeviceInput): OffloadRequest => ({
	device: parseDevice(device),
	functions: name === undefined ? undefined : [name],
});

export async function offloadList(context: Context, input: { all: boolean }): Promise<Output> {
	const survey = await surveyAll(openContextHost(context), input.all);
	const { devices } = survey;
	const rows = devices.flatMap((one) => one.functions.map((fn) => row(one, fn)));
	const none = "no device was given a function or says that it can run one (--all shows every device)";
	return {
		json: survey,
		text: [rows.length === 0 ? none : columns(rows), ...unseenLines(survey)].join("\n"),
	};
}

const unseenLines = ({ unseen }: Survey) => unseen.map(({ message }) => warning(message));

function row({ device, identity }: DeviceSurvey, fn: FunctionSurvey): string[] {
	const { running, claims, failed, state } = fn;
	const tags = [...new Set(claims.map(({ tag }) => shortTag(tag)))];
	return [
		device,
		[identity.driver, identity.firmware ?? ""].join(" ").trim(),
		fn.function,
		running === null ? "not installed" : `${running.version} ${shortTag(running.tag)}`,
		tags.length === 0 ? "says nothing" : `says ${tags.join(", ")}`,
		state ?? "not given",
		failed.length === 0 ? "offloadable" : failed.map(({ condition }) => condition).join(", "),
	];
}

const shortTag = (tag: string) => tag.slice(0, 13);

export async function offloadCheck(context: Context, input: DeviceInput): Promise<Output> {
	const { device, functions } = requestOf(input);
	const found = await surveyDevice(openContextHost(context), device, functions);
	const refusals = found.functions.filter(({ offloadable }) => !offloadable);
	const exits = refusals.map((verdict) => refusedBy(found.device, verdict).exit);
	const none = found.functions.length === 0;
	return {
		json: found,
		text: none ? `nothing runs at ${found.device} that a device could take over` : checkText(found),
		exit: none ? 1 : Math.max(0, ...exits),
	};
}

function checkText({ device, functions }: DeviceSurvey): string {
	return functions
		.flatMap((fn) => [
			`${fn.function} at ${device}: ${fn.offloadable ? `offloadable, ${fn.evidence}` : "not offloadable"}`,
			...fn.failed.map(({ condition, message }) => `  ${condition}: ${printable(message)}`),
			...(fn.running === null
				? []
				: [`  runs: ${fn.running.bundle} ${fn.running.version}, ${fn.running.tag}`]),
			...fn.claims.map(({ source, tag, from }) => `  ${source}: ${tag} (${printable(from)})`),
		])
		.join("\n");
}

export async function offloadEnable(context: Context, input: DeviceInput): Promise<Output> {
	const request = requestOf(input);
	const change = await withLock(openContextHost(context), "offload enable", (lock) =>
		enableOffload(lock, request),
	);
	return changeOutput(change, "has had it already");
}

export interface DisableInput {
	readonly device: string | undefined;
	readonly function: string | undefined;
	readonly all: boolean;
}

/** Of one device, or, with `all`, of each that was given something: `device` of the document is null then. */
export async function offloadDisable(context: Context, input: DisableInput): Promise<Output> {
	const { device, all } = input;
	if ((device === undefined) !== all)
		throw new CliError("CLI_USAGE", "kfn offload disable wants a device, or --all");
	const change = await withLock(openContextHost(context), "offload disable", (lock) =>
		device === undefined
			? disableEverywhere(lock)
			: disableOffload(lock, requestOf({ device, function: input.function })),
	);
	return changeOutput(change, "had nothing");
}

async function disableEverywhere(lock: HostLock): Promise<AnyChange> {
	const devices = new Set(readEntries(lock.host).map(({ device }) => device));
	const changes: OffloadChange[] = [];
	for (const device of devices) changes.push(await disableOffload(lock, { device }));
	return {
		device: null,
		moved: changes.flatMap(({ moved }) => moved),
		verdicts: [],
		warnings: changes.flatMap(({ warnings }) => warnings),
	};
}

type AnyChange = Omit<OffloadChange, "device"> & { readonly device: string | null };

function changeOutput(change: AnyChange, nothing: string): Output {
	const lines = movedLines(change.moved);
	const text = [
		...(lines.length === 0 ? [`${change.device ?? "every device"} ${nothing}`] : lines),
		...change.warnings.map(warning),
	];
	return { json: { changed: change.moved.length > 0, ...change }, text: text.join("\n") };
}

const WORDS = {
	in: "runs in the device",
	out: "runs in the kernel",
	left: "runs in the kernel, and the device's features are as before",
} as const;

const movedLines = (moved: OffloadChange["moved"]) =>
	moved.map(({ device, function: name, to, why }) =>
		printable(`${name} at ${device}: ${WORDS[to]}${why === null ? "" : ` (${why})`}`),
	);
const warning = (text: string) => printable(`warning: ${text}`);

/** Only what was given: of each, whether it is in, and what its device and its catalogues say now. */
export async function offloadStatus(context: Context): Promise<Output> {
	const survey = await surveyAll(openContextHost(context), false);
	const devices = survey.devices
		.map((one) => ({ ...one, functions: one.functions.filter(({ state }) => state !== null) }))
		.filter(({ functions }) => functions.length > 0);
	const rows = devices.flatMap(({ device, functions }) =>
		functions.map((fn) => [device, fn.function, fn.state ?? "", fn.why ?? "", featureText(fn)]),
	);
	const table = rows.length === 0 ? "no device was given a function" : columns(rows);
	return { json: { ...survey, devices }, text: [table, ...unseenLines(survey)].join("\n") };
}

const featureText = ({ features }: FunctionSurvey) =>
	Object.entries(features ?? {})
		.map(([name, on]) => `${name} ${on ? "on" : "off"}`)
		.join(", ");

export interface WatchInput {
	readonly once: boolean;
	readonly json: boolean;
}

/** Until SIGINT or SIGTERM, one line, or with --json one document, for each look that did something. */
export async function offloadWatch(context: Context, input: WatchInput): Promise<Output> {
	const host = openContextHost({ lockWaitMs: LOCK_WAIT_MS, ...context });
	if (input.once) {
		const settled = await settleOnce(host, "start");
		return { json: settled, text: settledText(settled) };
	}
	let looks = 0;
	await follow(host, context.signal, (settled) => {
		looks++;
		const text = input.json ? JSON.stringify(settled) : settledText(settled);
		process.stdout.write(`${text}\n`);
	});
	return { json: { stopped: true, told: looks }, text: "stopped" };
}

function settledText({ cause, moved, warnings }: Settled): string {
	const lines = [...movedLines(moved), ...warnings.map(warning)];
	return lines.length === 0 ? `${cause}: all devices are as they should be` : lines.join("\n");
}
