// Shell completions for bash and fish, made from the command table; zsh takes bash's. They never run kfn: a completion that
// starts a runtime is felt.

import type { CommandEntry, FlagEntry } from "./command-table.ts";

/** For /usr/share/bash-completion/completions/kfn. */
export function bashCompletion(table: readonly CommandEntry[]): string {
	const cases = [...levels(table)].map(([path, names]) => `\t"${path}") printf '%s' "${names.join(" ")}" ;;`);
	const flags = table.map(
		({ words, flags }) => `\t"${words.join(" ")}") printf '%s' "${flagWords(flags)}" ;;`,
	);
	const options = table.flatMap(({ words, flags }) =>
		flags
			.filter((flag) => flag.options.length > 0)
			.map((flag) => `\t"${words.join(" ")} --${flag.name}") printf '%s' "${flag.options.join(" ")}" ;;`),
	);
	const plain = [...new Set(table.flatMap(({ flags }) => flags.filter(takesText).map((f) => `--${f.name}`)))];
	return `# bash completion for kfn; made by cli/package/completions.ts from the commands themselves.
_kfn_next() {
	case "$1" in
${cases.join("\n")}
	esac
}
_kfn_flags() {
	case "$1" in
${flags.join("\n")}
	esac
}
_kfn_options() {
	case "$1" in
${options.join("\n")}
	esac
}
_kfn() {
	local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path= word i choices
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=\${COMP_WORDS[i]}
		case " $(_kfn_next "$path") " in
		*" $word "*) path=\${path:+$path }$word ;;
		*) break ;;
		esac
	done
	choices=$(_kfn_options "$path $previous")
	if [ -n "$choices" ]; then
		:
	elif [ "\${current#-}" != "$current" ]; then
		choices=$(_kfn_flags "$path")
	elif [ "$i" = "$COMP_CWORD" ]; then
		choices=$(_kfn_next "$path")
	else
		case " ${plain.join(" ")} " in
		*" $previous "*) COMPREPLY=(); compopt +o default 2>/dev/null; return ;;
		esac
	fi
	COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o default -F _kfn kfn
`;
}

/** For /usr/share/zsh/vendor-completions/_kfn: zsh runs bash's functions. */
export function zshCompletion(): string {
	return `#compdef kfn
# zsh completion for kfn: bash's, which zsh can run (zshcompsys(1), bashcompinit).
autoload -Uz +X bashcompinit && bashcompinit
source /usr/share/bash-completion/completions/kfn
_bash_complete -o default -F _kfn
`;
}

/** For /usr/share/fish/vendor_completions.d/kfn.fish. */
export function fishCompletion(table: readonly CommandEntry[]): string {
	const words = [...levels(table)].flatMap(([path, names]) =>
		names.map((name) => {
			const full = path === "" ? name : `${path} ${name}`;
			return `complete -c kfn -f -n "__kfn_at ${quote(path)}" -a ${name} -d ${quote(summaryOf(table, full))}`;
		}),
	);
	const flags = table.flatMap(({ words: command, flags: entries }) =>
		entries.map((flag) => {
			const value = flag.value === undefined ? "" : flag.options.length > 0 ? " -x" : " -r";
			const choices = flag.options.length > 0 ? ` -a ${quote(flag.options.join(" "))}` : "";
			return `complete -c kfn -n "__kfn_in ${quote(command.join(" "))}" -l ${flag.name}${value}${choices} -d ${quote(flag.description)}`;
		}),
	);
	return `# fish completion for kfn; made by cli/package/completions.ts from the commands themselves.
function __kfn_words
	string match -v -- '-*' (commandline -opc)[2..-1]
end
function __kfn_at
	set -l words (__kfn_words)
	test "$words" = "$argv[1]"
end
function __kfn_in
	set -l words (__kfn_words)
	string match -q -- "$argv[1] *" "$words "
end
${[...words, ...flags].join("\n")}
`;
}

/** What may follow each beginning of a command: "" → build, registry …; "registry token" → create, list, revoke. */
function levels(table: readonly CommandEntry[]): Map<string, string[]> {
	const next = new Map<string, Set<string>>();
	for (const { words } of table) {
		words.forEach((word, i) => {
			const path = words.slice(0, i).join(" ");
			next.set(path, (next.get(path) ?? new Set()).add(word));
		});
	}
	return new Map([...next].map(([path, names]) => [path, [...names].sort()]));
}

function flagWords(flags: readonly FlagEntry[]): string {
	return flags.map(({ name }) => `--${name}`).join(" ");
}

/** A value that is no file: completing file names there would mislead. */
function takesText(flag: FlagEntry): boolean {
	return flag.value !== undefined && !/FILE|DIR|PATH|PUB|CMD/.test(flag.value);
}

function summaryOf(table: readonly CommandEntry[], path: string): string {
	return table.find(({ words }) => words.join(" ") === path)?.summary ?? "";
}

function quote(text: string): string {
	return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
