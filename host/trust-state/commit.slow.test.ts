// Every durable write of a refresh: kill -9 in a real child process, a failure, a failure that was written after all, a full
// disk. Afterwards the old set counts or the new one, whole; an older registry is never taken; the next refresh succeeds.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folderReader } from "#cli/client/registry-fetch.ts";
import { bundleChild, inParallel, killsOf } from "#test/harness/host-crash.ts";
import type { TrustChildSpec } from "#test/harness/trust-child.ts";
import { makeKfnRepository, NOW, outcome, pin } from "#test/harness/trust-world.ts";
import { type FaultKind, faultAt, noFaults } from "../faults.ts";
import { type Host, openHost } from "../host.ts";
import { registryDocuments } from "./documents.ts";
import { openTrustSession } from "./session.ts";
import { readTrustState } from "./state.ts";

const LOADER = join(import.meta.dirname, "../../build/kfn-load");

let folder: string;
let child: string;
/** Three states of one registry: before the oldest, the host's, and the newest. */
const trees = { oldest: "", held: "", newest: "" };

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-trust-crash-"));
	child = await bundleChild("trust-child");
	const repository = await makeKfnRepository({ bins: 2 });
	for (const name of ["oldest", "held", "newest"] as const) {
		if (name !== "oldest") await repository.publish("flow-dissector/index.json", Buffer.from(name));
		trees[name] = join(folder, name);
		repository.writeTo(trees[name]);
	}
	pin(join(folder, "root-first"), repository.root);
	cpSync(join(folder, "root-first"), join(folder, "root-later"), { recursive: true });
	await refresh(hostAt(join(folder, "root-later")), trees.held);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hostAt(root: string, faults = noFaults): Host {
	return openHost({ root, loader: LOADER, faults, now: () => NOW });
}

function refresh(host: Host, tree: string): Promise<unknown> {
	const { fetch } = folderReader(tree);
	return openTrustSession(host, { fetch, policy: "ed25519", companions: registryDocuments });
}

describe.each([
	["the first refresh of a host", "root-first", [undefined, 3]],
	["a later one", "root-later", [2 + 1, 4]],
] as const)("%s", (_name, template, [before, after]) => {
	const copy = () => {
		const root = mkdtempSync(join(folder, "at-"));
		cpSync(join(folder, template), root, { recursive: true, verbatimSymlinks: true });
		return root;
	};
	const target = template === "root-first" ? () => trees.held : () => trees.newest;

	/** The old state or the new one, whole, and from either the way on, not the way back. */
	async function expectSound(root: string): Promise<void> {
		const host = hostAt(root);
		const { set, mark } = readTrustState(host);
		expect([before, after]).toContain(set?.record.roles.timestamp?.version);
		if (set !== undefined) {
			expect(set.record.complete).toBe(true);
			expect(await outcome(refresh(host, trees.oldest))).toBe("TRUST_ROLLBACK");
		} else expect(mark.set).toBeNull();
		await refresh(host, target());
		expect(readTrustState(host).set!.record.roles.timestamp!.version).toBe(after);
		expect(await outcome(refresh(host, trees.oldest))).toBe("TRUST_ROLLBACK");
		const { layout } = host;
		const sets = readdirSync(layout.trustSets).length;
		expect(sets).toBeLessThanOrEqual(2);
		expect(readdirSync(layout.state).filter((name) => name.endsWith(".tmp"))).toEqual([]);
	}

	async function run(spec: TrustChildSpec): Promise<NodeJS.Signals | null> {
		const process_ = spawn(process.execPath, [child, JSON.stringify(spec)], {
			stdio: ["ignore", "ignore", "inherit"],
		});
		const [, signal] = (await once(process_, "close")) as [number | null, NodeJS.Signals | null];
		return signal;
	}

	async function points(): Promise<string[]> {
		const root = copy();
		const passed = join(root, "passed.json");
		await run({ root, folder: target(), now: NOW.toISOString(), passed });
		return JSON.parse(readFileSync(passed, "utf8")) as string[];
	}

	test("kill -9 at each point", { timeout: 600_000 }, async () => {
		const passed = await points();
		expect(passed).toEqual(expect.arrayContaining(["rename current", "rename trust-mark.json"]));
		await inParallel(killsOf(passed), 2, async ({ at, kind }) => {
			const root = copy();
			const signal = await run({ root, folder: target(), now: NOW.toISOString(), fault: { at, kind } });
			expect(signal).toBe("SIGKILL");
			await expectSound(root);
			rmSync(root, { recursive: true });
		});
	});

	test.each<FaultKind>(["fail", "fail-after", "full"])(
		"%s at each point",
		{ timeout: 600_000 },
		async (kind) => {
			const passed = await points();
			await inParallel([...passed.keys()], 2, async (i) => {
				const root = copy();
				const failed = await outcome(refresh(hostAt(root, faultAt(i + 1, kind)), target()));
				const expected = kind === "full" ? ["HOST_DISK_FULL", "ENOSPC"] : ["HOST_IO", "EIO"];
				expect(["accepted", ...expected], `${passed[i]}`).toContain(failed);
				await expectSound(root);
				rmSync(root, { recursive: true });
			});
		},
	);
});
