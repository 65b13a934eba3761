// Lets a bounded number of tasks run at once; the others wait in the order in which they came.
// Refuses to time out or to drop: whoever waits holds no memory worth the name.

export class Turnstile {
	readonly #limit: number;
	readonly #waiting: (() => void)[] = [];
	#running = 0;

	constructor(limit: number) {
		this.#limit = limit;
	}

	async run<T>(task: () => Promise<T>): Promise<T> {
		if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
		else this.#running += 1;
		try {
			return await task();
		} finally {
			// The place passes straight to the next in line: nobody who comes now can take it first.
			const next = this.#waiting.shift();
			if (next === undefined) this.#running -= 1;
			else next();
		}
	}
}
