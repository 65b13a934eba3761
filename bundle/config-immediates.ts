// Parameters as they stand in a program's instructions (docs/formats/config.md). Reads them; the loader is what writes them.
import type { ConfigParameter } from "./config.ts";

const INSN_BYTES = 8;
/** BPF_LD | BPF_IMM | BPF_DW, the only instruction of two slots (Linux, Documentation/bpf/standardization/instruction-set.rst). */
const LOAD_IMMEDIATE = 0x18;
const MARK = 0x6b66;
/** What an element of a list says that the list does not have. */
const ABSENT = 0x10000;

export interface ConfigImmediate {
	/** Place of the parameter among the names, sorted by bytes. */
	readonly parameter: number;
	/** Place in a list; 0 otherwise. */
	readonly element: number;
	/** The value, unsigned. */
	readonly value: number;
}

/** The parameters' places in `insns`, in their order; a truncated last instruction is left out. */
export function configImmediates(insns: Uint8Array): ConfigImmediate[] {
	const view = new DataView(insns.buffer, insns.byteOffset, insns.byteLength);
	const found: ConfigImmediate[] = [];
	for (let at = 0; at + INSN_BYTES <= insns.length; at += INSN_BYTES) {
		if (view.getUint8(at) !== LOAD_IMMEDIATE) continue;
		const isPlain = view.getUint8(at + 1) >> 4 === 0;
		const second = at + INSN_BYTES;
		if (isPlain && second + INSN_BYTES <= insns.length) {
			const name = view.getUint32(second + 4, true);
			const value = view.getUint32(at + 4, true);
			if (name >>> 16 === MARK) found.push({ parameter: (name >>> 8) & 0xff, element: name & 0xff, value });
		}
		at = second;
	}
	return found;
}

/** Says in what a program and the declared parameters differ; undefined where they agree. */
export function configMismatch(
	insns: Uint8Array,
	declared: Readonly<Record<string, ConfigParameter>>,
): string | undefined {
	const names = Object.keys(declared).sort();
	const used = new Map<number, number>();
	for (const { parameter, element, value } of configImmediates(insns)) {
		const name = names[parameter];
		if (name === undefined) return `it uses parameter ${parameter}, which the manifest does not declare`;
		const expected = defaultAt(declared[name]!, element);
		if (expected === undefined)
			return `it uses ${name}[${element}], which a ${declared[name]!.type} does not have`;
		if (value !== expected)
			return `${name}[${element}] is ${value} in it, and ${expected} by the manifest's default`;
		used.set(parameter, Math.max(used.get(parameter) ?? 0, element + 1));
	}
	for (const [i, name] of names.entries()) {
		const places = used.get(i);
		if (places === undefined) return `it does not use the parameter ${name}`;
		const length = lengthOf(declared[name]!);
		if (length > places) return `it has ${places} places for ${name}, whose default has ${length} elements`;
	}
	return undefined;
}

function defaultAt(parameter: ConfigParameter, element: number): number | undefined {
	if (parameter.type === "u16-list") return parameter.default[element] ?? ABSENT;
	if (element !== 0) return undefined;
	if (parameter.type === "u32") return parameter.default;
	if (parameter.type === "string") return undefined;
	return (
		parameter.names.reduce(
			(bits, name, i) => (parameter.default.includes(name) ? bits | (1 << i) : bits),
			0,
		) >>> 0
	);
}

function lengthOf(parameter: ConfigParameter): number {
	return parameter.type === "u16-list" ? parameter.default.length : 1;
}
