// Metadata is renewed before it expires, by a clock and a timer that the test turns; health and metrics tell early.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unverifiedRecallList } from "#signing/recall-list.ts";
import type { HealthDocument } from "../api/wire.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { testBundle } from "../testing/bundles.ts";
import { TestServer, temporaryFolder } from "../testing/server.ts";
import type { Schedule } from "../trust/renewal.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-28T12:00:00.000Z");

/** A clock, and a timer that fires when the test moves the clock past it. */
class Time {
	now = START;
	#due: { at: number; work: () => void } | undefined;
	#waiting: (() => void) | undefined;

	readonly schedule: Schedule = (delayMs, work) => {
		const entry = { at: this.now + delayMs, work };
		this.#due = entry;
		this.#waiting?.();
		return () => {
			if (this.#due === entry) this.#due = undefined;
		};
	};

	/** Moves the clock on, firing what falls due on the way, each time until the work has asked for its next turn. */
	async pass(ms: number): Promise<void> {
		const end = this.now + ms;
		for (let due = this.#due; due !== undefined && due.at <= end; due = this.#due) {
			this.now = Math.max(this.now, due.at);
			this.#due = undefined;
			const again = new Promise<void>((resolve) => {
				this.#waiting = resolve;
			});
			due.work();
			await again;
		}
		this.now = end;
	}

	get pending(): boolean {
		return this.#due !== undefined;
	}
}

let dataDir: string;
let time: Time;
beforeEach(() => {
	dataDir = temporaryFolder();
	time = new Time();
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const start = () => TestServer.start({ dataDir, now: () => new Date(time.now), schedule: time.schedule });
const health = async (server: TestServer) => (await server.request("/healthz")).json as HealthDocument;
const forEver = (server: TestServer) => server.token({ expiresAt: "2999-01-01T00:00:00.000Z" });
const metric = async (server: TestServer, name: string): Promise<number> => {
	const { body } = await server.request("/metrics");
	const line = Buffer.from(body)
		.toString()
		.split("\n")
		.find((text) => text.startsWith(`${name} `));
	return Number(line?.split(" ")[1] ?? Number.NaN);
};

test("left alone for 62 days, nothing that the registry signs ever expires, and each role is renewed when it is due", async () => {
	await using server = await start();
	for (let day = 0; day < 62; day++) {
		await time.pass(DAY);
		expect((await health(server)).status).toBe("ok");
	}
	const { trust } = await health(server);
	// Every 12 hours; every 3.5 days, and once with the bins; once, when 30 of 90 days were left.
	expect(trust.timestamp.version).toBe(1 + 2 * 62);
	expect(trust.snapshot.version).toBe(1 + 17 + 1);
	expect([trust.bins.version, trust.root.version, trust.targets.version]).toEqual([2, 1, 1]);
	expect(new Set(server.events.map(({ event }) => event))).toEqual(new Set(["renewed"]));
});

test("a registry that was down past every online expiry renews before it answers its first request", async () => {
	await (async () => {
		const server = await start();
		expect((await server.publish(await testBundle(), await forEver(server))).status).toBe(201);
		await server.registry.close();
	})();
	time.now += 120 * DAY;
	await using server = await start();
	const { status, trust } = await health(server);
	expect(status).toBe("ok");
	expect([trust.bins.secondsLeft, trust.snapshot.secondsLeft, trust.timestamp.secondsLeft]).toEqual(
		[90 * DAY, 7 * DAY, DAY].map((ms) => ms / 1000),
	);
	expect(await server.index("sample")).toMatchObject({ versions: [{ version: "1.0.0" }] });
});

test("many bins are renewed in several transactions, all of them", async () => {
	const options = { dataDir, now: () => new Date(time.now), schedule: time.schedule };
	await (await TestServer.start({ ...options, trust: { bins: 256 } })).registry.close();
	time.now += 80 * DAY;
	await using server = await TestServer.start(options);
	expect(await metric(server, "kfn_registry_renewals_total")).toBe(256 + 4 * 2 + 1);
	const other = await openSqliteMetadataStore(join(dataDir, "registry.sqlite"));
	const roles = await other.read((reads) => reads.listRoles());
	await other.close();
	const bins = roles.filter(({ role }) => role.startsWith("bin-"));
	expect(new Set(bins.map(({ version }) => version))).toEqual(new Set([2]));
});

test("root and targets are warned of a month before, reported once a day, and expired is not healthy", async () => {
	await (await start()).registry.close();
	time.now += 149 * DAY;
	await using server = await start();
	expect((await health(server)).status).toBe("ok");
	await time.pass(2 * DAY);
	expect((await health(server)).status).toBe("warning");
	const reports = () => server.events.filter(({ event }) => event === "expiring");
	expect(reports()[0]?.message).toContain("targets expires at 2027-05-27T12:00:00Z");
	const soFar = reports().length;
	await time.pass(5 * DAY);
	expect(reports().length - soFar).toBe(5);
	time.now += 25 * DAY;
	const answer = await server.request("/healthz");
	expect([answer.status, answer.code]).toEqual([503, "REGISTRY_METADATA_EXPIRED"]);
	expect(answer.json).toMatchObject({
		error: { details: { trust: { targets: { secondsLeft: -1 * 86_400 } } } },
	});
});

test("a renewal that fails is reported, counted and tried again, and the server goes on", async () => {
	await using server = await start();
	const database = await openSqliteMetadataStore(join(dataDir, "registry.sqlite"));
	// Another process holds the write lock for longer than the registry waits.
	let release: () => void = () => undefined;
	const held = new Promise<void>((resolve) => {
		release = resolve;
	});
	let locked: () => void = () => undefined;
	const holding = new Promise<void>((resolve) => {
		locked = resolve;
	});
	const holder = database.transaction(async () => {
		locked();
		await held;
	});
	await holding;
	await time.pass(12 * HOUR);
	expect(server.events.map(({ event }) => event)).toEqual(["renewal-failed"]);
	expect(await metric(server, "kfn_registry_renewal_failures_total")).toBe(1);
	release();
	await holder;
	await database.close();
	await time.pass(60_000);
	expect(server.events.map(({ event }) => event)).toEqual(["renewal-failed", "renewed", "renewed"]);
	expect((await health(server)).trust.timestamp.version).toBe(2);
});

test("the recall list is signed anew half-way through its day, and what a lost key of it stops is nothing else", async () => {
	const server = await start();
	const sequence = async () => unverifiedRecallList((await server.request("/v1/recall.json")).body).sequence;
	const first = await sequence();
	await time.pass(11 * HOUR);
	expect(await sequence()).toBe(first);
	await time.pass(HOUR);
	expect(await sequence()).toBe(first + 1);
	await server.registry.close();
	const file = join(dataDir, "keys/online.json");
	const { recall: _lost, ...left } = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
	writeFileSync(file, JSON.stringify(left));
	await using again = await start();
	await time.pass(20 * HOUR);
	expect(again.events.map(({ event }) => event)).toContain("renewal-failed");
	const { status, trust } = await health(again);
	expect([status, trust.timestamp.secondsLeft > 0]).toEqual(["warning", true]);
});

test("a clock that was set back does no harm: what is good stays, and versions only grow", async () => {
	await using server = await start();
	await time.pass(13 * HOUR);
	time.now -= 30 * DAY;
	const token = await forEver(server);
	expect((await server.publish(await testBundle(), token)).status).toBe(201);
	expect((await health(server)).trust.timestamp.version).toBe(3);
	time.now += 30 * DAY;
	await time.pass(HOUR);
	expect((await health(server)).status).toBe("ok");
});

test("after closing, nothing is scheduled any more", async () => {
	const server = await start();
	expect(time.pending).toBe(true);
	await server.registry.close();
	expect(time.pending).toBe(false);
});

test("the metrics page is Prometheus text, with requests by operation and status", async () => {
	await using server = await start();
	const token = await forEver(server);
	await server.publish(await testBundle(), token);
	await server.publish(await testBundle(), undefined);
	await server.request("/nothing");
	const { body, headers } = await server.request("/metrics");
	expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
	const text = Buffer.from(body).toString();
	for (const line of text.trimEnd().split("\n")) {
		expect(line).toMatch(
			/^(# (HELP|TYPE) kfn_[a-z_]+ .+|kfn_[a-z_]+(\{[a-z]+="[A-Za-z0-9]+"(,[a-z]+="[A-Za-z0-9]+")*\})? -?\d+)$/,
		);
	}
	for (const line of [
		'kfn_registry_metadata_expires_timestamp_seconds{role="timestamp"} 1795953600',
		'kfn_registry_metadata_seconds_left{role="bins"} 7776000',
		'kfn_registry_metadata_version{role="snapshot"} 2',
		"kfn_registry_published_versions 1",
		'kfn_registry_requests_total{operation="publish",status="201"} 1',
		'kfn_registry_requests_total{operation="publish",status="401"} 1',
		'kfn_registry_requests_total{operation="none",status="404"} 1',
		"kfn_registry_renewals_total 0",
	]) {
		expect(text).toContain(`${line}\n`);
	}
});
