// The authorisation map changes between a bundle's examination and its publication: the older one must not be outrun.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { nextTargets, PUBLISHERS_TARGET, withDocuments } from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { testBundle } from "../testing/bundles.ts";
import { temporaryFolder } from "../testing/server.ts";
import { initialiseTestStore } from "../testing/trust.ts";
import { acceptMetadata } from "../trust/accept.ts";
import { keyringOf } from "../trust/online-keys.ts";
import { authoriseBundle, stillAuthorised } from "./authorised.ts";
import type { RegistryContext } from "./registry-context.ts";

test("a publisher removed while its bundle is examined: the proof no longer counts, and a new one is refused", async () => {
	const folder = temporaryFolder();
	const metadata = await openSqliteMetadataStore(join(folder, "registry.sqlite"));
	const trust = await initialiseTestStore(metadata);
	const registry = { metadata } as RegistryContext;
	const bundle = await openBundle((await testBundle()).archive);
	const proof = await authoriseBundle(registry, bundle);
	await metadata.read((reads) => stillAuthorised(reads, proof));
	const documents = { ...trust.documents, [PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }) };
	const next = nextTargets(withDocuments(trust.signed.targets.signed, documents), {
		now: new Date(),
		days: 9,
	});
	const offered = { targets: { metadata: await signNew(next, trust.targets), documents } };
	const signing = { keyring: keyringOf(trust.online), now: new Date() };
	await metadata.transaction((tx) => acceptMetadata(tx, offered, signing));
	const late = metadata.transaction((tx) => stillAuthorised(tx, proof));
	await expect(late).rejects.toMatchObject({ code: "REGISTRY_BUSY" });
	await expect(authoriseBundle(registry, bundle)).rejects.toMatchObject({ code: "REGISTRY_UNAUTHORISED" });
	await metadata.close();
	rmSync(folder, { recursive: true });
});
