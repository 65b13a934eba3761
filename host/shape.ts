// Reads values whose shape is documented: JSON of files and of the loader. Refuses unknown fields (`exact`), missing ones and wrong types.

/** Checks one value and returns it typed; throws ShapeError that names the place. */
export type Shape<T> = (value: unknown, where: string) => T;

/** The value is not of the documented shape; folders turn it into their own error. */
export class ShapeError extends Error {
	readonly where: string;
	constructor(where: string, expected: string) {
		super(`${where || "document"}: expected ${expected}`);
		this.name = "ShapeError";
		this.where = where;
	}
}

type Fields = Record<string, Shape<unknown>>;
type Of<S> = S extends Shape<infer T> ? T : never;
type ObjectOf<R extends Fields, O extends Fields> = { [K in keyof R]: Of<R[K]> } & {
	[K in keyof O]?: Of<O[K]>;
};

export const text: Shape<string> = (value, where) => {
	if (typeof value !== "string") throw new ShapeError(where, "a string");
	return value;
};

export const flag: Shape<boolean> = (value, where) => {
	if (typeof value !== "boolean") throw new ShapeError(where, "true or false");
	return value;
};

/** A whole number that JSON carries without loss, not negative. */
export const count: Shape<number> = (value, where) => {
	if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
		throw new ShapeError(where, "a whole number");
	}
	return value;
};

export function matching(pattern: RegExp, what: string): Shape<string> {
	return (value, where) => {
		if (typeof value !== "string" || !pattern.test(value)) throw new ShapeError(where, what);
		return value;
	};
}

export function oneOf<const T extends string | boolean>(...values: readonly T[]): Shape<T> {
	return (value, where) => {
		const found = values.find((known) => known === value);
		if (found === undefined)
			throw new ShapeError(where, values.map((known) => JSON.stringify(known)).join(" or "));
		return found;
	};
}

export function orNull<T>(shape: Shape<T>): Shape<T | null> {
	return (value, where) => (value === null ? null : shape(value, where));
}

export function listOf<T>(shape: Shape<T>, limit = 65_536): Shape<T[]> {
	return (value, where) => {
		if (!Array.isArray(value) || value.length > limit)
			throw new ShapeError(where, `a list of at most ${limit}`);
		return value.map((item, i) => shape(item, `${where}[${i}]`));
	};
}

export function mapOf<T>(shape: Shape<T>): Shape<Record<string, T>> {
	return (value, where) => {
		const entries = Object.entries(plainObject(value, where));
		return Object.fromEntries(entries.map(([key, item]) => [key, shape(item, `${where}.${key}`)]));
	};
}

export const anything: Shape<unknown> = (value) => value;

/** An object with these fields and no other. */
export function exact<R extends Fields, O extends Fields = Record<never, never>>(
	required: R,
	optional?: O,
): Shape<ObjectOf<R, O>> {
	return (value, where) => {
		const object = plainObject(value, where);
		for (const key of Object.keys(object)) {
			if (!Object.hasOwn(required, key) && !(optional !== undefined && Object.hasOwn(optional, key))) {
				throw new ShapeError(`${where}.${key}`, "no such field");
			}
		}
		return read(object, where, required, optional);
	};
}

/** An object with at least these fields; others are dropped. For answers whose writer may be newer than their reader. */
export function open<R extends Fields, O extends Fields = Record<never, never>>(
	required: R,
	optional?: O,
): Shape<ObjectOf<R, O>> {
	return (value, where) => read(plainObject(value, where), where, required, optional);
}

function read<R extends Fields, O extends Fields>(
	object: Record<string, unknown>,
	where: string,
	required: R,
	optional: O | undefined,
): ObjectOf<R, O> {
	const result: Record<string, unknown> = {};
	for (const [key, shape] of Object.entries(required)) {
		if (!Object.hasOwn(object, key)) throw new ShapeError(`${where}.${key}`, "this field");
		result[key] = shape(object[key], `${where}.${key}`);
	}
	for (const [key, shape] of Object.entries(optional ?? {})) {
		if (Object.hasOwn(object, key)) result[key] = shape(object[key], `${where}.${key}`);
	}
	return result as ObjectOf<R, O>;
}

function plainObject(value: unknown, where: string): Record<string, unknown> {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new ShapeError(where, "an object");
	return value as Record<string, unknown>;
}
