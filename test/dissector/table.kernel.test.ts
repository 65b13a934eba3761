// The table in the package's README is what the C dissector, the kernel's selftest sample and the program do in this kernel.
// KFN_UPDATE=1 rewrites it. Where the sample cannot be fetched, its column stays as it is, and its test is skipped.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Have, haveFlowDissector, skipUnless } from "#test/harness/feature.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { buildHashOracle, buildObject, buildTestRun } from "./build.ts";
import { answers, type Machine } from "./comparison.ts";
import { DEFAULT_CONFIG, TUNNEL_CONFIG } from "./config.ts";
import { encodeKeys, VERDICT } from "./keys.ts";
import type { Question } from "./native.ts";
import { dissect } from "./oracle.ts";
import { PROTOCOLS, type Protocol } from "./protocols.ts";
import { buildSample, haveSample, type Sample, sampleAnswers } from "./sample/sample.ts";
import { packageFolder } from "./vectors.ts";

const readme = join(packageFolder, "README.md");
const [START, END] = ["<!-- made by test/dissector/table.kernel.test.ts -->\n", "<!-- end -->"];
const HEAD = ["protocol", "specified in", "C dissector", "selftest sample", "this program"] as const;
const SAMPLE_COLUMN = HEAD.indexOf("selftest sample");
type Row = readonly string[];
/** Nothing but its ethertype tells such packets from other traffic. */
const NOTHING = "its type";
/** Offsets in struct bpf_flow_keys (include/uapi/linux/bpf.h). */
const [ADDR_PROTO, BEHIND_IPV4, BEHIND_ADDRESSES] = [4, 24, 48];
const ETH_P_IP = 0x0800;

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const hashOracle = join(folder, "hash_oracle.bpf.o");
let sample: Have;

beforeAll(async () => {
	sample = await haveSample();
	buildHashOracle(hashOracle);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("the README's table is what C dissector and program do", async (context) => {
	skipUnless(context, await haveFlowDissector());
	await using namespace = await openNamespace("table");
	const machine = {
		testRun: join(folder, "test_run"),
		hashOracle,
		object: join(folder, "flow_dissector.bpf.o"),
		namespace: namespace.path,
	};
	buildObject(machine.object);
	buildTestRun(machine.testRun);
	const before = readRows();
	expectRows(
		PROTOCOLS.map((protocol) => {
			const [theirs, ours] = cells(machine, protocol);
			const kept = before.find(([name]) => name === protocol.name)?.[SAMPLE_COLUMN] ?? "";
			return [protocol.name, protocol.spec, theirs, kept, ours];
		}),
	);
});

test("the README's column of the kernel's selftest sample is what it does", async (context) => {
	skipUnless(context, await haveFlowDissector());
	if (sample.have === "no") context.skip(sample.reason);
	await using namespace = await openNamespace("table");
	const built = await buildSample(folder);
	const column = PROTOCOLS.map((protocol) => sampleCell(built, namespace.path, protocol));
	expectRows(readRows().map((row, index) => row.with(SAMPLE_COLUMN, column[index] ?? "")));
});

/** What C dissector and program do. */
function cells(machine: Machine, protocol: Protocol): readonly [string, string] {
	const config = protocol.tunnels ? TUNNEL_CONFIG : DEFAULT_CONFIG;
	const answer = answers(machine, questionsOf(protocol), config);
	const retval = answer(0).keys.readUInt32LE();
	const seen = told(protocol, (index) => answer(index).ours);
	const verdict = { [VERDICT.good]: seen, [VERDICT.bad]: "refused", [VERDICT.continue]: `asks C: ${seen}` }[
		retval
	];
	if (verdict === undefined) throw new Error(`${protocol.name}: ${retval}`);
	return [told(protocol, (index) => answer(index).theirs), verdict];
}

function sampleCell(built: Sample, namespace: string, protocol: Protocol): string {
	const questions = questionsOf(protocol);
	const all = sampleAnswers(built, hashOracle, namespace, questions);
	const { retval } = all[0]!;
	const seen = told(protocol, (index) => all[index]!.hash);
	const same = all.every(({ keys }, index) => asOracle(keys, questions[index]!));
	const cell = {
		[VERDICT.good]: same ? seen : `${seen}; other keys`,
		[VERDICT.bad]: seen === NOTHING ? "fails" : `fails; ${seen}`,
		[VERDICT.continue]: `asks C: ${seen}`,
	}[retval];
	if (cell === undefined) throw new Error(`${protocol.name}: ${retval}`);
	return cell;
}

function asOracle(keys: Buffer, { data, flags }: Question): boolean {
	const expected = encodeKeys(dissect(data, flags).keys);
	// Behind two IPv4 addresses lies what no reader looks at; the sample leaves there what an outer IPv6 header had.
	const carried = Buffer.from(keys);
	if (keys.readUInt16LE(ADDR_PROTO) === ETH_P_IP) carried.fill(0, BEHIND_IPV4, BEHIND_ADDRESSES);
	return carried.equals(expected);
}

/** The packet itself, then the others. */
function questionsOf({ name, packet, others }: Protocol): readonly Question[] {
	const all = [packet, ...others.map(([, data]) => data)];
	// Short packets are padded as on the wire; nothing that a dissector looks at is there.
	return all.map((data, index) => ({ name: `${name} ${index}`, data: padded(data), flags: 0 }));
}

/** What gives a packet another hash than the first one's. */
function told({ others }: Protocol, hash: (index: number) => number): string {
	const different = others.filter((_, index) => hash(index + 1) !== hash(0));
	return different.map(([what]) => what).join(", ") || NOTHING;
}

function padded(data: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(Math.max(60, data.length));
	bytes.set(data);
	return bytes;
}

/** The README, and where the table stands in it. */
function readTable(): { text: string; from: number; to: number } {
	const text = readFileSync(readme, "utf8");
	return { text, from: text.indexOf(START) + START.length, to: text.indexOf(END) };
}

function readRows(): readonly Row[] {
	const { text, from, to } = readTable();
	const lines = text.slice(from, to).trim().split("\n").slice(2);
	return lines.map((line) =>
		line
			.split("|")
			.slice(1, -1)
			.map((cell) => cell.trim()),
	);
}

function expectRows(rows: readonly Row[]): void {
	const { text, from, to } = readTable();
	const expected = `${text.slice(0, from)}\n${aligned([HEAD, ...rows])}\n${text.slice(to)}`;
	if (process.env["KFN_UPDATE"] === "1") writeFileSync(readme, expected);
	expect(readFileSync(readme, "utf8")).toBe(expected);
}

function aligned(rows: readonly Row[]): string {
	const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
	const line = (row: Row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
	const [head, ...body] = rows;
	return [line(head!), line(widths.map((width) => "-".repeat(width))), ...body.map(line), ""].join("\n");
}
