// How long the recall list may be believed, for people. Refuses to call one good whose time is over.
import type { RecallStatus } from "#host/recall/list-state.ts";

/** One line. */
export function recallText({ state, checked, expires, stopsAt }: RecallStatus): string {
	switch (state) {
		case "none":
			return "recall: the registry has no recall list";
		case "unread":
			return "recall: the list was not read yet (kfn recall check)";
		case "fresh":
			return `recall: list good until ${expires}, last vouched for at ${checked}`;
		case "expired":
			return `recall: WARNING: the list expired at ${expires}: a recall may be withheld${stopsAt === null ? "" : `; stops at ${stopsAt}`}`;
		case "stopped":
			return `recall: STOPPED: the list expired at ${expires}, and policy stopped what it could have recalled at ${stopsAt}`;
	}
}
