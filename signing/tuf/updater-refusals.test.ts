// The client's walk against each lie that TUF names: refused, by its reason.
import { describe, expect, test } from "vitest";
import { days, INDEX, make, only, portOf, refusal, refused, seen, walk } from "./testing/walk.ts";
import { verifiedRoles } from "./verified-roles.ts";

describe("refusals by their reason", () => {
	test("rollback of the timestamp", async () => {
		const repository = await make();
		const old = repository.file("metadata/timestamp.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		const trusted = await seen(repository);
		repository.files.set("v1/metadata/timestamp.json", old);
		const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
		expect(error).toMatchObject({
			code: "TRUST_ROLLBACK",
			details: { role: "timestamp", trusted: 4, offered: 3 },
		});
		expect(error.cause).toBeInstanceOf(Error);
	});

	test("rollback of the snapshot, by a thief of the timestamp key", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.signTimestamp((meta) => ({ version: meta.version - 1 }));
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_ROLLBACK");
	});

	test("rollback of targets and of a bin, by a thief of the online keys", async () => {
		for (const change of [
			(meta: Record<string, { version: number }>) => ({ ...meta, "targets.json": { version: 1 } }),
			(meta: Record<string, { version: number }>) => Object.fromEntries(Object.entries(meta).slice(1)),
		]) {
			const repository = await make();
			const trusted = await seen(repository);
			await repository.signSnapshot(change);
			await repository.signTimestamp();
			const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
			expect(error).toMatchObject({ code: "TRUST_ROLLBACK", details: { role: "snapshot" } });
		}
	});

	test("rollback and jump of the root", async () => {
		const repository = await make();
		const first = repository.root;
		await repository.signRoot();
		repository.files.set("v1/metadata/2.root.json", first);
		expect(await refused(walk(only(first), portOf(repository.files)))).toBe("TRUST_ROLLBACK");
		await repository.signRoot();
		repository.files.set("v1/metadata/2.root.json", repository.root);
		expect(await refused(walk(only(first), portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("each role's expiry, an expired root after its chain", async () => {
		for (const [role, after] of [
			["timestamp", 1],
			["snapshot", 7],
			["targets", 180],
			["root", 365],
		] as const) {
			const repository = await make();
			repository.now = days(after);
			if (role !== "timestamp") await repository.signTimestamp();
			if (role === "targets" || role === "root") {
				await repository.signSnapshot();
				await repository.signTimestamp();
			}
			const walked = walk(only(repository.root), portOf(repository.files), { at: days(after) });
			expect(await refusal(walked.refresh())).toMatchObject({ code: "TRUST_EXPIRED", details: { role } });
		}
	});

	test("wrong threshold and duplicate signature, of each role", async () => {
		const repository = await make();
		const [one] = repository.keys.targets;
		const before = only(repository.root);
		await repository.signTargets(undefined, [one!]);
		await repository.signSnapshot();
		await repository.signTimestamp();
		expect(await refusal(walk(before, portOf(repository.files)).refresh())).toMatchObject({
			code: "TRUST_SIGNATURES",
			details: { role: "targets" },
		});
		const name = `v1/metadata/${repository.versions.get("targets")}.targets.json`;
		const file = JSON.parse(Buffer.from(repository.files.get(name)!).toString());
		file.signatures.push(file.signatures[0]);
		repository.files.set(name, Buffer.from(JSON.stringify(file)));
		expect(await refused(walk(before, portOf(repository.files)))).toBe("TRUST_MALFORMED");
		await repository.signRoot(undefined, repository.keys.root.slice(0, 1));
		expect(await refused(walk(before, portOf(repository.files)))).toBe("TRUST_SIGNATURES");
	});

	test("mix and match: a snapshot and a bin of another time", async () => {
		const repository = await make();
		const root = only(repository.root);
		const old = repository.file("metadata/3.snapshot.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.set("v1/metadata/4.snapshot.json", old);
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		await repository.signTimestamp((meta) => ({ version: meta.version }));
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("mix and match: what is trusted already, served again under the next version's name", async () => {
		for (const [role, lie] of [
			["snapshot", "4.snapshot.json"],
			["targets", "3.targets.json"],
		] as const) {
			const repository = await make();
			const trusted = await seen(repository);
			await repository.publish("kfn/publishers.json", Buffer.from("new\n"));
			repository.files.set(`v1/metadata/${lie}`, trusted.get(role)!);
			expect(await refused(walk(trusted, portOf(repository.files))), role).toBe("TRUST_MISMATCH");
		}
	});

	test("freeze and mix and match with files that this host has seen itself", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		const late = walk(trusted, portOf(repository.files), { at: days(2) });
		expect(await refusal(late.refresh())).toMatchObject({
			code: "TRUST_EXPIRED",
			details: { role: "timestamp" },
		});
		const old = repository.file("metadata/3.snapshot.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.set("v1/metadata/4.snapshot.json", old);
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		await repository.signTimestamp((meta) => ({ version: meta.version }));
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("a timestamp that this host has seen, and whose keys the root has replaced since", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.rotate("timestamp");
		const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
		expect(error).toMatchObject({ code: "TRUST_SIGNATURES", details: { role: "timestamp" } });
	});

	test("a delegated role that is trusted already is not fetched again", async () => {
		const repository = await make();
		const first = walk(only(repository.root), portOf(repository.files));
		await first.find(INDEX);
		const asked: string[] = [];
		const updater = walk(first.verified(), portOf(repository.files, asked));
		await updater.refresh();
		expect(await updater.find(INDEX)).toBeDefined();
		expect(asked).toEqual(["metadata/2.root.json", "metadata/timestamp.json"]);
	});

	test("a bin that is missing, not listed, or other than listed", async () => {
		const repository = await make();
		const bin = [...repository.versions].find(
			([name, version]) => name.startsWith("bin-") && version === 2,
		)![0];
		const root = only(repository.root);
		const find = async () => {
			const updater = walk(root, portOf(repository.files));
			return (await refusal(updater.find(INDEX))).code;
		};
		const listed = repository.file(`metadata/2.${bin}.json`);
		repository.files.set(`v1/metadata/2.${bin}.json`, repository.file(`metadata/1.${bin}.json`));
		expect(await find()).toBe("TRUST_MISMATCH");
		repository.files.delete(`v1/metadata/2.${bin}.json`);
		expect(await find()).toBe("TRUST_MISMATCH");
		repository.files.set(`v1/metadata/2.${bin}.json`, listed);
		await repository.signSnapshot((meta) =>
			Object.fromEntries(Object.entries(meta).filter(([name]) => name !== `${bin}.json`)),
		);
		await repository.signTimestamp();
		expect(await find()).toBe("TRUST_MISMATCH");
	});

	test("arbitrary and missing target bytes", async () => {
		const repository = await make();
		const updater = walk(only(repository.root), portOf(repository.files));
		const target = (await updater.find(INDEX))!;
		const [path] = [...repository.files.keys()].filter((name) => name.includes("flow-dissector"));
		repository.files.set(path!, Buffer.from("[x]"));
		expect((await refusal(updater.download(target))).code).toBe("TRUST_MISMATCH");
		repository.files.delete(path!);
		expect((await refusal(updater.download(target))).code).toBe("TRUST_MISMATCH");
	});

	test("a target that its lister says is endless is not even asked for", async () => {
		const repository = await make();
		const asked: string[] = [];
		const updater = walk(only(repository.root), portOf(repository.files, asked));
		const target = (await updater.find(INDEX))!;
		asked.length = 0;
		const error = await refusal(updater.download({ ...target, length: 2 ** 40 }));
		expect({ code: error.code, asked }).toEqual({ code: "TRUST_TOO_LARGE", asked: [] });
	});

	test("too many bytes, whatever a signed file says of them", async () => {
		const repository = await make();
		const limits: Record<string, number> = {};
		const honest = portOf(repository.files);
		const updater = walk(only(repository.root), async (path, limit) => {
			limits[path] = limit;
			return honest(path, limit);
		});
		await repository.signTimestamp(({ version }) => ({ version, length: 10_000_000 }));
		expect((await refusal(updater.refresh())).code).toBe("TRUST_MISMATCH");
		expect(limits).toEqual({
			"metadata/2.root.json": 512_000,
			"metadata/timestamp.json": 16_384,
			"metadata/3.snapshot.json": 2_000_000,
		});
		repository.files.set("v1/metadata/timestamp.json", Buffer.alloc(16_385, " "));
		expect(await refused(walk(only(repository.root), honest))).toBe("TRUST_TOO_LARGE");
	});

	test("no metadata: nothing there, no JSON, another role's, no UTF-8, no root to begin with", async () => {
		const repository = await make();
		const root = only(repository.root);
		const timestamp = "v1/metadata/timestamp.json";
		for (const [bytes, code] of [
			[Buffer.from("<html>"), "TRUST_MALFORMED"],
			[repository.root, "TRUST_TOO_LARGE"],
			[repository.file("metadata/1.bin-0.json"), "TRUST_MALFORMED"],
			[Buffer.from([0x22, 0xff, 0x22]), "TRUST_MALFORMED"],
		] as const) {
			repository.files.set(
				timestamp,
				bytes.byteLength > 900 ? Buffer.concat([bytes, Buffer.alloc(16_384)]) : bytes,
			);
			expect(await refused(walk(root, portOf(repository.files)))).toBe(code);
		}
		repository.files.delete(timestamp);
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		expect(await refused(walk(only(Buffer.from("{}")), portOf(repository.files)))).toBe("TRUST_MALFORMED");
	});

	test("what the port throws comes out as it was thrown, wherever tuf-js was", async () => {
		const repository = await make();
		const honest = portOf(repository.files);
		for (const at of ["2.root", "timestamp", "snapshot", "targets"]) {
			const failure = new Error("cable");
			const updater = walk(only(repository.root), (path, limit) =>
				path.includes(at) ? Promise.reject(failure) : honest(path, limit),
			);
			expect(await refusal(updater.refresh())).toBe(failure);
		}
	});

	test("what was verified before the refusal is there to be kept", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.rotate("targets");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.delete("v1/metadata/4.snapshot.json");
		const updater = walk(trusted, portOf(repository.files));
		expect(await refused(updater)).toBe("TRUST_MISMATCH");
		const roles = verifiedRoles(updater.verified());
		expect([...roles].map(([role, { version }]) => `${role} ${version}`)).toEqual([
			"root 2",
			"targets 2",
			"snapshot 3",
			"timestamp 4",
		]);
	});
});
