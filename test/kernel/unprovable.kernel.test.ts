// A function that can no longer be proved, with the real loader on a real kernel: it runs on untouched while others change,
// a loader killed in the middle of a swap is recovered from, nothing unproved is ever loaded, and it can be removed.

import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type TestContext, test } from "vitest";
import { FAULTS, make } from "#host/native/fixture.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { formatPublicKey } from "#signing/public-key.ts";
import { type CommandResult, run } from "../harness/command.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { signedSample } from "../harness/host-world.ts";
import { CLI } from "../sessions/world.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

interface Status {
	readonly health: string;
	readonly functions: readonly {
		readonly bundle: string;
		readonly version: string;
		readonly sha256: string;
		readonly running: boolean;
		readonly verified: string | null;
		readonly programs: readonly { readonly id: number | null }[];
	}[];
	readonly drift: readonly { readonly kind: string; readonly scope: string | null }[];
}

interface Change {
	readonly recovered: boolean;
	readonly warnings: readonly string[];
	readonly functions: readonly { readonly bundle: string; readonly step: string }[];
}

interface TwoFunctions extends AsyncDisposable {
	readonly world: HostWorld;
	/** Runs a command that must succeed, and returns its document. */
	done(...args: string[]): Promise<Change>;
	status(): Promise<Status>;
}

/** flow-dissector 1.0.0 in one namespace, sample 1.0.0 in the other; sample-1.1.0.kfn lies there. */
async function twoFunctions(context: TestContext, purpose: string): Promise<TwoFunctions> {
	await skipUnlessKernel(context);
	await using stack = new AsyncDisposableStack();
	const world = stack.use(await openHostWorld(purpose));
	const done = async (...args: string[]) => {
		const { code, stdout, stderr } = await world.kfn(...args, "--json");
		expect(code, `${args.join(" ")}: ${stdout} ${stderr}`).toBe(0);
		return JSON.parse(stdout) as Change;
	};
	const key = await generateKeyPair("local");
	writeFileSync(join(world.folder, "local.key.pub"), `${formatPublicKey(key.publicKey)}\n`);
	for (const [version, offset] of [
		["1.0.0", 20],
		["1.1.0", 24],
	] as const)
		await laySample(world, key, version, offset);
	await done("trust", "add", "sample", "--key", "local.key.pub");
	await done("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	await done("install", "flow-dissector@1.0.0", "--scope", world.scope);
	await done("install", "sample-1.0.0.kfn", "--scope", `netns:${world.pair.left.netns.path}`);
	const status = async () => JSON.parse((await world.kfn("status", "--json")).stdout) as Status;
	const owned = stack.move();
	return { world, done, status, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function laySample(world: HostWorld, key: SecretKey, version: string, offset: number): Promise<void> {
	const sample = await signedSample({ version, offset, signers: [key] });
	writeFileSync(join(world.folder, `sample-${version}.kfn`), sample.archive);
}

const of = (status: Status, bundle: string) => status.functions.find((f) => f.bundle === bundle)!;

/** Damages what is stored of the flow dissector, or takes the trust in its publisher away. */
const SPOIL = {
	store: async ({ world, status }: TwoFunctions) => {
		const entry = join(world.root.state, "store", of(await status(), "flow-dissector").sha256);
		writeFileSync(join(entry, "obj/flow_dissector.bpf.o"), "not what was signed");
	},
	untrusted: async ({ done }: TwoFunctions) => {
		// The registry's map may still have its publisher; the operator's own word for the name comes first.
		await done("trust", "remove", "flow-dissector");
		await done("trust", "add", "flow-dissector", "--key", "local.key.pub");
	},
} as const;

/** The loader is killed when the link has turned, and so is the one that is to turn it back. */
function killedInTheMiddle(world: HostWorld, ...args: string[]): Promise<CommandResult> {
	const env = { ...world.env, KFN_LOADER: FAULTS, KFN_LOAD_FAULT: "linked:kill" };
	return run(CLI, args, { cwd: world.folder, env, allowFailure: true });
}

test.for(["store", "untrusted"] as const)(
	"it runs on untouched while others change, and status shows the drift: %s",
	async (how, context) => {
		await using two = await twoFunctions(context, `left${how}`);
		const { done, status } = two;
		await SPOIL[how](two);
		const before = of(await status(), "flow-dissector").programs;
		const report = await done("upgrade", "sample-1.1.0.kfn");
		expect(report.functions).toMatchObject([
			{ bundle: "sample", step: "replace" },
			{ bundle: "flow-dissector", step: "keep" },
		]);
		expect(report.warnings).toEqual([
			expect.stringContaining("keeps running as it is, but would not load again"),
		]);
		const after = await status();
		expect(of(after, "flow-dissector")).toMatchObject({
			running: true,
			verified: "loader",
			version: "1.0.0",
		});
		expect(of(after, "flow-dissector").programs).toEqual(before);
		expect(after).toMatchObject({ health: "drift", drift: [{ kind: how, scope: two.world.scope }] });
		await done("remove", "flow-dissector");
		expect(await status()).toMatchObject({
			health: "good",
			functions: [{ bundle: "sample", version: "1.1.0" }],
		});
		await done("remove", "sample");
	},
);

test.for([
	["store", "remove", "flow-dissector"],
	["store", "upgrade", "sample-1.1.0.kfn"],
	["untrusted", "rollback", "1"],
	["untrusted", "remove", "sample"],
] as const)(
	"after a loader killed in the middle of a swap, everything goes on: %s, %s",
	async (line, context) => {
		make("faults");
		const [how, ...command] = line;
		await using two = await twoFunctions(context, `kill${how}`);
		const { world, done, status } = two;
		const running = of(await status(), "flow-dissector").programs;
		await SPOIL[how](two);
		const killed = await killedInTheMiddle(world, "upgrade", "sample-1.1.0.kfn", "--json");
		expect(killed.code).toBe(70);
		expect((await status()).health).toBe("pending");
		const report = await done(...command);
		expect(report.recovered).toBe(true);
		expect(report.warnings).toContainEqual(expect.stringContaining("keeps running as it is"));
		const after = await status();
		expect(after.health).not.toBe("pending");
		if (command[1] !== "flow-dissector") expect(of(after, "flow-dissector").programs).toEqual(running);
		await done("rollback", "0");
	},
);

test("what does not run and cannot be proved is not loaded: nothing is attached, and the others go on", async (context) => {
	await using two = await twoFunctions(context, "notloaded");
	const { world, done, status } = two;
	await SPOIL.untrusted(two);
	// As a reboot would: the pins are gone, and with them the links and programs.
	rmSync(join(world.root.bpffs, "kfn/flow-dissector"), { recursive: true });
	const attached = () =>
		execFileSync("ip", ["netns", "exec", world.pair.right.netns.name, "bpftool", "net"], {
			encoding: "utf8",
		});
	await expect.poll(attached).not.toMatch(/id \d+/);
	const report = await done("upgrade", "sample-1.1.0.kfn");
	expect(report.functions).toMatchObject([
		{ bundle: "sample", step: "attach" },
		{ bundle: "flow-dissector", step: "refused" },
	]);
	expect(report.warnings).toEqual([expect.stringContaining("was not loaded")]);
	expect(attached()).not.toMatch(/id \d+/);
	expect(await status()).toMatchObject({
		functions: [
			{ bundle: "sample", running: true },
			{ bundle: "flow-dissector", running: false },
		],
	});
	await done("rollback", "0");
});
