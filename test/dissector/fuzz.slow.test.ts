// libFuzzer on the dissector's own C with ASan and UBSan, and the minimiser on a dissector that is known to be wrong.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { buildFuzzer, buildNative } from "./build.ts";
import { minimise } from "./comparison.ts";
import { UDP_TUNNELS } from "./corpus-tunnel.ts";
import { answersOf, type Question } from "./native.ts";
import { expectation } from "./oracle.ts";
import { packageFolder, readVectors } from "./vectors.ts";

/** KFN_FUZZ_SECONDS=3600 for a night's work. */
const SECONDS = Number(process.env["KFN_FUZZ_SECONDS"] ?? 15);
const folder = mkdtempSync(join(tmpdir(), "kfn-dissector-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the dissector's C under libFuzzer", () => {
	test(
		`finds nothing in ${SECONDS} seconds`,
		() => {
			const program = join(folder, "fuzz");
			const corpus = join(folder, "corpus");
			buildFuzzer(program);
			mkdirSync(corpus);
			for (const [index, { data, flags = 0 }] of readVectors().entries())
				seed(corpus, `v${index}`, flags, 0, data);
			for (const [index, { data }] of UDP_TUNNELS.entries()) {
				seed(corpus, `t${index}`, 0, 1, Buffer.from(data).toString("hex"));
			}
			const args = [
				corpus,
				`-max_total_time=${SECONDS}`,
				"-max_len=512",
				"-timeout=5",
				"-seed=1",
				"-print_final_stats=1",
			];
			const { status, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
			expect(stderr).toMatch(/stat::number_of_executed_units: \d{5,}/);
			expect(status, stderr.slice(-3000)).toBe(0);
		},
		(SECONDS + 60) * 1000,
	);
});

describe("minimise", () => {
	test("finds the keyed GRE header that 1.0.0 does not see through", () => {
		const staged = join(folder, "flow-dissector");
		const program = join(folder, "replay-1.0.0");
		cpSync(packageFolder, staged, { recursive: true });
		const input = readFileSync(join(packageFolder, "history", "1.0.0.patch"));
		execFileSync("patch", ["-p1", "--fuzz=0"], { cwd: staged, input, stdio: "pipe" });
		buildNative(program, staged);
		const long = readVectors().find(({ name }) => name === "gre-key-all")!;
		const smallest = minimise({ name: "x", data: Buffer.from(long.data, "hex"), flags: 0 }, (candidates) =>
			answersOf(program, candidates).map((answer, index) => differs(answer, candidates[index]!)),
		);
		// Ethernet, IPv4, GRE with nothing but the key bit: 14 + 20 + 4 bytes and the key's absence.
		expect(smallest.data.length).toBeLessThanOrEqual(42);
		expect(smallest.data.filter((byte) => byte !== 0).length).toBeLessThanOrEqual(6);
	});
});

function seed(corpus: string, name: string, flags: number, config: number, hex: string): void {
	writeFileSync(join(corpus, name), Buffer.concat([Buffer.of(flags, config, 40), Buffer.from(hex, "hex")]));
}

function differs(answer: { retval: number; out: string }, { data, flags }: Question): boolean {
	const { retval, out } = expectation(data, flags);
	return answer.retval !== retval || answer.out !== out;
}
