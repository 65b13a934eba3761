// The table in the package's README is what the two dissectors do in this kernel. KFN_UPDATE=1 rewrites it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { haveFlowDissector, skipUnless } from "#test/harness/feature.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { buildHashOracle, buildObject, buildTestRun } from "./build.ts";
import { type Answer, answers, type Machine } from "./comparison.ts";
import { DEFAULT_CONFIG, TUNNEL_CONFIG } from "./config.ts";
import { VERDICT } from "./keys.ts";
import { PROTOCOLS, type Protocol } from "./protocols.ts";
import { packageFolder } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
const readme = join(packageFolder, "README.md");
const [START, END] = ["<!-- made by test/dissector/table.kernel.test.ts -->\n", "<!-- end -->"];
afterAll(() => rmSync(folder, { recursive: true }));

test("the README's table is what C dissector and program do", async (context) => {
	skipUnless(context, await haveFlowDissector());
	await using namespace = await openNamespace("table");
	const machine = {
		testRun: join(folder, "test_run"),
		hashOracle: join(folder, "hash_oracle.bpf.o"),
		object: join(folder, "flow_dissector.bpf.o"),
		namespace: namespace.path,
	};
	buildObject(machine.object);
	buildHashOracle(machine.hashOracle);
	buildTestRun(machine.testRun);
	const table = aligned([
		["protocol", "specified in", "C dissector", "selftest sample (by reading)", "this program"],
		...PROTOCOLS.map((protocol) => cells(machine, protocol)),
	]);
	const text = readFileSync(readme, "utf8");
	const [from, to] = [text.indexOf(START) + START.length, text.indexOf(END)];
	const expected = `${text.slice(0, from)}\n${table}\n${text.slice(to)}`;
	if (process.env["KFN_UPDATE"] === "1") writeFileSync(readme, expected);
	expect(readFileSync(readme, "utf8")).toBe(expected);
});

function cells(machine: Machine, protocol: Protocol): readonly string[] {
	const config = protocol.tunnels ? TUNNEL_CONFIG : DEFAULT_CONFIG;
	const all = [protocol.packet, ...protocol.others.map(([, data]) => data)];
	// Short packets are padded as on the wire; nothing that a dissector looks at is there.
	const questions = all.map((data, index) => ({
		name: `${protocol.name} ${index}`,
		data: padded(data),
		flags: 0,
	}));
	const answer = answers(machine, questions, config);
	const told = (hash: (one: Answer) => number) =>
		protocol.others
			.filter((_, index) => hash(answer(index + 1)) !== hash(answer(0)))
			.map(([what]) => what)
			.join(", ") || "its type";
	const retval = answer(0).keys.readUInt32LE();
	const seen = told(({ ours }) => ours);
	const verdict = { [VERDICT.good]: seen, [VERDICT.bad]: "refused", [VERDICT.continue]: `asks C: ${seen}` }[
		retval
	];
	if (verdict === undefined) throw new Error(`${protocol.name}: ${retval}`);
	return [protocol.name, protocol.spec, told(({ theirs }) => theirs), protocol.sample, verdict];
}

function padded(data: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(Math.max(60, data.length));
	bytes.set(data);
	return bytes;
}

function aligned(rows: readonly (readonly string[])[]): string {
	const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
	const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
	const [head, ...body] = rows;
	return [line(head!), line(widths.map((width) => "-".repeat(width))), ...body.map(line), ""].join("\n");
}
