// Counts what a registry did since it started. Refuses names and tokens: the page that shows it needs none.

export class Metrics {
	/** Roles signed anew because they fell due. */
	renewals = 0;
	renewalFailures = 0;
	readonly #requests = new Map<string, { operation: string; status: number; count: number }>();

	request(operation: string, status: number): void {
		const key = `${operation} ${status}`;
		const counted = this.#requests.get(key);
		if (counted === undefined) this.#requests.set(key, { operation, status, count: 1 });
		else counted.count += 1;
	}

	get requests(): readonly { operation: string; status: number; count: number }[] {
		return [...this.#requests.values()];
	}
}
