// Reads a registry's index strictly: what is not in the documented form (docs/formats/registry.md) is refused as a
// whole, because a half-understood index would let a registry steer the choice of a version.

import { parse as parseSemver } from "semver";
import type { IndexDocument, IndexVersion, RequiresDocument } from "#registry/api/wire.ts";
import { MAX_ARCHIVE_BYTES } from "#registry/api/wire.ts";
import { CliError } from "../errors.ts";

type Fields = Record<string, unknown>;
const DIGEST = /^[0-9a-f]{64}$/;
const TAG = /^kfn1:[0-9a-f]{64}$/;
/** Characters; no bundle's manifest has a longer one, and a host could not remember it. */
const LONGEST_VERSION = 64;

/** Checks that `document` is the index of `name`; unknown fields are ignored, so that a registry may grow. */
export function parseIndexDocument(document: unknown, name: string): IndexDocument {
	const fields = record(document, "index");
	expect(fields["schema"] === "kfn.index/1", "schema");
	expect(fields["name"] === name, "name");
	const versions = list(fields["versions"], "versions").map(parseVersion);
	expect(
		new Set(versions.map(({ version }) => version)).size === versions.length,
		"versions (one stands twice)",
	);
	// By its digest an archive is asked for: it must say which version is meant.
	expect(
		new Set(versions.map(({ sha256 }) => sha256)).size === versions.length,
		"versions (two have one archive)",
	);
	return { schema: "kfn.index/1", name, versions };
}

function parseVersion(value: unknown): IndexVersion {
	const fields = record(value, "version");
	const version = text(fields["version"], "version");
	const isOneSpelling = parseSemver(version)?.version === version.split("+")[0];
	expect(isOneSpelling && version.length <= LONGEST_VERSION, "version");
	const fn = record(fields["function"], "function");
	const size = fields["size"];
	expect(Number.isSafeInteger(size) && (size as number) > 0 && (size as number) <= MAX_ARCHIVE_BYTES, "size");
	expect(Number.isSafeInteger(fn["abi"]), "function.abi");
	return {
		version,
		sha256: matching(fields["sha256"], DIGEST, "sha256"),
		size: size as number,
		manifestSha256: matching(fields["manifestSha256"], DIGEST, "manifestSha256"),
		tag: matching(fields["tag"], TAG, "tag"),
		function: { name: text(fn["name"], "function.name"), abi: fn["abi"] as number },
		requires: list(fields["requires"], "requires").map(parseRequires),
		publishedAt: text(fields["publishedAt"], "publishedAt"),
		yanked: fields["yanked"] === null ? null : parseYank(fields["yanked"]),
		log: fields["log"] === null ? null : parseLogEntry(fields["log"]),
	};
}

function parseRequires(value: unknown): RequiresDocument {
	const fields = record(value, "requires");
	return {
		kernel: text(fields["kernel"], "requires.kernel"),
		features: list(fields["features"], "requires.features").map((item) => text(item, "requires.features")),
	};
}

function parseYank(value: unknown): { at: string; reason: string } {
	const fields = record(value, "yanked");
	return { at: text(fields["at"], "yanked.at"), reason: text(fields["reason"], "yanked.reason") };
}

function parseLogEntry(value: unknown): { index: number } {
	const { index } = record(value, "log");
	expect(Number.isSafeInteger(index) && (index as number) >= 0, "log.index");
	return { index: index as number };
}

function expect(holds: boolean, what: string): asserts holds {
	if (holds) return;
	throw new CliError("CLI_REGISTRY_ANSWER", `the registry's index is not in the documented form: ${what}`, {
		hint: "is this the address of a kfn registry, and is this kfn recent enough for it?",
		details: { field: what },
	});
}

function record(value: unknown, what: string): Fields {
	expect(typeof value === "object" && value !== null && !Array.isArray(value), what);
	return value as Fields;
}

function list(value: unknown, what: string): unknown[] {
	expect(Array.isArray(value), what);
	return value as unknown[];
}

function text(value: unknown, what: string): string {
	expect(typeof value === "string" && value.length <= 4096, what);
	return value as string;
}

function matching(value: unknown, pattern: RegExp, what: string): string {
	const found = text(value, what);
	expect(pattern.test(found), what);
	return found;
}
