// kfn-load watch on a real kernel: answers are counted by class while it lives, and nothing of it stays.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Json, LOADER, make, PACKET, pinDir, Rig, sourceOf, vectorLine } from "./fixture.ts";

const FN = "flow-dissector";
let rig: Rig;

beforeAll(() => make("all"));
beforeEach(() => {
	rig = new Rig();
	rig.mountBpffs();
});
afterEach(() => rig.dispose());

interface Watch {
	/** Ends it and gives its answer. */
	end(): Promise<Json>;
	kill(): Promise<void>;
}

/** Starts watching and waits until the counters hang. */
async function watch(...scopes: string[]): Promise<Watch> {
	const args = ["--root", rig.root, "watch", ...scopes.flatMap((scope) => [FN, scope])];
	const child = spawn(LOADER, args, { stdio: ["pipe", "pipe", "inherit"] });
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const next = async () => JSON.parse((await lines.next()).value ?? "{}") as Json;
	const closed = once(child, "close");
	expect(await next()).toEqual({ watching: scopes.length });
	return {
		async end() {
			child.stdin.end();
			const answer = await next();
			await closed;
			return answer;
		},
		async kill() {
			child.kill("SIGKILL");
			await closed;
		},
	};
}

/** Answers by the packet's ethertype: as the number says, so that a test chooses the answer of each packet. */
const CHOOSES = "return skb->flow_keys->n_proto == 0xb588 ? 0 : skb->flow_keys->n_proto;";

function frame(answer: number): Buffer {
	const bytes = Buffer.from(PACKET);
	bytes.writeUInt16LE(answer, 12);
	return bytes;
}

function run(scope: string, frames: readonly Buffer[]): void {
	const input = frames.flatMap((bytes) => {
		const head = Buffer.alloc(8);
		head.writeUInt32LE(bytes.length);
		return [head, bytes];
	});
	expect(rig.run(["replay", FN, scope], { input: Buffer.concat(input) }).code).toBe("ok");
}

const programs = () => execFileSync("bpftool", ["prog", "list"], { encoding: "utf8" });

/**
 * Answers by class, where this kernel lets a program hang on another; test/vm has kernels that do. One that does not must
 * be the reason that the loader gives, word for word.
 */
function counted(answer: Json, verdicts: readonly Json[]): void {
	const seen = answer["functions"] as { verdicts: Json | null; reason: string | null }[];
	const refused = seen.every(
		({ reason }) => reason === "the kernel does not load the counter: Operation not permitted",
	);
	if (refused && fexitRefused()) expect(seen).toMatchObject(verdicts.map(() => ({ verdicts: null })));
	else expect(seen).toMatchObject(verdicts.map((wanted) => ({ verdicts: wanted, reason: null })));
}

/** Whether even an empty fexit of the kernel's own vfs_fsync is refused. */
function fexitRefused(): boolean {
	const object = join(rig.root, "fexit.o");
	const source = `#define SEC(n) __attribute__((section(n), used))
SEC("license") const char _license[] = "GPL";
SEC("fexit/vfs_fsync") int nothing(unsigned long long *context) { return 0; }
`;
	const flags = ["-target", "bpf", "-O2", "-g", "-nostdinc", "-x", "c", "-c", "-o", object, "-"];
	execFileSync("clang-19", flags, { input: source });
	const pin = join(rig.root, "sys/fs/bpf/fexit");
	return spawnSync("bpftool", ["prog", "load", object, pin], { stdio: "pipe" }).status !== 0;
}

test("answers are counted by what the hook makes of them, runs beside them", async () => {
	const blue = rig.namespace("blue");
	const bundle = rig.bundle({ body: CHOOSES, vectors: vectorLine(0) });
	expect(rig.apply([bundle.planned(blue)]).code).toBe("ok");
	run(blue, [PACKET]);
	const watched = await watch(blue);
	run(blue, [PACKET, PACKET, PACKET, frame(2), frame(2), frame(129), frame(7)]);
	const answer = await watched.end();
	expect(answer).toMatchObject({ ok: true, functions: [{ function: FN, scope: blue, runs: 7 }] });
	counted(answer, [{ ok: 3, drop: 2, continue: 1, other: 1 }]);
});

test("two programs are counted apart, and each as it was when the watching began", async () => {
	const [blue, red] = [rig.namespace("blue"), rig.namespace("red")];
	const bundles = [rig.bundle({ mark: 1 }), rig.bundle({ mark: 2 })] as const;
	expect(rig.apply([bundles[0].planned(blue), bundles[1].planned(red)]).code).toBe("ok");
	const watched = await watch(blue, red);
	run(blue, [PACKET]);
	run(red, [PACKET, PACKET]);
	expect(rig.apply([bundles[0].planned(blue), rig.bundle({ mark: 3 }).planned(red)]).code).toBe("ok");
	run(red, [PACKET]);
	const answer = await watched.end();
	expect(answer["functions"]).toMatchObject([
		{ scope: blue, runs: 1 },
		{ scope: red, runs: 2 },
	]);
	counted(answer, [{ ok: 1 }, { ok: 2 }]);
});

test("scopes that share a program are counted together", async () => {
	const [blue, red] = [rig.namespace("blue"), rig.namespace("red")];
	const bundle = rig.bundle({ mark: 1 });
	expect(rig.apply([bundle.planned(blue), bundle.planned(red)]).code).toBe("ok");
	const watched = await watch(blue, red);
	run(blue, [PACKET]);
	run(red, [PACKET, PACKET]);
	const answer = await watched.end();
	expect(answer["functions"]).toMatchObject([
		{ scope: blue, runs: 3 },
		{ scope: red, runs: 3 },
	]);
	counted(answer, [{ ok: 3 }, { ok: 3 }]);
});

test("nothing of it stays, also after a kill, and the next one counts from zero", async () => {
	const blue = rig.namespace("blue");
	expect(rig.apply([rig.bundle({ mark: 1 }).planned(blue)]).code).toBe("ok");
	const watched = await watch(blue);
	run(blue, [PACKET]);
	await watched.kill();
	// The kernel frees a program in a worker of its own, some time after its last descriptor is closed.
	await expect.poll(programs, { timeout: 20_000 }).not.toContain("name kfn_counter");
	const again = await watch(blue);
	run(blue, [PACKET]);
	const answer = await again.end();
	expect(answer["functions"]).toMatchObject([{ runs: 1 }]);
	counted(answer, [{ ok: 1 }]);
	expect(readdirSync(pinDir(rig, FN, blue)).toSorted()).toEqual(["link", "prog"]);
});

test("a program without BTF: runs are counted, answers are not, and the reason is said", async () => {
	const blue = rig.namespace("blue");
	const file = join(rig.root, "plain.o");
	const include = join(import.meta.dirname, "../../packages/_include");
	const flags = [
		"-target",
		"bpf",
		"-mcpu=v3",
		"-O2",
		"-nostdinc",
		"-I",
		include,
		"-x",
		"c",
		"-c",
		"-o",
		file,
		"-",
	];
	execFileSync("clang-19", flags, { input: sourceOf({ mark: 1 }) });
	expect(rig.apply([rig.bundle({ object: readFileSync(file) }).planned(blue)]).code).toBe("ok");
	const watched = await watch(blue);
	run(blue, [PACKET]);
	expect((await watched.end())["functions"]).toMatchObject([
		{ runs: 1, verdicts: null, reason: expect.stringContaining("no BTF") },
	]);
});

test("what is not active cannot be watched", () => {
	expect(rig.run(["watch", FN, rig.namespace("blue")]).code).toBe("LOAD_NOT_ACTIVE");
	expect(rig.run(["watch", FN]).code).toBe("LOAD_USAGE");
	expect(rig.run(["watch", "Not a name", "netns:root"]).code).toBe("LOAD_USAGE");
});
