import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag, listFlag } from "../../flags.ts";

const claimed = (description: string) => Flags.integer({ min: 1, max: 65535, description });

export class CatalogueMake extends KfnCommand {
	static override summary =
		"Write down which functions a vendor's hardware runs, or what follows such a catalogue";
	static override flags = {
		from: Flags.file({
			helpValue: "FILE",
			description: "the catalogue that this one follows, with the next serial",
		}),
		id: Flags.string({ description: "names the line of its successors" }),
		issuer: Flags.string({ description: "who says it, as the maps of vendors name him" }),
		hardware: Flags.string({ helpValue: "BUS:VENDOR", description: "such as pci:8086" }),
		device: listFlag({ helpValue: "ID", description: "device id, such as 1592" }),
		subsystem: listFlag({ helpValue: "VENDOR:DEVICE", description: "a board; every board without it" }),
		driver: Flags.string({ description: "as ethtool -i names it" }),
		firmware: listFlag({
			helpValue: "VERSION",
			description:
				"exactly as ethtool -i prints it; several in the order of their release; with --from, those to add",
		}),
		"keep-entries": Flags.boolean({
			dependsOn: ["from"],
			description: "what the one before claims for its newest firmware holds for the added, too",
		}),
		without: listFlag({ helpValue: "TAG", description: "of the one before, what is claimed no more" }),
		bundle: listFlag({
			helpValue: "FILE",
			description: ".kfn file whose function, ABI, tag and default config are claimed",
		}),
		entry: listFlag({
			helpValue: "FUNCTION/ABI=TAG",
			description: "a claim without a bundle; wants --config",
		}),
		config: Flags.string({
			helpValue: "DIGEST",
			description: "of the config that the engine is built for, or any: it takes what the host sets",
		}),
		since: Flags.string({
			helpValue: "VERSION",
			description: "first firmware that holds the new claims [default: the first that --from is added]",
		}),
		until: Flags.string({ helpValue: "VERSION", description: "last firmware that holds them" }),
		"max-segments": claimed("segments that the engine cuts or merges at most"),
		"header-depth": claimed("bytes from the frame's start to the last header's end that it reads"),
		protocol: listFlag({ helpValue: "WORD", description: "what it takes: ipv4, tcp, …" }),
		days: Flags.integer({ default: 365, min: 1, max: 400, description: "how long it counts" }),
		key: keyFlag({ description: "key file; without one, the catalogue is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the catalogue's file" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(CatalogueMake);
		const { makeCatalogue } = await import("#cli/ops/catalogue-make.ts");
		return makeCatalogue(this.context(flags), {
			from: flags.from,
			id: flags.id,
			issuer: flags.issuer,
			hardware: flags.hardware,
			driver: flags.driver,
			devices: flags.device,
			subsystems: flags.subsystem,
			firmware: flags.firmware,
			keepEntries: flags["keep-entries"],
			without: flags.without,
			bundles: flags.bundle,
			entries: flags.entry,
			config: flags.config,
			maxSegments: flags["max-segments"],
			headerDepth: flags["header-depth"],
			protocols: flags.protocol,
			since: flags.since,
			until: flags.until,
			days: flags.days,
			keys: flags.key,
			out: flags.out,
		});
	}
}
