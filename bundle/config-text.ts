// Parameters as a person writes and reads them, NAME=VALUE. Refuses names that the function does not declare; whether a value is one
// of the parameter's is effectiveConfig's to say.
import type { Config, ConfigParameter, ConfigValue } from "./config.ts";
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

/**
 * Reads `NAME=VALUE` words by the declared types: lists and flags are separated by commas, nothing is the empty list,
 * numbers are decimal. BUNDLE_CONFIG_INVALID for a word without `=`, an unknown or repeated name, or a misspelled number.
 */
export function parseConfigWords(
	declared: Readonly<Record<string, ConfigParameter>>,
	words: readonly string[],
): Config {
	const values = new Map<string, ConfigValue>();
	for (const word of words) {
		const at = word.indexOf("=");
		const name = word.slice(0, Math.max(at, 0));
		const parameter = Object.hasOwn(declared, name) ? declared[name] : undefined;
		if (at < 1) throw invalid(`"${plain(word)}" is not NAME=VALUE`, declared);
		if (parameter === undefined)
			throw invalid(`"${plain(name)}" is not a parameter of this function`, declared);
		if (values.has(name)) throw invalid(`"${name}" is given twice`, declared);
		values.set(name, readValue(parameter, word.slice(at + 1)));
	}
	return Object.fromEntries(values);
}

/** The words that would set these values, as `parseConfigWords` reads them. */
export function formatConfigWords(config: Config): string[] {
	return Object.entries(config).map(
		([name, value]) => `${name}=${Array.isArray(value) ? value.join() : value}`,
	);
}

function readValue({ type }: ConfigParameter, text: string): ConfigValue {
	if (type === "string") return text;
	if (type === "u32") return decimal(text);
	const items = text === "" ? [] : text.split(",");
	return type === "flags" ? items : items.map(decimal);
}

function decimal(text: string): number {
	if (/^(0|[1-9]\d{0,9})$/.test(text)) return Number(text);
	throw new BundleError("BUNDLE_CONFIG_INVALID", `"${plain(text)}" is not a decimal number`);
}

function invalid(message: string, declared: Readonly<Record<string, ConfigParameter>>): BundleError {
	const names = Object.keys(declared);
	return new BundleError("BUNDLE_CONFIG_INVALID", message, {
		hint: names.length === 0 ? "this function has no parameters" : `it has: ${names.join(", ")}`,
	});
}
