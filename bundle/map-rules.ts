// Which maps a bundle's object may declare, and how the manifest says so. Refuses whatever could outlive a load or reach out of
// the program: only private arrays, fresh and zeroed each time.
import type { ElfMap } from "./elf-maps.ts";
import { BundleError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { MapRecord, MapType } from "./manifest-shape.ts";
import { plain } from "./plain.ts";

/** BPF_MAP_TYPE_* of linux/bpf.h. */
const TYPES: ReadonlyMap<number, MapType> = new Map<number, MapType>([
	[2, "array"],
	[6, "percpu-array"],
]);
/** Of an array: its index. */
const KEY_BYTES = 4;

/** The record of a map in the manifest. BUNDLE_MAP_UNSUPPORTED. */
export function mapRecord(object: string, map: ElfMap): MapRecord {
	const refuse = (what: string): never => {
		throw new BundleError("BUNDLE_MAP_UNSUPPORTED", `${object}: the map "${plain(map.name)}" ${what}`, {
			hint: 'docs/formats/bundle.md, "Maps", says which maps a function may have',
			details: { object, map: map.name },
		});
	};
	const type =
		TYPES.get(map.type) ?? refuse(`is of type ${map.type}; only arrays and per-CPU arrays are allowed`);
	if (map.keySize !== KEY_BYTES) refuse(`has keys of ${map.keySize} bytes; an array's have ${KEY_BYTES}`);
	const record: MapRecord = {
		name: map.name,
		type,
		valueSize: map.valueSize,
		entries: map.maxEntries === 0 ? "possible-cpus" : map.maxEntries,
	};
	const wrong = mapMisfit(record);
	return wrong === undefined ? record : refuse(wrong);
}

/** What of a record is beyond the limits; undefined where it fits. */
export function mapMisfit({ type, valueSize, entries }: MapRecord): string | undefined {
	const most = type === "array" ? LIMITS.mapValueBytes : LIMITS.perCpuMapValueBytes;
	if (valueSize < 1 || valueSize > most) return `has values of ${valueSize} bytes; the limit is ${most}`;
	if (entries === "possible-cpus") return undefined;
	if (entries > LIMITS.mapEntries) return `has ${entries} entries; the limit is ${LIMITS.mapEntries}`;
	const bytes = entries * valueSize;
	return bytes > LIMITS.mapBytes ? `has ${bytes} bytes; the limit is ${LIMITS.mapBytes}` : undefined;
}
