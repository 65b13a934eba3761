// Progress for humans: one line on stderr, shown only when stderr is a terminal and only after half a second.
// Refuses to write anything otherwise, so that scripts and logs stay clean.

const SHOW_AFTER_MS = 500;
const FRAME_MS = 100;
const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

export interface Progress {
	/** What is going on now; an empty step takes the line away until the next one. */
	step(step: { step: string; detail?: string }): void;
	stop(): void;
}

const silent: Progress = { step() {}, stop() {} };

/** Starts a progress line on `stream`; silent when it is not a terminal. `stop` clears the line. */
export function startProgress(stream: NodeJS.WriteStream): Progress {
	if (!stream.isTTY) return silent;
	let text = "";
	let frame = 0;
	let shown = false;
	let timer: NodeJS.Timeout | undefined;
	const clear = () => {
		if (shown) stream.write("\r\x1b[2K");
		shown = false;
	};
	const draw = () => {
		if (text === "") return;
		shown = true;
		stream.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${text.slice(0, (stream.columns ?? 80) - 3)}`);
	};
	const delay = setTimeout(() => {
		draw();
		timer = setInterval(draw, FRAME_MS);
		timer.unref();
	}, SHOW_AFTER_MS);
	delay.unref();
	return {
		step({ step, detail }) {
			text = detail === undefined ? step : `${step} ${detail}`;
			if (text === "") clear();
		},
		stop() {
			clearTimeout(delay);
			clearInterval(timer);
			clear();
		},
	};
}
