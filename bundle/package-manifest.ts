// kfn.package.json, what an author writes by hand. Any JSON spelling; unknown fields refused. Reads no other file.
import type { ConfigParameter } from "./config.ts";
import { BundleError } from "./errors.ts";
import { checkLicence } from "./licence.ts";
import { LIMITS } from "./limits.ts";
import { checkRequires, checkVariantOrder } from "./manifest-rules.ts";
import type { FunctionId, Requires, StateMap } from "./manifest-shape.ts";
import { type BundleName, parseVersion, type Version } from "./name.ts";
import packageSchema from "./package-manifest.schema.json" with { type: "json" };
import { checkPlace } from "./path.ts";
import { fits, jsonOf } from "./schema.ts";

export interface PackageUnit {
	readonly variant: string;
	readonly source: string;
	readonly object: string;
	readonly requires: Requires;
}

export interface PackageManifest {
	readonly schema: "kfn.package/1";
	readonly name: BundleName;
	readonly version: Version;
	readonly summary: string;
	/** Why nobody should run it without saying that they want to. */
	readonly experimental?: string;
	readonly license: string;
	readonly function: FunctionId;
	/** One per variant, newest kernel first. */
	readonly units: readonly PackageUnit[];
	/** Folders, relative to the file, whose headers may be included; `[]` when absent. */
	readonly includes: readonly string[];
	readonly config: Readonly<Record<string, ConfigParameter>>;
	readonly state: readonly StateMap[];
	readonly fixes: readonly string[];
}

function invalid(path: string, what: string): BundleError {
	return new BundleError("BUNDLE_PACKAGE_INVALID", `kfn.package.json ${path}: ${what}`, {
		details: { path },
	});
}

/**
 * Reads an author's manifest: at most 1 MiB, UTF-8, schema `kfn.package/1`; includes, config, state and fixes default to empty.
 * BUNDLE_PACKAGE_INVALID (details.path is a JSON pointer), and the codes of paths, versions, kernel ranges and licences.
 */
export function parsePackageManifest(bytes: Uint8Array): PackageManifest {
	if (bytes.length > LIMITS.manifestBytes) throw invalid("/", `has over ${LIMITS.manifestBytes} bytes`);
	const json = jsonOf(bytes);
	if (!json.ok) throw invalid("/", json.what);
	const answer = fits<PackageManifest>(packageSchema, json.value);
	if (!answer.ok) throw invalid(answer.path, answer.what);
	const parsed = answer.value;
	parseVersion(parsed.version);
	checkLicence(parsed.license);
	for (const [i, unit] of parsed.units.entries()) checkUnit(parsed, unit, i);
	checkVariantOrder(
		parsed.units.map((unit) => unit.requires.kernel),
		"/units",
	);
	return parsed;
}

function checkUnit(parsed: PackageManifest, unit: PackageUnit, i: number): void {
	checkPlace(unit.source);
	checkPlace(unit.object);
	if (!/^src\/.+\.bpf\.c$/.test(unit.source)) throw invalid(`/units/${i}/source`, "is not src/….bpf.c");
	if (!unit.object.startsWith("obj/")) throw invalid(`/units/${i}/object`, "is not obj/….bpf.o");
	checkRequires(unit.requires, `/units/${i}/requires`);
	const same = parsed.units.findIndex(
		(other) => other.variant === unit.variant || other.object === unit.object,
	);
	if (same !== i) throw invalid(`/units/${i}`, `has the variant or object of unit ${same}`);
}
