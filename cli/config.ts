// What oclif has to know of this program: its name, its topics, its commands. For help it gets all of it; to run one
// command it gets that command alone, because describing all of them costs as much as starting node does again.

import { type Command, Config, type Interfaces } from "@oclif/core";

type Table = Readonly<Record<string, Command.Class>>;
type Plugin = Interfaces.Plugin;

const TOPICS = {
	auto: { description: "Upgrade this host unattended" },
	boot: { description: "Load functions at boot" },
	catalogue: { description: "What vendors' hardware runs, by device and firmware" },
	channel: { description: "Channels of bundles: signed pointers to a version" },
	key: { description: "Keys of publishers, and of a registry's signers" },
	"kernel-key": { description: "Keys whose signatures the kernel itself can check" },
	lockdown: { description: "Which BPF programs the kernel lets in" },
	log: { description: "The registry's transparency log" },
	permit: { description: "Permits to go back to an older version" },
	registry: { description: "Run a registry" },
	"registry:publisher": { description: "Who may publish what through a registry" },
	"registry:token": { description: "Tokens of a registry" },
	"registry:vendor": { description: "Who may say, through a registry, what which hardware runs" },
	root: { description: "Root and targets keys of a registry: drafts, signing, rotation" },
	trust: { description: "Whose bundles this host runs" },
	"trust:root": { description: "The registry's root that this host has pinned" },
	"trust:vendor": { description: "Whose word this host takes on which hardware" },
};

export interface Program {
	readonly version: string;
	/** Folder of the package. */
	readonly top: string;
	/** The file that exports the command table as COMMANDS. */
	readonly tableFile: string;
	readonly commands: Table;
}

/** The configuration for this command line, and the words that oclif is to run with it. */
export async function loadConfig(
	program: Program,
	argv: readonly string[],
): Promise<{ config: Config; words: string[] }> {
	const pjson = packageOf(program);
	const id = wantsHelp(argv) ? undefined : commandOf(program.commands, argv);
	if (id === undefined) return { config: await Config.load({ root: program.top, pjson }), words: [...argv] };
	const plugins = new Map([["kfn", onlyCommand(program, pjson, id)]]);
	const config = await Config.load({ root: program.top, pjson, plugins });
	return { config, words: [id, ...argv.slice(id.split(":").length)] };
}

function packageOf({ version, tableFile }: Program): Interfaces.PJSON {
	return {
		name: "kfn",
		version,
		type: "module",
		oclif: {
			bin: "kfn",
			topicSeparator: " ",
			// The table is explicit, so that the bundler sees every command.
			commands: { strategy: "explicit", target: tableFile, identifier: "COMMANDS" },
			topics: TOPICS,
		},
	} as unknown as Interfaces.PJSON;
}

function wantsHelp(argv: readonly string[]): boolean {
	const end = argv.indexOf("--");
	return (end < 0 ? argv : argv.slice(0, end)).includes("--help");
}

/** The longest command that argv begins with: `registry token list` before `registry`. */
function commandOf(commands: Table, argv: readonly string[]): string | undefined {
	for (let words = Math.min(argv.length, 3); words > 0; words--) {
		const id = argv.slice(0, words).join(":");
		if (Object.hasOwn(commands, id)) return id;
	}
	return undefined;
}

/** The program as an oclif plugin that has one command. */
function onlyCommand({ top, version, commands }: Program, pjson: Interfaces.PJSON, id: string): Plugin {
	const command = commands[id]!;
	const plugin = {
		_base: "",
		alias: "kfn",
		name: "kfn",
		root: top,
		version,
		pjson,
		type: "core",
		moduleType: "module",
		isRoot: true,
		valid: true,
		hasManifest: false,
		hooks: {},
		options: { root: top },
		commandIDs: [id],
		commandsDir: undefined,
		topics: Object.entries(TOPICS).map(([name, topic]) => ({ name, ...topic })),
		findCommand: async () => command,
		load: async () => {},
		commands: [] as Command.Loadable[],
	};
	Object.assign(command, { id, plugin });
	const { summary, description } = command;
	const described = {
		id,
		summary,
		description,
		aliases: [],
		hiddenAliases: [],
		hidden: false,
		args: {},
		flags: {},
	};
	plugin.commands = [
		{
			...described,
			args: command.args,
			flags: {},
			strict: true,
			load: async () => command,
		} as unknown as Command.Loadable,
	];
	return plugin as unknown as Plugin;
}
