// Man pages (man(7), troff) of every command, and kfn(1) over all. Refuses to say what the command table does not.

import type { ArgumentEntry, CommandEntry, FlagEntry } from "./command-table.ts";

export interface ManPage {
	/** `kfn-registry-init.1` */
	readonly file: string;
	readonly text: string;
}

const EXITS: readonly (readonly [string, string])[] = [
	["0", "Done."],
	["1", "Refused: the message has a code and a hint."],
	["2", "Usage."],
	["3", "Security: a signature, a digest or the registry's metadata does not hold. No flag skips it."],
	["70", "A bug in kfn."],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
	["KFN_ROOT", "The folder below which /etc/kfn, /var/lib/kfn and /sys/fs/bpf/kfn lie."],
	["KFN_REGISTRY", "The registry's address."],
	["KFN_TOKEN", "The registry's token."],
	["KFN_PASSPHRASE", "The passphrase of secret key files."],
	["KFN_SIGNING_KEY", "A secret key itself, for automation."],
	["KFN_LOADER", "The loader's binary."],
];

const FILES: readonly (readonly [string, string])[] = [
	["/etc/kfn", "Settings, the registry's pinned root, publishers that this host trusts itself."],
	[
		"/etc/kfn/off",
		"While it exists, nothing is loaded at boot; so does kfn=off on the kernel's command line.",
	],
	["/var/lib/kfn", "Bundles, generations, and what was verified of the registry."],
	["/sys/fs/bpf/kfn", "Pins of what runs."],
];

/** kfn(1) and a page for each command. `date` is the day of the release, YYYY-MM-DD. */
export function manPages(table: readonly CommandEntry[], version: string, date: string): ManPage[] {
	const release = { version, date };
	return [overview(table, release), ...table.map((command) => commandPage(command, table, release))];
}

interface Release {
	readonly version: string;
	readonly date: string;
}

export function pageName(words: readonly string[]): string {
	return ["kfn", ...words].join("-");
}

function overview(table: readonly CommandEntry[], release: Release): ManPage {
	const lines = [
		...header("kfn", release),
		".SH NAME",
		"kfn \\- package manager for kernel functions",
		".SH SYNOPSIS",
		".B kfn",
		".I COMMAND",
		".RI [ ARGUMENTS ]",
		".SH DESCRIPTION",
		"Kernel functions, such as the flow dissector, are shipped as signed eBPF bundles, loaded at boot, swapped atomically on a live",
		"host, and rolled back in one command. Nothing stays resident.",
		".SH COMMANDS",
		...table.flatMap(({ words, summary }) => [".TP", `.BR ${troff(pageName(words))} (1)`, sentence(summary)]),
		...commonSections(),
	];
	return { file: "kfn.1", text: join(lines) };
}

function commandPage(command: CommandEntry, table: readonly CommandEntry[], release: Release): ManPage {
	const name = pageName(command.words);
	const lines = [
		...header(name, release),
		".SH NAME",
		`${troff(name)} \\- ${troff(lowerFirst(command.summary))}`,
		".SH SYNOPSIS",
		`.B kfn ${troff(command.words.join(" "))}`,
		...command.args.map(argumentSynopsis),
		...command.flags.filter((flag) => flag.required).map((flag) => `${flagHead(flag)}`),
		".RI [ OPTIONS ]",
		...section("DESCRIPTION", [sentence(command.summary), ...paragraphs(command.description)]),
		...section(
			"ARGUMENTS",
			command.args.flatMap((arg) => [".TP", `.I ${upper(arg.name)}`, sentence(arg.description)]),
		),
		...section(
			"OPTIONS",
			command.flags.flatMap((flag) => [".TP", flagHead(flag), flagText(flag)]),
		),
		...section("EXAMPLES", command.examples.flatMap(example)),
		...commonSections(neighbours(command, table)),
	];
	return { file: `${name}.1`, text: join(lines) };
}

function header(name: string, { version, date }: Release): string[] {
	return [
		'.\\" Made by cli/package/man-pages.ts from the commands themselves.',
		`.TH ${troff(name.toUpperCase())} 1 "${date}" "kfn ${version}" "kfn"`,
	];
}

function commonSections(seeAlso: readonly string[] = []): string[] {
	const pairs = (entries: readonly (readonly [string, string])[], macro: string) =>
		entries.flatMap(([name, text]) => [".TP", `${macro} ${troff(name)}`, troff(text)]);
	return [
		...section("EXIT STATUS", pairs(EXITS, ".B")),
		...section("ENVIRONMENT", pairs(ENVIRONMENT, ".B")),
		...section("FILES", pairs(FILES, ".I")),
		...(seeAlso.length === 0
			? []
			: section("SEE ALSO", [seeAlso.map((page) => `${troff(page)}(1)`).join(", ")])),
	];
}

/** kfn(1) and the commands of the same topic. */
function neighbours({ words }: CommandEntry, table: readonly CommandEntry[]): string[] {
	const topic = words.slice(0, -1).join(" ");
	const same = table.filter((other) => other.words.slice(0, -1).join(" ") === topic && topic !== "");
	return ["kfn", ...same.map((other) => pageName(other.words)).filter((page) => page !== pageName(words))];
}

function argumentSynopsis({ name, required }: ArgumentEntry): string {
	return required ? `.I ${upper(name)}` : `.RI [ ${upper(name)} ]`;
}

function flagHead({ name, char, value }: FlagEntry): string {
	const spelled = `${char === undefined ? "" : `\\-${char}, `}\\-\\-${troff(name)}`;
	return value === undefined ? `.B ${spelled}` : `.BI "${spelled} " ${troff(value)}`;
}

function flagText(flag: FlagEntry): string {
	const notes = [
		...(flag.required ? ["required"] : []),
		...(flag.multiple ? ["may be given several times"] : []),
		...(flag.defaultValue === undefined || flag.defaultValue === "" ? [] : [`default: ${flag.defaultValue}`]),
	];
	const text = notes.length === 0 ? flag.description : `${flag.description} (${notes.join("; ")})`;
	return sentence(text);
}

function example(text: string): string[] {
	return [".PP", ".nf", ".RS", troff(text.trim()), ".RE", ".fi"];
}

function section(title: string, lines: readonly string[]): string[] {
	return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

function paragraphs(text: string): string[] {
	return text === "" ? [] : text.split(/\n{2,}/).flatMap((paragraph) => [".PP", troff(paragraph)]);
}

/** A line that troff prints as it stands: backslashes, dashes that are options, and dots or quotes at a line's start. */
function troff(text: string): string {
	return text
		.replaceAll("\\", "\\e")
		.replaceAll("-", "\\-")
		.replace(/^([.'])/gm, "\\&$1");
}

function sentence(text: string): string {
	const clean = troff(text.charAt(0).toUpperCase() + text.slice(1));
	return /[.!?)]$/.test(clean) || clean === "" ? clean : `${clean}.`;
}

function lowerFirst(text: string): string {
	return text.charAt(0).toLowerCase() + text.slice(1);
}

function upper(name: string): string {
	return troff(name.toUpperCase());
}

function join(lines: readonly string[]): string {
	return `${lines.filter((line) => line !== "").join("\n")}\n`;
}
