// The name pattern of a token: a literal bundle name, or a prefix that ends in one `*`, as in publishers.json.
// Refuses regular expressions and any other wildcard.
const PATTERN = /^(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?|(?:[a-z0-9][a-z0-9-]{0,62})?\*)$/;

export function isNamePattern(text: string): boolean {
	return PATTERN.test(text);
}

export function matchesName(pattern: string, name: string): boolean {
	return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}
