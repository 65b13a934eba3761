// The maps that an object declares in .maps, read from its BTF as libbpf reads them. Refuses what libbpf would take and kfn has
// no meaning for: pins, inner maps, flags, initial values; which types and sizes a bundle may have is said in map-rules.ts.
import { BTF_KIND, type Btf, type BtfType, btfSize, btfType, readBtf } from "./btf.ts";
import { type ElfFile, elfInvalid } from "./elf-file.ts";
import { MAPS } from "./elf-link.ts";
import { plain } from "./plain.ts";

/** A map as it stands in the object; sizes in bytes. */
export interface ElfMap {
	readonly name: string;
	/** BPF_MAP_TYPE_* of linux/bpf.h. */
	readonly type: number;
	readonly keySize: number;
	readonly valueSize: number;
	readonly maxEntries: number;
}

/** Global variables only, sorted by name. BUNDLE_ELF_INVALID. */
export function readMaps(elf: ElfFile): ElfMap[] {
	const section = elf.sections.find(({ name }) => name === MAPS);
	if (section === undefined || section.size === 0) return [];
	const bytes = elf.sections.find(({ name }) => name === ".BTF")?.bytes;
	if (bytes === undefined) throw elfInvalid("has maps without .BTF");
	if (section.bytes.some((byte) => byte !== 0)) throw elfInvalid("has maps with initial values");
	const btf = readBtf(bytes);
	const sections = btf.types.filter((type) => type?.kind === BTF_KIND.DATASEC && type.name === MAPS);
	const [variables] = sections;
	if (variables === undefined || sections.length > 1)
		throw elfInvalid("has maps that its BTF does not declare");
	const maps = variables.members.map(({ type }) => readMap(btf, btf.types[type]));
	const names = new Set(maps.map(({ name }) => name));
	const symbols = elf.symbols.filter(({ section: index, name }) => index === section.index && name !== "");
	if (names.size !== maps.length || symbols.some(({ name, isLocal }) => isLocal || !names.has(name)))
		throw elfInvalid("has maps that are static, repeated or not declared in its BTF");
	return maps.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readMap(btf: Btf, variable: BtfType | undefined): ElfMap {
	if (variable?.kind !== BTF_KIND.VAR) throw elfInvalid("has something in .maps that is no variable");
	const shown = `the map "${plain(variable.name)}"`;
	const definition = btfType(btf, variable.sizeOrType);
	if (definition.kind !== BTF_KIND.STRUCT) throw elfInvalid(`has ${shown} that is no structure`);
	const fields = new Map<string, number>();
	for (const { name, type } of definition.members) {
		const [field, value] = readField(btf, name, btfType(btf, type), shown);
		if (fields.has(field)) throw elfInvalid(`has ${shown} that says ${field} twice`);
		fields.set(field, value);
	}
	const said = (field: string): number => {
		const value = fields.get(field);
		if (value === undefined) throw elfInvalid(`has ${shown} that does not say ${field}`);
		return value;
	};
	return {
		name: variable.name,
		type: said("type"),
		keySize: said("key_size"),
		valueSize: said("value_size"),
		maxEntries: fields.get("max_entries") ?? 0,
	};
}

/** A number is the length of an array that a pointer points to; a type is what a pointer points to. */
function readField(btf: Btf, name: string, type: BtfType, shown: string): [string, number] {
	if (type.kind !== BTF_KIND.PTR) throw elfInvalid(`has ${shown} whose ${plain(name)} is no pointer`);
	if (name === "key" || name === "value") return [`${name}_size`, btfSize(btf, type.sizeOrType)];
	if (!["type", "key_size", "value_size", "max_entries"].includes(name))
		throw elfInvalid(`has ${shown} with the attribute ${plain(name)}, which kfn does not allow`);
	const { array } = btfType(btf, type.sizeOrType);
	if (array === undefined) throw elfInvalid(`has ${shown} whose ${plain(name)} is no number`);
	return [name, array.count];
}
