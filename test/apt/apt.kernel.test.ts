import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../harness/command.ts";
import { haveRoot, skipUnless } from "../harness/feature.ts";
import { openAptHost } from "./host.ts";
import { openAptRepository, type PackageSpec } from "./repository.ts";

beforeEach((context) => skipUnless(context, haveRoot()));

const PATH = "/usr/lib/kfn-test/payload.bin";

function payload(version: string, fill: string): PackageSpec {
	return { name: "kfn-bench-payload", version, files: { [PATH]: Buffer.alloc(50_000, fill) } };
}

describe("a local apt repository", () => {
	it("is installed from, upgraded from and purged, in a throw-away system only", async () => {
		const before = statSync("/var/lib/dpkg/status").mtimeMs;
		await using repository = await openAptRepository([payload("1.0.0", "a")]);
		await using host = await openAptHost(repository);
		await host.update();
		await host.install("kfn-bench-payload");
		expect(readFileSync(join(host.path, PATH))).toEqual(Buffer.alloc(50_000, "a"));
		expect(await host.installed("kfn-bench-payload")).toBe("1.0.0");

		await repository.add([payload("1.0.1", "b")]);
		await host.update();
		await host.install("kfn-bench-payload");
		expect(readFileSync(join(host.path, PATH))).toEqual(Buffer.alloc(50_000, "b"));
		expect(await host.installed("kfn-bench-payload")).toBe("1.0.1");
		expect(repository.requests).toBeGreaterThanOrEqual(4);

		await host.purge("kfn-bench-payload");
		expect(existsSync(join(host.path, PATH))).toBe(false);
		expect(await host.installed("kfn-bench-payload")).toBeUndefined();
		expect(existsSync(PATH)).toBe(false);
		expect((await run("dpkg-query", ["-W", "kfn-bench-payload"], { allowFailure: true })).code).not.toBe(0);
		expect(statSync("/var/lib/dpkg/status").mtimeMs).toBe(before);
	});

	it("wrong key: apt refuses an index that another key signed, so its signatures are really verified", async () => {
		await using repository = await openAptRepository([payload("1.0.0", "a")]);
		await using other = await openAptRepository([]);
		await using host = await openAptHost({
			source: repository.source.replace(repository.keyring, other.keyring),
		});
		await expect(host.update()).rejects.toThrow(/NO_PUBKEY|not signed/);
		await expect(host.install("kfn-bench-payload")).rejects.toThrow(/Unable to locate/);
	});

	it("installs a version by name", async () => {
		await using repository = await openAptRepository([payload("1.0.0", "a"), payload("1.0.1", "b")]);
		await using host = await openAptHost(repository);
		await host.update();
		await host.install("kfn-bench-payload", "1.0.0");
		expect(await host.installed("kfn-bench-payload")).toBe("1.0.0");
	});

	it("leaves no folder and no gpg-agent behind", async () => {
		await using repository = await openAptRepository([payload("1.0.0", "a")]);
		await using host = await openAptHost(repository);
		await host.update();
		await host[Symbol.asyncDispose]();
		await repository[Symbol.asyncDispose]();
		const mine = readdirSync(tmpdir()).filter((name) =>
			new RegExp(`^kfn-apt-(host-)?${process.pid}-`).test(name),
		);
		expect(mine).toEqual([]);
		const { stdout } = await run("ps", ["-eo", "args"]);
		expect(stdout).not.toContain(`kfn-apt-${process.pid}-`);
	});
});
