// Which version a host takes that names none: what its channel points to. Attacks are named; the source stands in for the network.
import { rmSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { IndexDocument, IndexVersion } from "#registry/api/wire.ts";
import { type ChannelPointer, newChannel } from "#signing/channel.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { trustKeys } from "#test/harness/host-world.ts";
import { offeredVersion } from "./client/channel.ts";
import type { Source } from "./client/source.ts";
import type { Context } from "./context.ts";

let key: SecretKey;
let fake: FakeHost;
beforeAll(async () => {
	key = await generateKeyPair("test");
});
beforeEach(() => {
	fake = openFakeHost({ key });
});
afterEach(() => fake[Symbol.dispose]());

const digestOf = (version: string) => Buffer.from(version.padEnd(32, ".")).toString("hex");

function indexed(version: string, yanked = false): IndexVersion {
	const requires = [{ kernel: ">=6.1", features: [] }];
	const publishedAt = "2026-11-23T10:00:00.000Z";
	return {
		version,
		sha256: digestOf(version),
		size: 1,
		manifestSha256: digestOf(version),
		tag: `kfn1:${digestOf(version)}`,
		function: { name: "sample", abi: 1 },
		requires,
		publishedAt,
		yanked: yanked ? { at: publishedAt, reason: "a test" } : null,
		log: null,
	};
}

const INDEX: IndexDocument = {
	schema: "kfn.index/1",
	name: "sample",
	versions: [indexed("1.2.0"), indexed("1.1.0", true), indexed("1.0.1"), indexed("1.0.0")],
};

async function pointer(changes: Partial<ChannelPointer> = {}, signer = key): Promise<DsseEnvelope> {
	const version = changes.version ?? "1.0.1";
	const manifestSha256 = digestOf(version);
	const whole = { name: "sample", channel: "stable", version, manifestSha256, serial: 1 } as const;
	return signDsseEnvelope(newChannel({ ...whole, issued: "2026-11-28T12:00:00Z", ...changes }), signer);
}

async function offered(channel: string | undefined, ...shown: DsseEnvelope[]): Promise<string> {
	const context = {
		root: fake.host.layout.root,
		loader: "build/kfn-load",
		env: { fault: undefined },
		health: {},
		channel,
	} as unknown as Context;
	const source: Source = {
		description: "test",
		index: async () => INDEX,
		blob: () => Promise.reject(new Error("nothing is downloaded")),
		statements: async () => shown,
	};
	return (await offeredVersion(context, source, INDEX)).version;
}

const refused = (code: string) => expect.objectContaining({ code });

test("without channels the newest counts; with one, what it points to", async () => {
	expect(await offered(undefined)).toBe("1.2.0");
	expect(await offered(undefined, await pointer())).toBe("1.0.1");
});

test("candidate is followed until stable has passed it, and stable where nobody points candidate", async () => {
	const candidate = (version: string, serial: number) => pointer({ channel: "candidate", version, serial });
	expect(await offered("candidate", await pointer())).toBe("1.0.1");
	expect(await offered("candidate", await pointer(), await candidate("1.2.0", 1))).toBe("1.2.0");
	expect(await offered("stable", await pointer(), await candidate("1.2.0", 1))).toBe("1.0.1");
	expect(await offered("candidate", await pointer(), await candidate("1.0.0", 2))).toBe("1.0.1");
	await expect(offered("stabel", await pointer())).rejects.toEqual(refused("CLI_USAGE"));
});

test("a promotion that was taken back is followed down; what runs does not go down by itself", async () => {
	await offered(undefined, await pointer());
	expect(await offered(undefined, await pointer({ version: "1.0.0", serial: 2 }))).toBe("1.0.0");
});

test("replayed channel pointer", async () => {
	const old = await pointer();
	await offered(undefined, await pointer({ version: "1.0.0", serial: 2 }));
	await expect(offered(undefined, old)).rejects.toEqual(refused("CHANNEL_REPLAYED"));
	const other = await pointer({ version: "1.2.0", serial: 2 });
	await expect(offered(undefined, other)).rejects.toEqual(refused("CHANNEL_REPLAYED"));
});

test("withheld channel pointer: the newest is not taken instead", async () => {
	await offered(undefined, await pointer());
	await expect(offered(undefined)).rejects.toEqual(refused("CHANNEL_WITHHELD"));
});

test("channel pointing to a yanked version, to one that is not listed, and to other bytes", async () => {
	const to = (changes: Partial<ChannelPointer>) => pointer(changes).then((one) => offered(undefined, one));
	await expect(to({ version: "1.1.0" })).rejects.toEqual(refused("CLI_CHANNEL_UNUSABLE"));
	rmSync(fake.host.layout.channels);
	await expect(to({ version: "3.0.0" })).rejects.toEqual(refused("CLI_CHANNEL_UNUSABLE"));
	rmSync(fake.host.layout.channels);
	await expect(to({ manifestSha256: digestOf("1.2.0") })).rejects.toEqual(refused("CHANNEL_SCOPE"));
});

test("a pointer that this host's own publishers did not sign", async () => {
	const eve = await generateKeyPair("eve");
	await expect(offered(undefined, await pointer({}, eve))).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
});

test("a thief's highest serial is forgotten with his key", async () => {
	const next = await generateKeyPair("next");
	await offered(undefined, await pointer({ version: "1.2.0", serial: 2 ** 31 - 1 }));
	trustKeys(fake.host.layout.root, ["sample"], [next]);
	expect(await offered(undefined, await pointer({ serial: 4 }, next))).toBe("1.0.1");
	await expect(offered(undefined, await pointer({ serial: 3 }, next))).rejects.toEqual(
		refused("CHANNEL_REPLAYED"),
	);
});
