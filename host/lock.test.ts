import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, expect, test } from "vitest";
import { endChild } from "#test/harness/command.ts";
import { openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { type HostLock, withLock } from "./lock.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

test("two at once: the second is told who is first, and can go once the first is done", async () => {
	using fake = openFakeHost(samples);
	await withLock(fake.host, "upgrade sample", async () => {
		const second = withLock(fake.host, "remove sample", () => "never");
		await expect(second).rejects.toMatchObject({
			code: "HOST_LOCKED",
			exit: 1,
			message: `process ${process.pid} is changing this host: upgrade sample`,
			details: { pid: process.pid, command: "upgrade sample", since: "2026-11-23T10:00:00.000Z" },
		});
	});
	expect(await withLock(fake.host, "remove sample", () => "now")).toBe("now");
});

test("two processes at once, and the lock dies with its holder", async () => {
	using fake = openFakeHost(samples);
	await fake.locked(() => undefined);
	// flock(1) stands for any other program that holds the lock.
	const other = spawn("flock", [fake.host.layout.lock, "sh", "-c", "echo held; read line"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	for await (const line of createInterface({ input: other.stdout })) {
		expect(line).toBe("held");
		break;
	}
	await expect(fake.locked(() => undefined)).rejects.toMatchObject({ code: "HOST_LOCKED" });
	other.stdin.end();
	await endChild(other);
	expect(await fake.locked(() => "free")).toBe("free");
});

test("a body that throws gives the lock back, and a lock that was given back is of no use", async () => {
	using fake = openFakeHost(samples);
	let kept: HostLock | undefined;
	const failing = fake.locked((lock) => {
		kept = lock;
		throw new Error("no");
	});
	await expect(failing).rejects.toThrow("no");
	expect(() => kept?.fd).toThrow(expect.objectContaining({ code: "HOST_LOCK_RELEASED", exit: 70 }));
	expect(await fake.locked(() => "free")).toBe("free");
});

test("purge race: a lock file that lost its name while it was being locked is not taken for the lock", async () => {
	using fake = openFakeHost(samples);
	const { loader, layout } = fake.host;
	let removed = 0;
	const racing = {
		...fake.host,
		loader: {
			...loader,
			async lock(fd: number) {
				if (removed++ === 0) rmSync(layout.state, { recursive: true });
				await loader.lock(fd);
			},
		},
	};
	await withLock(racing, "install", (lock) => {
		expect(removed).toBe(2);
		expect(readFileSync(layout.lock, "utf8")).toContain(`"pid":${process.pid}`);
		expect(existsSync(join(layout.state, "lock")) && lock.fd > 2).toBe(true);
	});
});
