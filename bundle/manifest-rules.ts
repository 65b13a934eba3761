// The rules of a manifest that a JSON Schema cannot say (docs/formats/bundle.md, "Rules"). Expects a value that fits the schema.
import { checkBuildFlags } from "./build-flags.ts";
import { hasFittingDefault } from "./config.ts";
import { BundleError } from "./errors.ts";
import { compareKernels, parseKernelRange } from "./kernel-range.ts";
import { checkLicence } from "./licence.ts";
import { LIMITS } from "./limits.ts";
import type { Manifest, Variant } from "./manifest-shape.ts";
import { mapMisfit } from "./map-rules.ts";
import { parseVersion } from "./name.ts";
import { checkFolders, checkPlace } from "./path.ts";
import { plain } from "./plain.ts";
import { programKind } from "./program-type.ts";
import { tagOf } from "./tag.ts";

function invalid(path: string, what: string): never {
	throw new BundleError("BUNDLE_MANIFEST_INVALID", `kfn.json ${path}: ${plain(what)}`, { details: { path } });
}

function checkSorted(path: string, items: readonly string[]): void {
	items.forEach((item, i) => {
		const before = items[i - 1];
		if (before === item) invalid(`${path}/${i}`, `"${item}" stands there twice`);
		if (before !== undefined && before > item) invalid(`${path}/${i}`, `"${item}" is not in byte order`);
	});
}

function checkSame(path: string, said: readonly string[], present: readonly string[], what: string): void {
	checkSorted(path, said);
	const missing = present.find((item) => !said.includes(item));
	const extra = said.find((item) => !present.includes(item));
	if (missing !== undefined) invalid(path, `lacks ${what} "${missing}"`);
	if (extra !== undefined) invalid(path, `names "${extra}", which is not ${what} of this bundle`);
}

function checkUnique(path: string, items: readonly string[]): void {
	items.forEach((item, i) => {
		if (items.indexOf(item) !== i) invalid(`${path}/${i}`, `"${item}" stands there twice`);
	});
}

/** What a variant needs; the rules are shared with kfn.package.json. */
export function checkRequires(requires: Variant["requires"], path: string): void {
	parseKernelRange(requires.kernel);
	checkSorted(`${path}/features`, requires.features);
}

/** Newest first: the loader takes the first variant that fits, so a later one must not ask for a newer kernel. */
export function checkVariantOrder(kernels: readonly string[], path: string): void {
	kernels.reduce<readonly [number, number, number] | undefined>((before, kernel, i) => {
		const from = parseKernelRange(kernel).from ?? ([0, 0, 0] as const);
		if (before !== undefined && compareKernels(from, before) > 0) {
			invalid(`${path}/${i}`, "asks for a newer kernel than the one before; the newest comes first");
		}
		return from;
	}, undefined);
}

function checkPrograms(variant: Variant, path: string): void {
	checkUnique(
		`${path}/programs`,
		variant.programs.map((program) => program.name),
	);
	variant.programs.forEach((program, i) => {
		const kind = programKind(program.section);
		if (kind === undefined)
			invalid(`${path}/programs/${i}/section`, `"${program.section}" has no hook in kfn`);
		if (kind.type !== program.type) invalid(`${path}/programs/${i}/type`, `its section means ${kind.type}`);
		if (kind.hook !== program.hook) invalid(`${path}/programs/${i}/hook`, `its section means ${kind.hook}`);
		const lacking = kind.features.find((feature) => !variant.requires.features.includes(feature));
		if (lacking !== undefined)
			invalid(`${path}/requires/features`, `lacks "${lacking}", which a program needs`);
	});
}

function checkMaps({ maps = [] }: Variant, path: string): void {
	checkSorted(
		path,
		maps.map((map) => map.name),
	);
	maps.forEach((map, i) => {
		const wrong = mapMisfit(map);
		if (wrong !== undefined) invalid(`${path}/${i}`, wrong);
	});
}

function checkVariants(m: Manifest, objects: readonly string[]): void {
	checkUnique(
		"/variants",
		m.variants.map((variant) => variant.name),
	);
	const used = m.variants.map((variant) => variant.object);
	checkUnique("/variants", used);
	checkSame("/variants", used.toSorted(), objects, "object");
	m.variants.forEach((variant, i) => {
		checkRequires(variant.requires, `/variants/${i}/requires`);
		checkPrograms(variant, `/variants/${i}`);
		checkMaps(variant, `/variants/${i}/maps`);
	});
	checkVariantOrder(
		m.variants.map((variant) => variant.requires.kernel),
		"/variants",
	);
}

function checkBuild(m: Manifest): void {
	checkBuildFlags(m.build.flags);
	m.build.units.forEach((unit, i) => {
		if (unit.object !== m.variants[i]?.object)
			invalid(`/build/units/${i}/object`, "is not that of the variant");
		if (!m.tag.files.includes(unit.source)) invalid(`/build/units/${i}/source`, "is not a tagged source");
	});
	if (m.build.units.length !== m.variants.length)
		invalid("/build/units", "must name each variant's object once");
}

function checkFiles(m: Manifest): readonly string[] {
	const paths = m.files.map((file) => file.path);
	for (const path of paths) checkPlace(path);
	checkSorted("/files", paths);
	checkFolders(paths);
	const total = m.files.reduce((sum, file) => sum + file.size, 0);
	if (total > LIMITS.totalBytes) {
		throw new BundleError(
			"BUNDLE_TOO_LARGE",
			`the files have ${total} bytes; the limit is ${LIMITS.totalBytes}`,
		);
	}
	return paths;
}

function checkTag(m: Manifest, sources: readonly string[]): void {
	checkSame("/tag/files", m.tag.files, sources, "source");
	const tag = tagOf(m.files.filter((file) => file.path.startsWith("src/")));
	if (tag !== m.tag.value) {
		throw new BundleError(
			"BUNDLE_TAG_MISMATCH",
			`the manifest says ${m.tag.value}, its sources give ${tag}`,
			{
				details: { said: m.tag.value, computed: tag },
			},
		);
	}
}

/** Checks every rule that needs nothing but the manifest; the tag included, as it hashes digests that stand here. */
export function checkManifestRules(m: Manifest): void {
	parseVersion(m.version);
	checkLicence(m.license);
	const paths = checkFiles(m);
	checkTag(
		m,
		paths.filter((path) => path.startsWith("src/")),
	);
	checkVariants(
		m,
		paths.filter((path) => path.startsWith("obj/")),
	);
	checkSame(
		"/vectors",
		m.vectors,
		paths.filter((path) => path.startsWith("vectors/")),
		"vector file",
	);
	checkSorted(
		"/state",
		m.state.map((state) => state.map),
	);
	checkSorted("/fixes", m.fixes);
	for (const [name, parameter] of Object.entries(m.config)) {
		if (!hasFittingDefault(parameter)) invalid(`/config/${name}/default`, "is not one of its values");
	}
	checkBuild(m);
}
