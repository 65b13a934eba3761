// The commands as data, for man pages and completions: what oclif knows of each, without its defaults. One source, so that a
// flag that exists is documented, and one that is documented exists.

import { COMMANDS } from "#cli/commands/index.ts";

export interface FlagEntry {
	readonly name: string;
	readonly char: string | undefined;
	readonly description: string;
	/** What stands for the value; undefined for a switch. */
	readonly value: string | undefined;
	/** The only values it takes; empty where any goes. */
	readonly options: readonly string[];
	readonly multiple: boolean;
	readonly required: boolean;
	readonly defaultValue: string | undefined;
}

export interface ArgumentEntry {
	readonly name: string;
	readonly description: string;
	readonly required: boolean;
}

export interface CommandEntry {
	/** As it is typed after `kfn`: `registry token list`. */
	readonly words: readonly string[];
	readonly summary: string;
	readonly description: string;
	readonly args: readonly ArgumentEntry[];
	readonly flags: readonly FlagEntry[];
	readonly examples: readonly string[];
}

interface AnyFlag {
	readonly type: string;
	readonly char?: string;
	readonly summary?: string;
	readonly description?: string;
	readonly helpValue?: string | string[];
	readonly options?: readonly string[];
	readonly multiple?: boolean;
	readonly required?: boolean;
	readonly hidden?: boolean;
	readonly default?: unknown;
	readonly allowNo?: boolean;
}

/** Every command, sorted as typed. */
export function commandTable(): CommandEntry[] {
	return Object.entries(COMMANDS)
		.map(([id, command]) => ({
			words: id.split(":"),
			summary: command.summary ?? "",
			description: command.description ?? "",
			args: Object.entries(command.args ?? {}).map(([name, arg]) => ({
				name,
				description: arg.description ?? "",
				required: arg.required === true,
			})),
			flags: flagsOf({ ...command.baseFlags, ...command.flags } as Record<string, AnyFlag>),
			examples: examplesOf(command.examples),
		}))
		.sort((a, b) => (a.words.join(" ") < b.words.join(" ") ? -1 : 1));
}

function flagsOf(flags: Record<string, AnyFlag>): FlagEntry[] {
	return Object.entries(flags)
		.filter(([, flag]) => flag.hidden !== true)
		.map(([name, flag]) => ({
			name,
			char: flag.char,
			description: flag.description ?? flag.summary ?? "",
			value: flag.type === "boolean" ? undefined : placeholder(flag),
			options: flag.options ?? [],
			multiple: flag.multiple === true,
			required: flag.required === true,
			defaultValue: defaultOf(flag.default),
		}))
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function placeholder({ helpValue, options }: AnyFlag): string {
	if (options !== undefined) return options.join("|");
	return (Array.isArray(helpValue) ? helpValue[0] : helpValue) ?? "VALUE";
}

function defaultOf(value: unknown): string | undefined {
	return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function examplesOf(examples: readonly unknown[] | undefined): string[] {
	return (examples ?? []).map((example) => {
		const text =
			typeof example === "string" ? example : String((example as { command?: unknown }).command ?? "");
		return text.replaceAll("<%= config.bin %>", "kfn").replaceAll("<%= command.id %>", "");
	});
}
