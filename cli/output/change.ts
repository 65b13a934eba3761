// How a change of the host is told.

import type { ChangeReport } from "#host/change.ts";
import type { Output } from "../command.ts";

export type { ChangeReport };

export function changeOutput(report: ChangeReport): Output {
	return { json: report, text: "" };
}
