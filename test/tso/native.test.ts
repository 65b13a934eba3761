// The program's own C, compiled for the host with ASan and UBSan, against an oracle that was written from the kernel's rules: shapes,
// random superpackets, what it must leave alone, and every helper failing at every call. About 10 seconds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildNative } from "./build.ts";
import { type Answer, answersOf, PACKET_SOCKET, type Question, REDIRECT, SHOT, UNSPEC } from "./native.ts";
import { segmentsOf } from "./oracle.ts";
import { bytesOf, FLAG, type Shape, superpacket } from "./superpacket.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
const program = join(folder, "host");
const SEED = 1;

beforeAll(() => buildNative(program));
afterAll(() => rmSync(folder, { recursive: true }));

const PLAIN: Shape = { payload: 4000, mss: 1448 };

function question(name: string, shape: Partial<Shape>, more: Partial<Question> = {}): Question {
	const whole = { ...PLAIN, ...shape };
	return { name, packet: superpacket(whole), mss: whole.mss, ...more };
}

/** Each packet as its digest would be too little for a reader: hex, and only when it differs. */
const hex = (packets: readonly Buffer[]) => packets.map((packet) => packet.toString("hex"));

function expectSegments(questions: readonly Question[]): void {
	for (const [index, answer] of answersOf(program, questions).entries()) {
		const { name, packet, mss, ecn } = questions[index]!;
		const expected = segmentsOf(packet, mss, ecn === "accecn" ? "accecn" : "rfc3168");
		expect({ name, verdict: answer.verdict, gsoSize: answer.gsoSize }).toEqual({
			...{ name, verdict: REDIRECT, gsoSize: 0 },
		});
		expect(answer.packets.length, name).toBe(expected.length);
		if (Buffer.compare(Buffer.concat(answer.packets), Buffer.concat(expected)) !== 0)
			expect([name, hex(answer.packets)]).toEqual([name, hex(expected)]);
	}
}

function expectUntouched(questions: readonly Question[]): void {
	for (const [index, answer] of answersOf(program, questions).entries()) {
		const { name, packet, mss } = questions[index]!;
		expect({ name, ...answer, packets: hex(answer.packets), calls: 0 }).toEqual({
			...{ name, verdict: UNSPEC, gsoSize: mss, packets: hex([packet]), calls: 0 },
		});
	}
}

const SHAPES: Readonly<Record<string, Partial<Shape>>> = {
	plain: {},
	IPv6: { version: 6 },
	"no options": { options: 0 },
	"all options": { options: 40 },
	"a tail of 1": { payload: 2897 },
	"no tail": { payload: 2896 },
	"two segments": { payload: 1449 },
	"FIN and PSH": { flags: FLAG.ack | FLAG.fin | FLAG.psh },
	"urgent data": { flags: FLAG.ack | FLAG.urg, urgent: 3000 },
	ECE: { flags: FLAG.ack | FLAG.ece },
	"a sequence number that wraps": { seq: 0xffff_ff00 },
	"an id that wraps": { id: 0xffff },
	"a checksum of 0": { check: 0 },
	"a checksum of 0xffff": { check: 0xffff },
	"an mss of 1": { payload: 50, mss: 1 },
	"the longest on IPv4": { payload: 65535 - 52 },
	"the longest on IPv6": { version: 6, payload: 65535 - 32 },
	"the longest segment": { payload: 40_000, mss: 16064 - 66 },
};

const LEFT: Readonly<Record<string, readonly [Partial<Shape>, Partial<Question>?]>> = {
	"what is no superpacket": [{ mss: 0 }],
	"what fits into one segment": [{ payload: 1448 }],
	"without a socket": [{}, { socket: "none" }],
	"a socket of UDP": [{}, { socket: { family: 2, protocol: 17 } }],
	"a tagged packet": [{}, { vlan: true }],
	"a finished checksum": [{}, { checksum: "none" }],
	"a checked checksum": [{}, { checksum: "good" }],
	"a device without Ethernet": [{}, { networkAt: 0 }],
	"a packet while another is worked on": [{}, { busy: true }],
	SYN: [{ flags: FLAG.syn }],
	RST: [{ flags: FLAG.rst | FLAG.ack }],
	"CWR without ECN": [{ flags: FLAG.cwr | FLAG.ack }],
	"CWR while ECN is negotiated": [{ flags: FLAG.cwr | FLAG.ack }, { ecn: "negotiating" }],
	"CWR of a packet socket": [{ flags: FLAG.cwr | FLAG.ack }, { socket: PACKET_SOCKET, ecn: "rfc3168" }],
	"another ethertype": [{ patch: { 12: 0x88 } }],
	"options in IP": [{ patch: { 14: 0x46 } }],
	"version 5": [{ patch: { 14: 0x55 } }],
	"a first fragment": [{ patch: { 20: 0x20 } }],
	"a later fragment": [{ patch: { 21: 1 } }],
	"UDP in IPv4, as VXLAN is": [{ patch: { 23: 17 } }],
	"UDP in IPv6, as VXLAN is": [{ version: 6, patch: { 20: 17 } }],
	"GRE in IPv4": [{ patch: { 23: 47 } }],
	"GRE in IPv6": [{ version: 6, patch: { 20: 47 } }],
	"IPv4 in IPv4": [{ patch: { 23: 4 } }],
	"IPv6 in IPv6": [{ version: 6, patch: { 20: 41 } }],
	"a length in IPv4 that is not the packet's": [{ patch: { 17: 1 } }],
	"an extension header": [{ version: 6, patch: { 20: 60 } }],
	"version 4 with the ethertype of IPv6": [{ version: 6, patch: { 14: 0x40 } }],
	"a length in IPv6 that is not the packet's": [{ version: 6, patch: { 19: 1 } }],
	"a TCP header of 16 bytes": [{ patch: { 46: 0x40 } }],
	"a segment longer than change_tail takes": [{ payload: 40_000, mss: 16064 - 65 }],
	"an mss beyond the buffer's": [{ payload: 60_000, mss: 30_000 }],
	"a TCP header longer than the packet": [{ payload: 1, options: 0, mss: 1, patch: { 46: 0xf0 } }],
};

describe("the program's C on the host", () => {
	test("segments what it is for", () => {
		expectSegments(Object.entries(SHAPES).map(([name, shape]) => question(name, shape)));
		expectSegments([question("a packet socket", {}, { socket: PACKET_SOCKET })]);
		const flags = FLAG.cwr | FLAG.ece | FLAG.ack | FLAG.psh;
		for (const ecn of ["rfc3168", "accecn"] as const)
			for (const version of [4, 6] as const)
				expectSegments([question(`CWR, ${ecn}, IPv${version}`, { version, flags }, { ecn })]);
	});

	test("leaves everything else as it is", () => {
		const questions = Object.entries(LEFT).map(([name, [shape, more]]) => question(name, shape, more));
		expectUntouched(questions);
	});

	test("leaves packets that are cut anywhere as they are", () => {
		const whole = superpacket(PLAIN);
		const lengths = Array.from({ length: 200 }, (_, index) => 14 + index);
		expectUntouched(
			lengths.map((length) => ({ name: `length ${length}`, packet: whole.subarray(0, length), mss: 10 })),
		);
	});

	test(`segments random superpackets, seed ${SEED}`, () => {
		const random = bytesOf(SEED);
		const below = (limit: number) => ((random() << 16) | (random() << 8) | random()) % limit;
		const questions = Array.from({ length: 2000 }, (_, index) => {
			const mss = 1 + below(index % 3 === 0 ? 100 : 3000);
			const payload = mss + 1 + below(Math.min(20 * mss, 60_000));
			const shape: Partial<Shape> = {
				...{ version: below(2) ? 4 : 6, payload, mss, options: 4 * below(11), random },
				...{ flags: below(256) & ~(FLAG.syn | FLAG.rst), urgent: below(65536) },
				...{ seq: below(2) ? below(2 ** 24) : 2 ** 32 - 1 - below(payload), id: below(65536) },
				...(below(3) ? {} : { check: below(65536) }),
			};
			return question(`number ${index}`, shape, { ecn: below(2) ? "rfc3168" : "accecn" });
		});
		expectSegments(questions);
	});
});

describe("a helper that fails", () => {
	const shape: Partial<Shape> = { payload: 5000 };
	const failing = (fails: number) => question(`call ${fails}`, shape, { fails });

	test("leaves the packet whole, or loses one segment, or sends one twice, and never a wrong byte", () => {
		const whole = question("none", shape);
		const segments = hex(segmentsOf(whole.packet, whole.mss));
		const [{ calls }] = answersOf(program, [whole]) as [Answer];
		expect([segments.length, calls]).toEqual([4, 12]);
		const questions = Array.from({ length: calls }, (_, index) => failing(index + 1));
		const kinds = { untouched: 0, lost: 0, twice: 0 };
		for (const [index, { verdict, gsoSize, packets }] of answersOf(program, questions).entries()) {
			const { name, packet, mss } = questions[index]!;
			if (verdict === UNSPEC) {
				expect({ name, gsoSize, packets: hex(packets) }).toEqual({
					...{ name, gsoSize: mss, packets: hex([packet]) },
				});
				kinds.untouched++;
				continue;
			}
			// The packet itself is the last, and is dropped where it is half a segment.
			const sent = hex(verdict === SHOT ? packets.slice(0, -1) : packets);
			expect([name, sent.filter((one) => !segments.includes(one))]).toEqual([name, []]);
			expect([name, new Set(sent).size]).toEqual([name, segments.length - 1]);
			if (sent.length === segments.length) kinds.twice++;
			else kinds.lost++;
		}
		// Untouched: the two loads, the look at the device, the first cut. Twice: the last cut.
		expect(kinds).toEqual({ untouched: 4, twice: 1, lost: calls - 5 });
	});
});
