// kfn offload probe: tries a device through a wire (docs/formats/offload.md). What it finds is an answer; a device that is not what it
// says is an error of security, so that no script takes it for one.

import { withLock } from "#host/lock.ts";
import { deviceWord, parseDevice } from "#host/offload/device.ts";
import { OffloadError } from "#host/offload/errors.ts";
import { type ProbeReport, probeOffload } from "#host/offload/probe.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";

export interface OffloadProbeInput {
	readonly device: string;
	readonly peer: string;
	readonly seed: number | undefined;
}

export async function offloadProbe(context: Context, input: OffloadProbeInput): Promise<Output> {
	const host = openContextHost(context);
	const request = { device: parseDevice(input.device), peer: parseDevice(input.peer), seed: input.seed };
	const report = await withLock(host, "offload probe", (lock) => probeOffload(lock, request));
	const json = documentOf(report);
	if (!report.observation.agrees) throw differs(json);
	const { device, bundle, version, superpackets, segments, mtu } = json;
	return {
		json,
		text: [
			...report.warnings.map((warning) => `warning: ${warning}`),
			`${device} does what ${bundle} ${version} does: ${superpackets} superpackets, ${segments} segments, the same bytes (MTU ${mtu}, seed ${json.seed})`,
		].join("\n"),
	};
}

function documentOf({ observation, ...rest }: ProbeReport) {
	const { device, peer, firmware, at, tag, superpackets, segments, agrees } = observation;
	return {
		...{ device: deviceWord(device), peer: deviceWord(peer), function: observation.function },
		...{ bundle: rest.bundle, version: rest.version, tag, firmware, at, seed: rest.seed, mtu: rest.mtu },
		...{ superpackets, segments, agrees, evidence: agrees ? "claimed and observed" : "claimed" },
		...{ differences: rest.differences, moved: rest.moved, warnings: rest.warnings },
	};
}

function differs(json: ReturnType<typeof documentOf>): OffloadError {
	const { device, bundle, version, differences } = json;
	const { what, superpacket, segment } = differences[0]!;
	const words = {
		bytes: `segment ${segment} has other bytes`,
		missing: `segment ${segment} did not arrive`,
		extra: `segment ${segment} is one too many`,
		whole: "it was not segmented",
	};
	return new OffloadError(
		"OFFLOAD_PROBE_DIFFERS",
		`${device} does not do what ${bundle} ${version} does: of the superpacket "${superpacket}", ${words[what]}`,
		{
			hint: "it is not given the function any more; tell its vendor, with the details of --json",
			details: { ...json },
		},
	);
}
