import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run, waitForLine } from "./command.ts";
import { skipUnlessKernel } from "./feature.ts";
import { listNamespaces, openNamespace, sweepNamespaces } from "./namespace.ts";
import { mountsBelow, openRoot, sweepRoots } from "./root.ts";
import { openVethPair } from "./veth.ts";

beforeEach(async (context) => {
	await skipUnlessKernel(context);
});

const harness = import.meta.dirname;

/** A process that makes a veth pair and a root, says where, and then waits to be ended. */
function startHolder() {
	const script = `
		import { openVethPair } from ${JSON.stringify(join(harness, "veth.ts"))};
		import { openRoot } from ${JSON.stringify(join(harness, "root.ts"))};
		const lab = await openVethPair("holder");
		const root = await openRoot("holder");
		lab.left.netns.spawn("sleep", ["1000"]);
		console.log(JSON.stringify({ names: [lab.left.netns.name, lab.right.netns.name], root: root.path }));
		process.stdin.resume();`;
	return spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
		stdio: ["pipe", "pipe", "inherit"],
	});
}

async function heldBy(child: ReturnType<typeof startHolder>) {
	const line = await waitForLine(child, /^\{/);
	return JSON.parse(line) as { names: string[]; root: string };
}

describe("namespaces", () => {
	it("carry the purpose and the process in their name and are gone after disposal", async () => {
		let name: string;
		{
			await using netns = await openNamespace("short");
			name = netns.name;
			expect(name).toMatch(new RegExp(`^kfn-short-${process.pid}-\\d+$`));
			expect(listNamespaces()).toContain(name);
			const { stdout } = await netns.run("stat", ["-Lc", "%i", "/proc/self/ns/net"]);
			expect(Number(stdout)).toBe(netns.inode);
			const own = await run("stat", ["-Lc", "%i", "/proc/self/ns/net"]);
			expect(Number(own.stdout)).not.toBe(netns.inode);
		}
		expect(listNamespaces()).not.toContain(name);
	});

	it("end the processes started in them", async () => {
		const netns = await openNamespace("holds");
		const child = netns.spawn("sleep", ["1000"], { stdio: "ignore" });
		await once(child, "spawn");
		await netns[Symbol.asyncDispose]();
		expect(child.exitCode ?? child.signalCode).not.toBeNull();
	});

	it("set sysctls inside themselves only", async () => {
		const read = () => run("cat", ["/proc/sys/net/ipv4/ip_default_ttl"]);
		const before = (await read()).stdout;
		await using netns = await openNamespace("sysctl");
		await netns.sysctl("net.ipv4.ip_default_ttl", "77");
		expect((await netns.run("cat", ["/proc/sys/net/ipv4/ip_default_ttl"])).stdout).toBe("77\n");
		expect((await read()).stdout).toBe(before);
		await expect(netns.sysctl("kernel.panic", "1")).rejects.toThrow(/not a sysctl of a network namespace/);
	});

	it("refuse a purpose that is not a plain word", async () => {
		await expect(openNamespace("../eth0")).rejects.toThrow(/purpose/);
	});

	it("let a failing command inside fail", async () => {
		await using netns = await openNamespace("fails");
		await expect(netns.run("false")).rejects.toThrow(/exit 1/);
	});
});

describe("a veth pair", () => {
	it.each(["ipv4", "ipv6"] as const)("carries real TCP over %s as soon as it is returned", async (family) => {
		await using lab = await openVethPair("tcp");
		const script = `require("net").createServer((s) => s.end("hello")).listen(7, () => console.log("listening"))`;
		const server = lab.right.netns.spawn(process.execPath, ["-e", script]);
		await waitForLine(server, /listening/);
		const get = `require("net").connect(7, process.argv[1]).pipe(process.stdout)`;
		const { stdout } = await lab.left.netns.run(process.execPath, ["-e", get, lab.right[family]]);
		expect(stdout).toBe("hello");
	});

	it("leaves the root namespace's links, addresses and routes as they were", async () => {
		const observe = async () => {
			const [links, routes] = await Promise.all([
				run("ip", ["address"]),
				run("ip", ["route", "show", "table", "all"]),
			]);
			return `${links.stdout.replaceAll(/(valid|preferred)_lft \S+/g, "")}${routes.stdout.replaceAll(/expires \S+/g, "")}`;
		};
		const before = await observe();
		await using lab = await openVethPair("island");
		expect(await observe()).toBe(before);
		expect(before).not.toContain(lab.left.device);
	});

	it("carries the test's packets and no others", async () => {
		await using lab = await openVethPair("quiet");
		const send = `const s = require("dgram").createSocket("udp4"); s.send("x", 9, process.argv[1], () => s.close())`;
		for (let n = 0; n < 5; n++) await lab.left.netns.run(process.execPath, ["-e", send, lab.right.ipv4]);
		const { stdout } = await lab.right.netns.run("ip", ["-j", "-s", "link", "show", lab.right.device]);
		expect((JSON.parse(stdout) as { stats64: { rx: { packets: number } } }[])[0]?.stats64.rx.packets).toBe(5);
	});
});

describe("a KFN root", () => {
	it("has a bpffs of its own that is unmounted and removed", async () => {
		let path: string;
		{
			await using root = await openRoot("own");
			path = root.path;
			expect((await run("stat", ["-fc", "%t", root.bpffs])).stdout.trim()).toBe("cafe4a11");
			expect(existsSync(join(root.etc, "trust"))).toBe(true);
			expect(existsSync(root.pins)).toBe(false);
		}
		expect(existsSync(path)).toBe(false);
		expect(mountsBelow(path)).toEqual([]);
	});

	it("mounts nothing when only folders are asked for", async () => {
		await using root = await openRoot("plain", { bpffs: false });
		expect(mountsBelow(root.path)).toEqual([]);
		expect(existsSync(root.bpffs)).toBe(true);
	});
});

describe("leftovers", () => {
	it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
		"are none when a process is ended by %s",
		async (signal) => {
			const holder = startHolder();
			const held = await heldBy(holder);
			expect(listNamespaces()).toEqual(expect.arrayContaining(held.names));
			holder.kill(signal);
			const [, endedBy] = await once(holder, "exit");
			expect(endedBy).toBe(signal);
			for (const name of held.names) expect(listNamespaces()).not.toContain(name);
			expect(existsSync(held.root)).toBe(false);
			expect(mountsBelow(held.root)).toEqual([]);
		},
	);

	it("of a killed process are swept, those of a living one are not", async () => {
		const dead = startHolder();
		const alive = startHolder();
		const [deadHeld, aliveHeld] = await Promise.all([heldBy(dead), heldBy(alive)]);
		dead.kill("SIGKILL");
		await once(dead, "exit");
		expect(listNamespaces()).toEqual(expect.arrayContaining(deadHeld.names));
		expect(sweepNamespaces(true)).toEqual(expect.arrayContaining(deadHeld.names));
		sweepRoots(true);
		expect(existsSync(deadHeld.root)).toBe(false);
		expect(listNamespaces()).toEqual(expect.arrayContaining(aliveHeld.names));
		expect(mountsBelow(aliveHeld.root)).toHaveLength(1);
		alive.kill("SIGTERM");
		await once(alive, "exit");
		for (const name of [...deadHeld.names, ...aliveHeld.names]) expect(listNamespaces()).not.toContain(name);
	});
});
