// kfn explain: whether the kernel's own C code, a bundle, a device or somebody else's program does a function's work, and why.
import { type ExplainReport, type Explanation, explain as hostExplain } from "#host/explain.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";

export async function explain(
	context: Context,
	input: { function: string; scope: string | undefined },
): Promise<Output> {
	const report: ExplainReport = await hostExplain(openContextHost(context), input);
	const text = report.places.flatMap((place) => [
		`${place.scope}: ${activeText(place)}`,
		...place.because.map((reason) => `  ${reason}`),
	]);
	return { json: report, text: text.join("\n") };
}

function activeText({ active, bundle }: Explanation): string {
	const named = bundle === null ? "" : `${bundle.name} ${bundle.version}`;
	switch (active) {
		case "bundle":
			return `${named} (${bundle?.tag ?? ""})`;
		case "device":
			return `a device, as ${named}`;
		case "kernel":
			return bundle === null ? "the kernel's own C code" : `the kernel's own C code, not ${named}`;
		case "foreign":
			return "a program that is not kfn's";
		case "unknown":
			return "cannot tell";
	}
}
