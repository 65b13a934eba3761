// kfn.json, the manifest: its shape, its one spelling, its reader. Never looks at the files it names (bundle.ts does).
import type { ConfigParameter } from "./config.ts";
import { BundleError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import manifestSchema from "./manifest.schema.json" with { type: "json" };
import { checkManifestRules } from "./manifest-rules.ts";
import type { Manifest, MapRecord, Variant } from "./manifest-shape.ts";
import { fits, jsonOf } from "./schema.ts";

export type * from "./manifest-shape.ts";

/**
 * Reads kfn.json: at most 1 MiB, strict UTF-8, schema, the rules of docs/formats/bundle.md, and the one canonical spelling.
 * BUNDLE_TOO_LARGE, BUNDLE_MANIFEST_INVALID (details.path is a JSON pointer), BUNDLE_MANIFEST_NOT_CANONICAL,
 * BUNDLE_TAG_MISMATCH, BUNDLE_PATH_*, BUNDLE_KERNEL_RANGE_INVALID, BUNDLE_BUILD_FLAG, BUNDLE_LICENCE_MISMATCH, BUNDLE_VERSION_INVALID.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
	if (bytes.length > LIMITS.manifestBytes) {
		throw new BundleError(
			"BUNDLE_TOO_LARGE",
			`kfn.json has ${bytes.length} bytes; the limit is ${LIMITS.manifestBytes}`,
		);
	}
	const json = jsonOf(bytes);
	if (!json.ok)
		throw new BundleError("BUNDLE_MANIFEST_INVALID", `kfn.json ${json.what}`, { details: { path: "/" } });
	const answer = fits<Manifest>(manifestSchema, json.value);
	if (!answer.ok) {
		throw new BundleError("BUNDLE_MANIFEST_INVALID", `kfn.json ${answer.path}: ${answer.what}`, {
			details: { path: answer.path },
		});
	}
	checkManifestRules(answer.value);
	if (!Buffer.from(serializeManifest(answer.value)).equals(bytes)) {
		// A second spelling would let two readers see different manifests under one signature (a repeated key, say).
		throw new BundleError("BUNDLE_MANIFEST_NOT_CANONICAL", "kfn.json is not in its canonical spelling", {
			hint: "Write it with `kfn build`, never by hand.",
		});
	}
	return answer.value;
}

/**
 * The one canonical spelling of a manifest: keys in the schema's order (config sorted by name), two spaces of
 * indentation, one line feed at the end, UTF-8. Checks nothing.
 */
export function serializeManifest(m: Manifest): Uint8Array {
	const ordered = {
		schema: m.schema,
		name: m.name,
		version: m.version,
		summary: m.summary,
		...(m.experimental === undefined ? {} : { experimental: m.experimental }),
		license: m.license,
		function: { name: m.function.name, abi: m.function.abi },
		tag: { value: m.tag.value, files: m.tag.files },
		variants: m.variants.map(orderedVariant),
		config: Object.fromEntries(
			Object.keys(m.config)
				.sort()
				.map((key) => [key, orderedParameter(m.config[key]!)]),
		),
		state: m.state.map((s) => ({ map: s.map, migrate: s.migrate })),
		vectors: m.vectors,
		fixes: m.fixes,
		build: {
			compiler: m.build.compiler,
			version: m.build.version,
			flags: m.build.flags,
			units: m.build.units.map((u) => ({ source: u.source, object: u.object })),
		},
		files: m.files.map((f) => ({ path: f.path, size: f.size, sha256: f.sha256 })),
	};
	return Buffer.from(`${JSON.stringify(ordered, null, 2)}\n`, "utf8");
}

function orderedVariant(v: Variant): Variant {
	return {
		name: v.name,
		object: v.object,
		requires: { kernel: v.requires.kernel, features: v.requires.features },
		programs: v.programs.map((p) => ({
			name: p.name,
			section: p.section,
			type: p.type,
			hook: p.hook,
			insns: p.insns,
			insnsDigest: p.insnsDigest,
		})),
		...(v.maps === undefined ? {} : { maps: v.maps.map(orderedMap) }),
	};
}

function orderedMap(m: MapRecord): MapRecord {
	return { name: m.name, type: m.type, valueSize: m.valueSize, entries: m.entries };
}

function orderedParameter(p: ConfigParameter): ConfigParameter {
	const names = p.type === "flags" ? { names: p.names } : {};
	return { type: p.type, ...names, default: p.default, summary: p.summary } as ConfigParameter;
}
