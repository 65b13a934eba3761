// The text format of golden CLI sessions: what was typed, and everything that came back. Refuses a file whose meaning depends on invisible characters.
//
//   # a comment; blank lines separate steps
//   $ kfn show flow-dissector          one shell line
//   flow-dissector 1.0.1               lines of stdout
//   ! warning: …                       lines of stderr, after stdout
//   ? 3                                exit code, where it is not 0
//
// A line of output that would read as one of these (or a last blank line) has a `\` before it; `\c` says that the
// stream did not end with a newline.

/** One command with everything it answered, masks applied. */
export interface Step {
	/** Comment and blank lines before the command, as they stand. */
	readonly before: readonly string[];
	readonly command: string;
	readonly stdout: string;
	readonly stderr: string;
	readonly exit: number;
}

export interface Session {
	readonly steps: readonly Step[];
	/** Comment and blank lines after the last step. */
	readonly after: readonly string[];
}

/** What a step answered. */
export type Answer = Pick<Step, "stdout" | "stderr" | "exit">;

/** Parses a session; throws with the line number where a line of output stands before the first command. */
export function parseSession(text: string): Session {
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	const steps: Step[] = [];
	let before: string[] = [];
	for (let at = 0; at < lines.length; ) {
		const line = lines[at]!;
		if (line.startsWith("$ ")) {
			const end = answerEnd(lines, at + 1);
			steps.push({ before, command: line.slice(2), ...parseAnswer(lines.slice(at + 1, end)) });
			before = [];
			at = end;
		} else if (line === "" || line.startsWith("#")) {
			before.push(line);
			at++;
		} else {
			throw new Error(`line ${at + 1} belongs to no command: ${line}`);
		}
	}
	return { steps, after: before };
}

/** Writes a session; `parseSession` reads back the same one. */
export function formatSession(session: Session): string {
	const lines: string[] = [];
	for (const step of session.steps) lines.push(...step.before, `$ ${step.command}`, ...formatAnswer(step));
	return [...lines, ...session.after].map((line) => `${line}\n`).join("");
}

/** The lines that stand below a command for what it answered. */
export function formatAnswer(answer: Answer): string[] {
	const out = streamLines(answer.stdout, /^(\$ |! |!$|\? \d|#|\\)/);
	const err = streamLines(answer.stderr, /^\\/).map((line) => (line === "" ? "!" : `! ${line}`));
	const exit = answer.exit === 0 ? [] : [`? ${answer.exit}`];
	const lines = [...out, ...err, ...exit];
	// A last blank line would read as the separator before the next step.
	if (lines.at(-1) === "") lines[lines.length - 1] = "\\";
	return lines;
}

/** Index after the last line of an answer: blank lines before the next command or comment are not part of it. */
function answerEnd(lines: readonly string[], from: number): number {
	let end = from;
	while (end < lines.length && !lines[end]!.startsWith("$ ") && !lines[end]!.startsWith("#")) end++;
	while (end > from && lines[end - 1] === "") end--;
	return end;
}

function parseAnswer(lines: readonly string[]): Answer {
	const out: string[] = [];
	const err: string[] = [];
	let exit = 0;
	for (const line of lines) {
		const code = /^\? (\d{1,3})$/.exec(line)?.[1];
		if (code !== undefined) exit = Number(code);
		else if (line === "!" || line.startsWith("! ")) err.push(line.slice(2));
		else out.push(line);
	}
	return { stdout: joinStream(out), stderr: joinStream(err), exit };
}

// Never an escaped line: a line of output that says so is written `\\c`.
const UNTERMINATED = "\\c";

function streamLines(stream: string, special: RegExp): string[] {
	if (stream === "") return [];
	const lines = stream.split("\n");
	const unterminated = lines.at(-1) !== "";
	if (!unterminated) lines.pop();
	const escaped = lines.map((line) => (special.test(line) ? `\\${line}` : line));
	return unterminated ? [...escaped, UNTERMINATED] : escaped;
}

function joinStream(lines: readonly string[]): string {
	const unterminated = lines.at(-1) === UNTERMINATED;
	const own = unterminated ? lines.slice(0, -1) : lines;
	const text = own.map((line) => (line.startsWith("\\") ? line.slice(1) : line));
	return unterminated ? text.join("\n") : text.map((line) => `${line}\n`).join("");
}
