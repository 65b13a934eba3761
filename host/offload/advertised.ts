// What devices say they can run, for an audit: every claim of every device, and which of them carry a function. Refuses to judge a claim:
// a tag that is vulnerable is vulnerable, whoever says that the device runs it.
import type { AuditDevice } from "../advisories/audit.ts";
import type { Host } from "../host.ts";
import { parseScope, type Scope, scopeParts } from "../scope.ts";
import { catalogueSource } from "./catalogue-source.ts";
import { type DeviceReport, deviceWord, identityOf } from "./device.ts";
import { devlinkClaims } from "./devlink.ts";
import { OffloadError } from "./errors.ts";
import { isIn, readEntries } from "./state.ts";

export interface Advertised {
	readonly devices: readonly AuditDevice[];
	/** Why devices could not be asked; then only those that carry a function are here. Null where they were. */
	readonly problem: { readonly code: string; readonly message: string } | null;
}

/** The devices of this namespace and of those in which one was given a function. OFFLOAD_STATE_MALFORMED. */
export async function advertised(host: Host): Promise<Advertised> {
	const entries = readEntries(host);
	const carried = entries.flatMap((entry) =>
		isIn(host, entry) && entry.letIn !== null
			? [{ device: deviceWord(entry.device), function: entry.function, tag: entry.letIn.tag, inUse: true }]
			: [],
	);
	const asked = new Map<string, AuditDevice>(carried.map((device) => [keyOf(device), device]));
	const spaces = [parseScope("dev:lo"), ...entries.map(({ device }) => device)];
	try {
		for (const like of new Map(spaces.map((scope) => [scopeParts(scope).netns, scope])).values()) {
			for (const device of await claimed(host, like)) {
				if (!asked.has(keyOf(device))) asked.set(keyOf(device), device);
			}
		}
	} catch (error) {
		if (!(error instanceof OffloadError)) throw error;
		return { devices: carried, problem: { code: error.code, message: error.message } };
	}
	return { devices: [...asked.values()], problem: null };
}

/** The claims of all devices that share a namespace with `like`. */
async function claimed(host: Host, like: Scope): Promise<AuditDevice[]> {
	const found: AuditDevice[] = [];
	const suffix = /@\/.*$/.exec(like)?.[0] ?? "";
	for (const report of await host.devices.show(scopeParts(like).netns)) {
		for (const { function: name, tag } of await claimsOf(host, report)) {
			found.push({ device: `${report.device}${suffix}`, function: name, tag, inUse: false });
		}
	}
	return found;
}

async function claimsOf(host: Host, report: DeviceReport) {
	const sources = host.claims ?? catalogueSource(host);
	const answers = [await sources.claims(identityOf(report, host.kernel)), devlinkClaims(report.devlink)];
	return answers.flatMap((answer) => (answer.kind === "claims" ? answer.claims : []));
}

const keyOf = ({ device, function: name, tag }: AuditDevice) => `${device} ${name} ${tag}`;
