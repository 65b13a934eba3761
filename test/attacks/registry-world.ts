// A registry with two versions of one bundle, and hosts that read it through a mirror which a test makes lie: what the attacks
// on a host's reading of its registry have in common.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { onTestFinished } from "vitest";
import { httpReader } from "#cli/client/registry-fetch.ts";
import { type TrustedSource, trustedSource } from "#cli/client/trusted-source.ts";
import { type Host, openHost } from "#host/host.ts";
import { paths } from "#registry/api/wire.ts";
import { type TestBundle, testBundle } from "#registry/testing/bundles.ts";
import { binOf, bitLengthOf } from "#signing/tuf/bins.ts";
import { parseEnvelope } from "#signing/tuf/metadata.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "../harness/fake-kfn-load.ts";
import { Forger } from "../harness/forgery.ts";
import { fromServer, type LyingMirror, openLyingMirror } from "../harness/lying-mirror.ts";
import { openTestRegistry, type TestRegistry } from "../harness/registry.ts";
import { pin } from "../harness/trust-world.ts";

/** Of a test registry. */
export const SHAPE = { bit_length: bitLengthOf(16), name_prefix: "bin" };
export const BIN = binOf("sample/index.json", SHAPE);
const PACE = { totalMs: 30_000, graceMs: 200, bytesPerSecond: 1_000_000 };

export interface AttackedRegistry {
	readonly registry: TestRegistry;
	/** 1.0.0 and 1.1.0. */
	readonly bundles: readonly TestBundle[];
	/** What the registry served when it had 1.0.0 alone. */
	readonly older: ReadonlyMap<string, Uint8Array>;
}

/** Opens a registry and publishes both versions; the caller disposes of `registry`. */
export async function openAttackedRegistry(): Promise<AttackedRegistry> {
	const registry = await openTestRegistry();
	const bundles = [await testBundle({ version: "1.0.0" }), await testBundle({ version: "1.1.0" })];
	await publish(registry, bundles[0]!);
	const older = await everything(registry);
	await publish(registry, bundles[1]!);
	return { registry, bundles, older };
}

async function publish(registry: TestRegistry, { name, version, archive }: TestBundle): Promise<void> {
	const { statusCode, body } = await request(`${registry.url}${paths.bundle(name, version)}`, {
		method: "PUT",
		headers: { authorization: `Bearer ${registry.token}`, "content-type": "application/vnd.kfn.bundle" },
		body: archive,
	});
	if (statusCode !== 201) throw new Error(`publish: ${statusCode} ${await body.text()}`);
	await body.dump();
}

/** All files that a host could ask for now, but the archives. */
export async function everything(registry: TestRegistry): Promise<Map<string, Uint8Array>> {
	const files = new Map<string, Uint8Array>();
	const upstream = fromServer(registry.url);
	const take = async (path: string) => {
		const bytes = await upstream(path);
		if (bytes !== undefined) files.set(path, bytes);
		return bytes!;
	};
	const { signed } = parseEnvelope(await take("v1/metadata/timestamp.json"), "timestamp");
	const { version } = signed.meta["snapshot.json"];
	const snapshot = parseEnvelope(await take(`v1/metadata/${version}.snapshot.json`), "snapshot").signed;
	for (const [name, meta] of Object.entries(snapshot.meta)) await take(`v1/metadata/${meta.version}.${name}`);
	for (const bytes of [...files.values()]) {
		const file = JSON.parse(Buffer.from(bytes).toString()) as { signed: { targets?: object } };
		for (const [path, { hashes }] of Object.entries(file.signed.targets ?? {}) as [
			string,
			{ hashes: { sha256: string } },
		][]) {
			await take(paths.target(path, hashes.sha256).slice(1));
		}
	}
	await take("v1/log/checkpoint");
	return files;
}

export interface Victim {
	readonly host: Host;
	readonly mirror: LyingMirror;
	readonly forger: Forger;
	/** Refreshes through the mirror. */
	open(): Promise<TrustedSource>;
	/** Days by which the host's clock is ahead. */
	ahead: number;
}

/** A host that has pinned the registry's root and reads it through a mirror that a test makes lie. */
export async function victim(registry: TestRegistry): Promise<Victim> {
	const root = mkdtempSync(join(tmpdir(), "kfn-victim-"));
	onTestFinished(() => rmSync(root, { recursive: true, force: true }));
	pin(root, registry.trust.rootBytes);
	const kernel = FakeKernel.boot(root);
	const mirror = await openLyingMirror(fromServer(registry.url));
	onTestFinished(() => mirror[Symbol.asyncDispose]());
	const now = () => new Date(Date.now() + self.ahead * 86_400_000);
	const host = openHost({ root, loader: fakeLoader(kernel), namespaces: fakeNamespaces(kernel), now });
	const options = {
		base: mirror.url,
		token: undefined,
		signal: new AbortController().signal,
		userAgent: "kfn/test",
	};
	const self: Victim = {
		host,
		mirror,
		forger: new Forger(mirror, fromServer(registry.url), registry.trust.online),
		open: () => trustedSource(host, httpReader(options, PACE)),
		ahead: 0,
	};
	return self;
}

/** A high version whose archive lies in the bin, so that one forged bin lists all of it. */
export function versionIn(bin: string): string {
	for (let patch = 0; ; patch++)
		if (binOf(`sample/sample-9.9.${patch}.kfn`, SHAPE) === bin) return `9.9.${patch}`;
}

/** Puts a bundle into the index and the bin, with stolen online keys. */
export async function listed(
	registry: TestRegistry,
	forger: Forger,
	mirror: LyingMirror,
	bundle: TestBundle,
): Promise<void> {
	const [, bytes] = [...(await everything(registry))].find(([path]) => path.endsWith(".index.json"))!;
	const index = JSON.parse(Buffer.from(bytes).toString());
	const { version, sha256, tag, archive } = bundle;
	index.versions.unshift({ ...index.versions[0], version, sha256, tag, size: archive.byteLength });
	const next = Buffer.from(JSON.stringify(index));
	const digest = createHash("sha256").update(next).digest("hex");
	mirror.lie(paths.target("sample/index.json", digest).slice(1), next);
	await forger.bin(BIN, (signed) => ({
		...signed,
		targets: {
			...signed.targets,
			"sample/index.json": { length: next.byteLength, hashes: { sha256: digest } },
			[`sample/sample-${version}.kfn`]: { length: archive.byteLength, hashes: { sha256 } },
		},
	}));
}
