import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { keyFlag } from "../flags.ts";

export class Build extends KfnCommand {
	static override summary = "Compile a package folder into a bundle";
	static override args = {
		package: Args.directory({ required: true, exists: true, description: "folder with kfn.package.json" }),
	};
	static override flags = {
		out: Flags.string({
			char: "o",
			default: ".",
			description: "file to write, or folder to write NAME-VERSION.kfn into",
		}),
		key: keyFlag({ description: "sign with this key file" }),
		force: Flags.boolean({ description: "overwrite the file" }),
		"if-changed": Flags.boolean({
			description: "do nothing when the file already holds exactly this bundle",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Build);
		const { build } = await import("#cli/ops/build.ts");
		return build(this.context(flags), {
			dir: args.package,
			out: flags.out,
			keys: flags.key,
			force: flags.force,
			ifChanged: flags["if-changed"],
		});
	}
}
