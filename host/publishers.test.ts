// The operator's publishers and the registry's: which of them decides, read from a real verified set.
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { publisherFor, serializePublishers } from "#signing/publishers.ts";
import { makeKfnRepository, openTrustWorld } from "#test/harness/trust-world.ts";
import { publishersInForce } from "./publishers.ts";
import { publishersOfSet } from "./trust-state/documents.ts";
import { readCurrentSet } from "./trust-state/state.ts";

test("the registry's map decides where the operator's file has no entry for the name, and nowhere else", async () => {
	using world = openTrustWorld(await makeKfnRepository());
	const { host } = world;
	expect(publishersInForce(host)).toEqual({ publishers: [] });
	await world.refresh();
	const registry = publishersOfSet(readCurrentSet(host)!)!.publishers[0]!;
	expect(registry.names).toEqual(["flow-*"]);
	expect(publisherFor(publishersInForce(host), "flow-dissector")).toEqual(registry);
	const own = { names: ["flow-dissector"], threshold: 1, keys: [(await generateKeyPair()).publicKey] };
	mkdirSync(host.layout.trust, { recursive: true });
	writeFileSync(host.layout.publishers, serializePublishers({ publishers: [own] }));
	expect(publisherFor(publishersInForce(host), "flow-dissector")).toEqual(own);
	expect(publisherFor(publishersInForce(host), "flow-label")).toEqual(registry);
	expect(() => publisherFor(publishersInForce(host), "gro")).toThrow(
		expect.objectContaining({ code: "PUBLISHERS_NO_MATCH" }),
	);
	writeFileSync(host.layout.publishers, "{");
	expect(() => publishersInForce(host)).toThrow(expect.objectContaining({ code: "PUBLISHERS_MALFORMED" }));
});
