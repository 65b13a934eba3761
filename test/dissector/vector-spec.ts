// A packet that becomes a vector, and the ways to make one of another. Refuses to say what the answer is.
import { eth, type Layer, packet } from "./packet.ts";

export interface VectorSpec {
	readonly name: string;
	readonly why: string;
	readonly data: Uint8Array;
	readonly flags: number;
}

export function vector(name: string, why: string, layers: readonly Layer[], flags = 0): VectorSpec {
	return { name, why, data: packet(eth(), ...layers), flags };
}

/** The same packet with only its first `length` bytes. */
export function cut(spec: VectorSpec, length: number, what: string): VectorSpec {
	return { ...spec, name: `${spec.name}-cut-${length}`, why: what, data: spec.data.slice(0, length) };
}

/** The same packet with one byte changed. */
export function twist(spec: VectorSpec, name: string, why: string, at: number, value: number): VectorSpec {
	const bytes = spec.data.slice();
	bytes[at] = value;
	return { ...spec, name, why, data: bytes };
}

export function prefixed(prefix: string, specs: readonly VectorSpec[]): readonly VectorSpec[] {
	return specs.map((spec) => ({ ...spec, name: `${prefix}-${spec.name}` }));
}

export function repeat(count: number, make: (index: number) => Layer): readonly Layer[] {
	return Array.from({ length: count }, (_, index) => make(index));
}
