// kfn dissect: runs every packet of a capture through the installed program (BPF_PROG_TEST_RUN on what is attached, not
// on a copy) and shows the flows that it finds.

import { ethernetPackets } from "#host/capture/capture.ts";
import { decodeFlowKeys, formatFlow, networkName, transportName } from "#host/capture/flow-keys.ts";
import { type DissectedPacket, type Flow, type FlowTable, groupFlows } from "#host/capture/flows.ts";
import { parseCapture } from "#host/capture/pcap.ts";
import { replay } from "#host/replay.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

const CAPTURE_LIMIT = 256 * 1024 * 1024;
const FUNCTION = "flow-dissector";
/** BPF_PROG_TEST_RUN takes a page at most and an Ethernet header at least (bpf_test_init, net/bpf/test_run.c). */
const RUNNABLE = { least: 14, most: 4096 };
const OUTCOMES: Readonly<Record<number, string>> = { 0: "dissected", 2: "failed", 129: "continue" };

export async function dissect(
	context: Context,
	input: { file: string; scope: string | undefined; packets: boolean },
): Promise<Output> {
	const captured = ethernetPackets(parseCapture(await readInput(input.file, CAPTURE_LIMIT)));
	const packets = captured.filter(({ bytes }) => bytes.length >= RUNNABLE.least);
	context.onStep({ step: "dissecting", detail: `${packets.length} packets` });
	const answers = await Array.fromAsync(
		replay(openContextHost(context), {
			function: FUNCTION,
			scope: input.scope,
			packets: packets.map(({ bytes }) => ({ data: bytes.subarray(0, RUNNABLE.most) })),
		}),
	);
	const dissected = answers.map(({ retval, out }, i) => ({
		packet: packets[i]!,
		retval,
		keys: decodeFlowKeys(out),
	}));
	const table = groupFlows(dissected);
	const document = {
		packets: captured.length,
		tooShort: captured.length - packets.length,
		flows: table.flows.map(flowDocument),
		failed: table.failed,
		continued: table.continued,
		unexpected: table.unexpected,
	};
	if (!input.packets) return { json: document, text: flowText(table, document) };
	return { json: { ...document, perPacket: dissected.map(packetDocument) }, text: packetText(dissected) };
}

function flowDocument({ keys, packets, bytes, fragments }: Flow) {
	return {
		network: networkName(keys.networkProtocol),
		protocol: transportName(keys),
		source: keys.source ?? null,
		sourcePort: keys.sourcePort,
		destination: keys.destination ?? null,
		destinationPort: keys.destinationPort,
		encapsulated: keys.isEncapsulated,
		packets,
		bytes,
		fragments,
	};
}

function packetDocument({ retval, keys }: DissectedPacket, index: number) {
	return {
		index,
		outcome: OUTCOMES[retval] ?? `return value ${retval}`,
		flow: retval === 0 ? formatFlow(keys) : null,
	};
}

function flowText(table: FlowTable, counts: { packets: number; tooShort: number }): string {
	const rows = table.flows.map((flow) => {
		const f = flowDocument(flow);
		const end = (address: string | null, port: number) =>
			port === 0 ? (address ?? "-") : `${address} ${port}`;
		return [
			f.protocol,
			end(f.source, f.sourcePort),
			end(f.destination, f.destinationPort),
			f.encapsulated ? "inner" : "",
			String(f.packets),
			String(f.bytes),
		];
	});
	const rest = [
		table.failed > 0 ? `${table.failed} not dissected` : "",
		table.continued > 0 ? `${table.continued} left to the kernel's own dissector` : "",
		counts.tooShort > 0 ? `${counts.tooShort} too short for Ethernet` : "",
		table.unexpected > 0 ? `${table.unexpected} answered with an undefined value` : "",
	].filter((part) => part !== "");
	const total = `${counts.packets} packets, ${table.flows.length} flows${rest.length > 0 ? `; ${rest.join(", ")}` : ""}`;
	return [columns([["PROTOCOL", "SOURCE", "DESTINATION", "", "PACKETS", "BYTES"], ...rows]), total].join(
		"\n",
	);
}

function packetText(dissected: readonly DissectedPacket[]): string {
	return columns(
		dissected.map((packet, i) => {
			const { index, outcome, flow } = packetDocument(packet, i);
			return [String(index + 1), outcome, flow ?? ""];
		}),
	);
}
