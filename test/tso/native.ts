// Asks the program, compiled for the host, what becomes of packets (native/host.c). Refuses to judge the answer.
import { execFileSync } from "node:child_process";

export interface Question {
	readonly name: string;
	readonly packet: Buffer;
	readonly mss: number;
	/** The socket that the packet has; that of a TCP connection unless given. */
	readonly socket?: { readonly family: number; readonly protocol: number } | "none";
	/** What is known of the checksum; "partial" unless given: it is to be finished by whoever sends. */
	readonly checksum?: "partial" | "none" | "good";
	/** Where the IP header is; 14 unless given. */
	readonly networkAt?: number;
	/** How the connection uses ECN; not at all unless given. */
	readonly ecn?: keyof typeof ECN;
	readonly vlan?: boolean;
	readonly busy?: boolean;
	/** Which call of a helper that can fail does, counted from 1. */
	readonly fails?: number;
}

export interface Answer {
	readonly verdict: number;
	/** Of the packet, when the program has ended. */
	readonly gsoSize: number;
	/** How many calls could have failed. */
	readonly calls: number;
	/** What was sent, in order; the packet itself is the last. */
	readonly packets: readonly Buffer[];
}

export const TCP_SOCKET = { family: 2, protocol: 6 };
export const PACKET_SOCKET = { family: 17, protocol: 0 };
export const [UNSPEC, SHOT, REDIRECT] = [0xffffffff, 2, 7];

/** include/net/tcp.h: TCP_ECN_MODE_…, and what else stands in the same byte. */
const ECN = { none: 0, rfc3168: 1 | 2 | 8, accecn: 16, negotiating: 17 } as const;
const CHECKSUM = { none: 0, partial: 1, good: 2 } as const;

/** One answer for each question, in order; throws when a sanitizer objects. */
export function answersOf(program: string, questions: readonly Question[]): readonly Answer[] {
	const input = Buffer.concat(questions.flatMap((question) => [headOf(question), question.packet]));
	const output = execFileSync(program, [], { input, maxBuffer: 1 << 30, stdio: "pipe" });
	let at = 0;
	const next = () => {
		at += 4;
		return output.readUInt32LE(at - 4);
	};
	const answers = questions.map((): Answer => {
		const [verdict, gsoSize, calls, count] = [next(), next(), next(), next()];
		const packets = Array.from({ length: count }, () => {
			const length = next();
			at += length;
			return output.subarray(at - length, at);
		});
		return { verdict, gsoSize, calls, packets };
	});
	if (at !== output.length) throw new Error(`${output.length - at} bytes too many`);
	return answers;
}

function headOf(question: Question): Buffer {
	const { packet, mss, socket = TCP_SOCKET, checksum = "partial", networkAt = 14, ecn = "none" } = question;
	const { family, protocol } = socket === "none" ? { family: 0, protocol: 0 } : socket;
	const flags = [question.vlan ? 1 : 0, question.busy ? 1 : 0, ECN[ecn], question.fails ?? 0];
	const words = [packet.length, mss, family, protocol, CHECKSUM[checksum], networkAt, ...flags];
	const head = Buffer.alloc(words.length * 4);
	for (const [index, word] of words.entries()) head.writeUInt32LE(word, index * 4);
	return head;
}
