// What the demo prints: numbered steps, the commands as a user would type them, and their output.

const started = performance.now();
const colour = process.stdout.isTTY === true;

function paint(code: number, text: string): string {
	return colour ? `\x1b[${code}m${text}\x1b[0m` : text;
}

export function step(number: number, title: string): void {
	const seconds = ((performance.now() - started) / 1000).toFixed(1);
	process.stdout.write(`\n${paint(1, `${number}. ${title}`)}  ${paint(2, `(${seconds} s)`)}\n`);
}

export function command(line: string): void {
	process.stdout.write(`   ${paint(36, `$ ${line}`)}\n`);
}

export function output(text: string): void {
	for (const line of text.trimEnd().split("\n")) process.stdout.write(`   ${line}\n`);
}

export function result(text: string): void {
	process.stdout.write(`   ${paint(32, "✓")} ${text}\n`);
}

/** Ends the demo with a failure that says what did not hold. */
export function demand(holds: boolean, what: string): asserts holds {
	if (!holds) throw new Error(`the demo failed: ${what}`);
}
