// Whatever happens to a byte of what a host remembers of its registry, it refuses: never a fresh start, never an older state.
import {
	cpSync,
	lstatSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { makeKfnRepository, openTrustWorld, outcome, type TrustWorld } from "#test/harness/trust-world.ts";
import type { TufRepository } from "#test/harness/tuf-repository.ts";
import { codeOf } from "../errors.ts";
import { recoverTrust } from "./pinning.ts";
import { trustStatus } from "./report.ts";
import { readTrustState } from "./state.ts";

let repository: TufRepository;
let older: ReadonlyMap<string, Uint8Array>;

beforeAll(async () => {
	repository = await makeKfnRepository({ bins: 2 });
	older = repository.copyOfFiles();
	await repository.publish("flow-dissector/index.json", Buffer.from("[]"));
});

async function remembering(): Promise<TrustWorld> {
	const world = openTrustWorld(repository);
	await world.refresh();
	return world;
}

/** Every file on which the host's trust rests, as paths below the root. */
function rememberedFiles({ root, host }: TrustWorld): string[] {
	const set = host.layout.trustSet(readlinkSync(host.layout.trustCurrent).slice("sets/".length));
	const files = readdirSync(set).map((name) => join(set, name));
	return [...files, host.layout.trustMark, host.layout.trustRoot].map((path) => relative(root, path));
}

const REFUSALS = ["HOST_TRUST_DAMAGED", "HOST_TRUST_ROLLED_BACK"];

function refusalOf(world: TrustWorld): string {
	try {
		readTrustState(world.host);
		return "accepted";
	} catch (error) {
		return codeOf(error);
	}
}

describe("truncated trust folder", () => {
	test("every file at every byte, and every file without its place", async () => {
		using world = await remembering();
		const files = rememberedFiles(world);
		expect(files.map((path) => path.split("/").at(-1)).sort()).toEqual(
			[
				...["root.json", "publishers.json", "registry.json", "root.json", "set.json", "snapshot.json"],
				...["targets.json", "timestamp.json", "trust-mark.json"],
			].sort(),
		);
		let cuts = 0;
		for (const path of files.map((name) => join(world.root, name))) {
			const whole = readFileSync(path);
			for (let end = 0; end < whole.byteLength; end++) {
				writeFileSync(path, whole.subarray(0, end));
				expect(REFUSALS, `${path} cut at ${end}`).toContain(refusalOf(world));
				cuts++;
			}
			rmSync(path);
			expect(refusalOf(world), `${path} gone`).toBe("HOST_TRUST_DAMAGED");
			writeFileSync(path, whole);
			expect(refusalOf(world)).toBe("accepted");
		}
		expect(cuts).toBeGreaterThan(8000);
	});

	test("the link at every byte, without its place, and as something else than a link", async () => {
		using world = await remembering();
		const { trustCurrent } = world.host.layout;
		const target = readlinkSync(trustCurrent);
		for (let end = 1; end < target.length; end++) {
			rmSync(trustCurrent);
			symlinkSync(target.slice(0, end), trustCurrent);
			expect(refusalOf(world), target.slice(0, end)).toBe("HOST_TRUST_DAMAGED");
		}
		rmSync(trustCurrent);
		expect(refusalOf(world)).toBe("HOST_TRUST_DAMAGED");
		writeFileSync(trustCurrent, target);
		expect(refusalOf(world)).toBe("HOST_TRUST_DAMAGED");
		rmSync(trustCurrent);
		cpSync(join(world.host.layout.trustSets, target.slice(5)), trustCurrent, { recursive: true });
		expect(lstatSync(trustCurrent).isDirectory()).toBe(true);
		expect(refusalOf(world)).toBe("HOST_TRUST_DAMAGED");
		await recoverTrust(world.host, world.options);
		expect(refusalOf(world)).toBe("accepted");
	});

	test("a flipped bit of every byte", async () => {
		using world = await remembering();
		for (const path of rememberedFiles(world).map((name) => join(world.root, name))) {
			const whole = readFileSync(path);
			for (let at = 0; at < whole.byteLength; at++) {
				const flipped = Buffer.from(whole);
				flipped[at]! ^= 1 << (at % 8);
				writeFileSync(path, flipped);
				expect(REFUSALS, `${path} at ${at}`).toContain(refusalOf(world));
			}
			writeFileSync(path, whole);
		}
	});

	test("no older repository is taken for it, and nothing is even asked of one", async () => {
		for (const name of ["trust-mark.json", "timestamp.json", "set.json", "root.json"]) {
			using world = await remembering();
			const path = rememberedFiles(world).find((file) => file.endsWith(name))!;
			writeFileSync(join(world.root, path), "");
			world.files = older;
			world.asked.length = 0;
			expect(REFUSALS).toContain(await outcome(world.refresh()));
			expect(world.asked).toEqual([]);
			expect(trustStatus(world.host)).toMatchObject({
				state: "damaged",
				problem: { code: expect.stringMatching(/^HOST_TRUST_/) },
			});
		}
	});
});

describe("restored from an old copy", () => {
	test("the folder of sets without the mark", async () => {
		using world = openTrustWorld(repository);
		world.files = older;
		await world.refresh();
		const { trustSets, trustCurrent } = world.host.layout;
		const tuf = join(trustSets, "..");
		cpSync(tuf, `${tuf}.old`, { recursive: true, verbatimSymlinks: true });
		world.files = repository.files;
		await world.refresh();
		rmSync(tuf, { recursive: true });
		renameSync(`${tuf}.old`, tuf);
		expect(readlinkSync(trustCurrent)).toMatch(/^sets\/1-/);
		expect(await outcome(world.refresh())).toBe("HOST_TRUST_ROLLED_BACK");
	});

	test("the folder of sets is gone, the mark is not", async () => {
		using world = await remembering();
		rmSync(join(world.host.layout.trustSets, ".."), { recursive: true });
		expect(await outcome(world.refresh())).toBe("HOST_TRUST_DAMAGED");
	});

	test("another pinned root than the one from which all was verified", async () => {
		using world = await remembering();
		const other = await makeKfnRepository({ bins: 2 });
		writeFileSync(world.host.layout.trustRoot, other.root);
		world.files = other.files;
		expect(await outcome(world.refresh())).toBe("HOST_TRUST_DAMAGED");
	});
});

describe("kfn trust recover", () => {
	test("takes what is at least as new as the mark, and nothing older", async () => {
		for (const name of ["timestamp.json", "set.json", "targets.json"]) {
			using world = await remembering();
			const path = rememberedFiles(world).find((file) => file.endsWith(name))!;
			writeFileSync(join(world.root, path), "{");
			world.files = older;
			expect(await outcome(recoverTrust(world.host, world.options))).toBe("HOST_TRUST_ROLLED_BACK");
			expect(refusalOf(world)).toBe("HOST_TRUST_DAMAGED");
			world.files = repository.files;
			await recoverTrust(world.host, world.options);
			expect(refusalOf(world)).toBe("accepted");
			expect(readTrustState(world.host).set!.number).toBe(2);
			await world.refresh();
		}
	});

	test("makes a damaged mark again from a sound set, and holds the registry against it", async () => {
		using world = await remembering();
		writeFileSync(world.host.layout.trustMark, "");
		world.files = older;
		expect(await outcome(recoverTrust(world.host, world.options))).toBe("HOST_TRUST_ROLLED_BACK");
		world.files = repository.files;
		await recoverTrust(world.host, world.options);
		expect(refusalOf(world)).toBe("accepted");
	});

	test("with neither mark nor set left, there is nothing to hold the registry against", async () => {
		using world = await remembering();
		writeFileSync(world.host.layout.trustMark, "");
		rmSync(join(world.host.layout.trustSets, ".."), { recursive: true });
		expect(await outcome(recoverTrust(world.host, world.options))).toBe("HOST_TRUST_DAMAGED");
	});
});
