// The demo's steps, one function each, in the order in which they are shown. Each checks what it shows.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { PROBE, watchHook } from "../harness/hash-oracle.ts";
import { startSniffer } from "../harness/sniff.ts";
import { encapsulatedFrames, sendFrames, sendTcp, startFrames, startTcp } from "../harness/traffic.ts";
import { command, demand, output, result } from "./show.ts";
import { TOP, type World } from "./world.ts";

const TCP_BYTES = 256 * 1024;
const FRAMES_PER_SECOND = 20_000;

interface Built {
	readonly name: string;
	readonly version: string;
	readonly tag: string;
	readonly file: string;
}

interface Change {
	readonly functions: readonly { step: string; nanoseconds: number | null }[];
	readonly health: { readonly seconds: number; readonly counters: readonly { runs: number | null }[] } | null;
}

/** Builds 1.0.0, which is the package with the patch that takes its last fix back, and 1.0.1; recomputes the tag. */
export async function buildBundles({ folder, kfn }: World): Promise<void> {
	await kfn.show(["key", "generate", "--out", "publisher.key", "--comment", "demo publisher"]);
	const { after } = await layDissectorVersions(folder);
	await kfn.show(["build", "packages/flow-dissector", "--key", "publisher.key"]);
	const built = await kfn.json<Built>(["build", after, "--key", "publisher.key"]);
	demand(built.version === "1.0.1", "the package in the repository is 1.0.1");
	const tag = (await kfn.json<{ tag: string }>(["tag", "flow-dissector-1.0.0.kfn"])).tag;
	const shell = `mkdir 1.0.0 && tar --zstd -xf flow-dissector-1.0.0.kfn -C 1.0.0 && cd 1.0.0 &&
sha256sum $(find src -type f | LC_ALL=C sort) | sha256sum`;
	command("tar --zstd -xf flow-dissector-1.0.0.kfn -C 1.0.0; cd 1.0.0");
	command("sha256sum $(find src -type f | LC_ALL=C sort) | sha256sum");
	const { stdout } = await run("sh", ["-c", shell], { cwd: folder });
	output(stdout);
	demand(tag === `kfn1:${stdout.split(" ")[0]}`, "coreutils compute another tag");
	result("coreutils alone compute the same tag");
}

export async function publishFirst(world: World): Promise<void> {
	const url = await world.startRegistry();
	output(`registry on ${url}`);
	const args = ["registry", "token", "create", "--data", "registry", "--label", "demo", "--names", "flow-*"];
	const { token } = await world.kfn.json<{ token: string }>(args);
	command(`kfn ${args.join(" ")}`);
	output(`${token.slice(0, 8)}… (shown once; the registry keeps its hash)`);
	world.kfn.env["KFN_TOKEN"] = token;
	await world.kfn.show(["publish", "flow-dissector-1.0.0.kfn"]);
}

export async function installFirst({ kfn, scope }: World): Promise<void> {
	await kfn.show(["install", "flow-dissector", "--scope", scope], 3);
	result("the registry's root is not pinned, so nothing of the registry is believed");
	await kfn.show(["trust", "root", "pin", "1.root.json"]);
	await kfn.show(["install", "flow-dissector", "--scope", scope]);
	result("its metadata is verified now: the targets signers allow the publisher's key for this name");
	await kfn.show(["status"]);
}

/** Sends real traffic over the wire, captures what arrives and shows the flows that the installed program sees. */
export async function dissectTraffic(world: World): Promise<void> {
	const { pair, folder, kfn } = world;
	const frames = encapsulatedFrames(pair);
	await using sniffer = await startSniffer(pair.right);
	const v4 = await sendTcp(pair, "ipv4", TCP_BYTES);
	const v6 = await sendTcp(pair, "ipv6", TCP_BYTES);
	demand(v4.received === TCP_BYTES && v6.received === TCP_BYTES, "TCP lost bytes");
	await sendFrames(
		pair.left,
		frames.map(({ bytes }) => bytes),
	);
	const { file, packets } = await sniffer.stop();
	writeFileSync(join(folder, "traffic.pcap"), file);
	output(
		`${packets.length} packets captured: TCP over IPv4 and IPv6, and ${frames.length} VLAN and GRE frames`,
	);
	await kfn.show(["dissect", "traffic.pcap"]);
	result("GRE with a key: 1.0.0 sees the tunnel, not the flows in it");
}

/** Upgrades while frames and a TCP connection run, and counts packets that no program of ours dissected. */
export async function upgradeUnderTraffic(world: World): Promise<void> {
	const { pair, kfn, scope } = world;
	await kfn.show(["publish", "flow-dissector-1.0.1.kfn"]);
	const watch = await watchHook(pair.right);
	const stream = await startTcp(pair, "ipv4");
	const replay = await startFrames(pair.left, PROBE, FRAMES_PER_SECOND);
	const change = await kfn.json<Change>(["upgrade", "flow-dissector", "--scope", scope]);
	await replay.stop();
	const tcp = await stream.stop();
	const seen = await watch.counts();
	const [swapped] = change.functions;
	command(`kfn upgrade flow-dissector --scope ${scope}`);
	demand(swapped?.step === "replace", "the upgrade was not a swap");
	output(
		`one BPF_LINK_UPDATE, ${((swapped.nanoseconds ?? 0) / 1000).toFixed(1)} µs, while ${seen.total} packets arrived`,
	);
	const watched = change.health?.counters[0]?.runs;
	demand(watched === null || (watched ?? 0) > 0, "the health window saw no run of the new program");
	output(
		`watched for ${change.health?.seconds} s before it counted: ${watched ?? "uncounted"} runs, nothing bad`,
	);
	demand(tcp.received === tcp.sent, "TCP lost bytes during the upgrade");
	demand(seen.bpf > 0 && seen.c === 0, `${seen.c} of ${seen.bpf + seen.c} packets met no program`);
	result(
		`${seen.bpf} packets checked by their flow hash: 0 without a program; TCP carried ${tcp.received} bytes unharmed`,
	);
	await kfn.show(["dissect", "traffic.pcap"]);
	result("the same capture with 1.0.1: the flows inside the keyed tunnels are there");
}

/** Changes one byte of the stored object: both the command line and the loader must refuse it. */
export async function tamper(world: World): Promise<void> {
	const { root, kfn } = world;
	const stored = join(root.state, "store");
	const current = await kfn.json<{ functions: { sha256: string }[] }>(["status"]);
	const object = join(stored, current.functions[0]!.sha256, "obj/flow_dissector.bpf.o");
	const bytes = readFileSync(object);
	bytes[100]! ^= 1;
	writeFileSync(object, bytes);
	output(
		`one bit of ${object.slice(root.state.length + 1, root.state.length + 20)}…/obj/flow_dissector.bpf.o flipped`,
	);
	const { stderr } = await kfn.show(["verify"], 3);
	demand(stderr.includes("obj/flow_dissector.bpf.o"), "verify did not name the file");
	result("verify names the file and exits with 3");
	command("kfn-load check var/lib/kfn/current/plan.json");
	const args = ["--root", root.path, "check", join(root.state, "current/plan.json")];
	const answer = await run(join(TOP, "build/kfn-load"), args, { allowFailure: true });
	const { error } = JSON.parse(answer.stdout) as { error: { code: string; message: string } };
	output(`${error.code}: ${error.message}`);
	demand(answer.code === 3, `the loader exited with ${answer.code}`);
	result("the loader refuses to load it");
}

export async function leaveNothing(world: World): Promise<void> {
	const { kfn, root, scope, pair } = world;
	await kfn.show(["rollback"]);
	const { functions } = await kfn.json<{ functions: { version: string; running: boolean }[] }>(["status"]);
	demand(functions[0]?.version === "1.0.0" && functions[0].running, "rollback did not bring 1.0.0 back");
	result("1.0.0 runs again");
	await kfn.show(["remove", "flow-dissector", "--scope", scope, "--purge"]);
	const { stdout } = await pair.right.netns.run("bpftool", ["net"]);
	demand(!/flow_dissector:\s+id \d+/.test(stdout), "a program is still attached");
	demand(!existsSync(root.pins), "pins are left in bpffs");
	// What the host has seen of its registry outlives a purge: forgetting it would let an older registry in.
	const left = readdirSync(root.state).filter((name) => name !== "tuf" && name !== "trust-mark.json");
	demand(left.length === 0, `files left below var/lib/kfn: ${left.join(", ")}`);
	result(
		"nothing is left in bpffs, in the namespace, or on disk (but whom this host trusts, and what it saw)",
	);
}
