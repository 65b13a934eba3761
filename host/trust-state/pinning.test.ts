// Pinning a root, and the floors below which no version goes.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "#bundle/digest.ts";
import {
	daysLater,
	makeKfnRepository,
	NOW,
	openTrustWorld,
	outcome,
	writePolicy,
} from "#test/harness/trust-world.ts";
import type { TufRepository } from "#test/harness/tuf-repository.ts";
import { faultAt } from "../faults.ts";
import { withLock } from "../lock.ts";
import { demandStillListed, floorAbove, isNewlySeen, noteSeen, raiseFloor } from "./floors.ts";
import { readMark } from "./mark.ts";
import { fetchRootOf, pinRoot, recoverTrust } from "./pinning.ts";
import { trustStatus } from "./report.ts";

let repository: TufRepository;
let other: TufRepository;
beforeAll(async () => {
	repository = await makeKfnRepository({ bins: 2 });
	other = await makeKfnRepository({ bins: 2 });
});

describe("kfn trust root pin", () => {
	const pinIn = (world: ReturnType<typeof openTrustWorld>, bytes: Uint8Array, replace = false) =>
		withLock(world.host, "test", (lock) => pinRoot(lock, bytes, { replace }));

	test("keeps the exact bytes, once", async () => {
		using world = openTrustWorld(repository);
		rmSync(world.host.layout.trustRoot);
		expect(await pinIn(world, repository.root)).toMatchObject({ changed: true, pin: { by: "operator" } });
		expect(readFileSync(world.host.layout.trustRoot)).toEqual(Buffer.from(repository.root));
		expect(await pinIn(world, repository.root)).toMatchObject({ changed: false });
	});

	test("another root needs --replace, which forgets all that was seen of the former registry", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		expect(await outcome(pinIn(world, other.root))).toBe("HOST_TRUST_PINNED");
		rmSync(world.host.layout.trustRoot);
		expect(await outcome(pinIn(world, other.root))).toBe("HOST_TRUST_PINNED");
		await pinIn(world, other.root, true);
		expect(trustStatus(world.host)).toMatchObject({
			state: "unread",
			pinned: { fingerprint: sha256(other.root) },
		});
		expect(existsSync(world.host.layout.trustSets)).toBe(false);
		world.files = other.files;
		await world.refresh();
	});

	test("--replace that was interrupted is finished by running it again", async () => {
		const points = async () => {
			using world = openTrustWorld(repository);
			await world.refresh();
			const door = faultAt(0, "fail");
			await withLock(world.withFaults(door), "test", (lock) => pinRoot(lock, other.root, { replace: true }));
			return door.passed.length;
		};
		const count = await points();
		expect(count).toBeGreaterThan(8);
		for (let at = 1; at <= count; at++) {
			using world = openTrustWorld(repository);
			await world.refresh();
			const broken = world.withFaults(faultAt(at, "fail-after"));
			await outcome(withLock(broken, "test", (lock) => pinRoot(lock, other.root, { replace: true })));
			await pinIn(world, other.root, true);
			expect(trustStatus(world.host).state, `point ${at}`).toBe("unread");
			world.files = other.files;
			await world.refresh();
		}
	});

	test("--replace with the same root begins anew only where what is remembered cannot be used", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		const { trustMark, trustSets, trustCurrent } = world.host.layout;
		const mark = readFileSync(trustMark);
		expect(await pinIn(world, repository.root, true)).toMatchObject({ changed: false });
		expect(readFileSync(trustMark)).toEqual(mark);
		const damages = [
			() => writeFileSync(trustMark, ""),
			() => rmSync(trustMark),
			() => rmSync(trustSets, { recursive: true }),
			() => rmSync(trustCurrent),
		];
		for (const damage of damages) {
			damage();
			expect(trustStatus(world.host).state).toBe("damaged");
			expect(await pinIn(world, repository.root)).toMatchObject({ changed: false });
			expect(await pinIn(world, repository.root, true)).toMatchObject({ changed: true });
			expect(trustStatus(world.host).state).toBe("unread");
			await world.refresh();
		}
	});

	test("a root that its own keys did not sign, or that is none, is not pinned", async () => {
		using world = openTrustWorld(repository);
		rmSync(world.host.layout.trustRoot);
		const file = JSON.parse(Buffer.from(repository.root).toString());
		const short = Buffer.from(JSON.stringify({ ...file, signatures: file.signatures.slice(0, 1) }));
		expect(await outcome(pinIn(world, short))).toBe("TRUST_SIGNATURES");
		expect(await outcome(pinIn(world, repository.file("metadata/timestamp.json")))).toBe("TRUST_MALFORMED");
		expect(existsSync(world.host.layout.trustRoot)).toBe(false);
	});

	test("a fingerprint finds its root among those that a registry serves, and no other", async () => {
		using world = openTrustWorld(repository);
		await repository.signRoot();
		const { options } = world;
		expect(await fetchRootOf(sha256(repository.root), options)).toEqual(repository.root);
		expect(await outcome(fetchRootOf(sha256(other.root), options))).toBe("HOST_TRUST_FINGERPRINT");
	});
});

test("kfn trust recover takes expired metadata as far as policy allows, as every read does", async () => {
	using world = openTrustWorld(repository);
	await world.refresh();
	rmSync(world.host.layout.trustSets, { recursive: true });
	world.now = daysLater(9);
	const recover = () => outcome(recoverTrust(world.host, world.options));
	expect(await recover()).toBe("TRUST_EXPIRED");
	writePolicy(world.root, 30);
	expect(await recover()).toBe("accepted");
	expect(trustStatus(world.host)).toMatchObject({ state: "suspended" });
	expect(readMark(world.host).time).toBe(NOW.toISOString());
});

describe("floors", () => {
	test("the highest version that came through the registry is the lowest that may come", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		const { host } = world;
		expect(floorAbove(host, "flow-dissector", "0.1.0")).toBeUndefined();
		for (const version of ["1.10.0", "1.9.0"]) {
			await withLock(host, "test", (lock) => raiseFloor(lock, { name: "flow-dissector", version }));
		}
		expect(readMark(host).bundles["flow-dissector"]).toEqual({ floor: "1.10.0", seen: null });
		expect(floorAbove(host, "flow-dissector", "1.9.0")).toBe("1.10.0");
		expect(floorAbove(host, "flow-dissector", "1.10.0")).toBeUndefined();
		expect(floorAbove(host, "gro", "0.1.0")).toBeUndefined();
		await world.refresh();
		expect(readMark(host).bundles["flow-dissector"]!.floor).toBe("1.10.0");
	});

	test("a bundle may be named as what every object has", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		const { host } = world;
		expect(floorAbove(host, "constructor", "1.0.0")).toBeUndefined();
		expect(isNewlySeen(host, "constructor", ["1.0.0"])).toBe(true);
		await withLock(host, "test", (lock) => noteSeen(lock, "constructor", ["1.0.0"]));
		expect(readMark(host).bundles["constructor"]).toEqual({ floor: null, seen: "1.0.0" });
	});

	test("what could not be read again is not written", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		const long = `1.0.0-${"a".repeat(64)}`;
		expect(await outcome(withLock(world.host, "test", (lock) => noteSeen(lock, "gro", [long])))).not.toBe(
			"accepted",
		);
		expect(readMark(world.host).bundles).toEqual({});
	});

	test("an index that has forgotten what it showed is an old one", async () => {
		using world = openTrustWorld(repository);
		await world.refresh();
		const { host } = world;
		const listed = ["1.2.0", "1.10.0", "1.0.0"];
		expect(isNewlySeen(host, "gro", listed)).toBe(true);
		await withLock(host, "test", (lock) => noteSeen(lock, "gro", listed));
		expect(isNewlySeen(host, "gro", listed)).toBe(false);
		demandStillListed(host, "gro", ["1.10.0"]);
		expect(await outcome((async () => demandStillListed(host, "gro", ["1.2.0", "1.11.0"]))())).toBe(
			"TRUST_ROLLBACK",
		);
	});
});
