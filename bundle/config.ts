// A function's parameters: effective values and their digest (two runs are one function only if this is equal too).
import { type Digest, sha256 } from "./digest.ts";
import { BundleError } from "./errors.ts";
import { isPlain, plain } from "./plain.ts";

export type ConfigParameter =
	| { readonly type: "u16-list"; readonly default: readonly number[]; readonly summary: string }
	| { readonly type: "u32"; readonly default: number; readonly summary: string }
	/** Names that are set, in the order in which `names` declares them; in a program they are bits, the first the lowest. */
	| {
			readonly type: "flags";
			readonly names: readonly string[];
			readonly default: readonly string[];
			readonly summary: string;
	  }
	| { readonly type: "string"; readonly default: string; readonly summary: string };

export type ConfigValue = number | string | readonly number[] | readonly string[];
export type Config = Readonly<Record<string, ConfigValue>>;

const within = (value: unknown, largest: number): value is number =>
	typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= largest;

/** Some of the declared names, in their order. */
function areFlags(names: readonly string[], value: unknown): value is readonly string[] {
	if (!Array.isArray(value)) return false;
	const places = value.map((name) => names.indexOf(name));
	return places.every((place, i) => place > (places[i - 1] ?? -1));
}

function fitsType(parameter: ConfigParameter, value: unknown): value is ConfigValue {
	const { type } = parameter;
	if (type === "u32") return within(value, 0xffffffff);
	if (type === "string") return typeof value === "string" && value.length <= 256 && isPlain(value);
	if (type === "flags") return areFlags(parameter.names, value);
	return Array.isArray(value) && value.length <= 64 && value.every((item) => within(item, 0xffff));
}

/** Whether a parameter's default is one of its values; a JSON Schema cannot say that of flags. */
export function hasFittingDefault(parameter: ConfigParameter): boolean {
	return fitsType(parameter, parameter.default);
}

/** The declared defaults with the given values over them; BUNDLE_CONFIG_INVALID for an unknown name or a misfit. */
export function effectiveConfig(
	declared: Readonly<Record<string, ConfigParameter>>,
	given: Config = {},
): Config {
	const values = new Map<string, ConfigValue>(
		Object.entries(declared).map(([name, parameter]) => [name, parameter.default]),
	);
	for (const [name, value] of Object.entries(given)) {
		const parameter = Object.hasOwn(declared, name) ? declared[name] : undefined;
		if (parameter === undefined || !fitsType(parameter, value)) {
			const why =
				parameter === undefined ? "is not a parameter of this function" : `is not a ${parameter.type}`;
			throw new BundleError("BUNDLE_CONFIG_INVALID", `config "${plain(name)}" ${why}`);
		}
		values.set(name, value);
	}
	return Object.fromEntries([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** SHA-256 of the config's canonical JSON: keys sorted, no blanks, UTF-8; `{}` for none. Lists keep their order. */
export function configDigest(config: Config): Digest {
	const sorted = Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
	return sha256(Buffer.from(JSON.stringify(sorted), "utf8"));
}
