// Channel pointers as statements: one of each channel, and a later serial takes its place. Refuses one whose target is not what is
// published here, or was yanked: a host would find nothing that it may take.
import { demandPointsTo, type OpenedChannel, openChannel, parseChannelFile } from "#signing/channel.ts";
import { SigningError } from "#signing/errors.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { StatementKind } from "./kind.ts";

export const CHANNEL_KIND: StatementKind = {
	// Their names are a closed list.
	most: 2,
	show: "kfn channel show",
	parse: parseChannelFile,
	async open(envelope, name, { authorities }) {
		const pointer = await openChannel(envelope, name, authorities.publishers);
		const { channel, serial } = pointer;
		return { id: channel, serial, expires: null, demand: (reads) => demandOffered(reads, pointer) };
	},
};

/** How far a serial may lie above the one before: a thief of a key must not use them up at once. */
const LARGEST_JUMP = 1000;

async function demandOffered(reads: MetadataReads, pointer: OpenedChannel): Promise<void> {
	const { name, channel, version, serial } = pointer;
	const before = (await reads.findStatement({ kind: "channel", name, id: channel }))?.serial ?? 0;
	if (serial > before + LARGEST_JUMP)
		throw new SigningError("CHANNEL_SCOPE", `its serial is ${serial}, and the one before ${before}`);
	const published = await reads.findVersion(name, version);
	if (published === undefined || published.yankedAt !== null) {
		const what = published === undefined ? "is not published here" : "was yanked";
		throw new RegistryError("REGISTRY_NOT_FOUND", `${name} ${version} ${what}`, {
			hint: "a channel leads to a version that hosts may take: publish it first",
		});
	}
	demandPointsTo(pointer, published);
}
