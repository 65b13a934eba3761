// One line of a benchmark (design §10), and the statistics that every benchmark uses.

export interface BenchRow {
	readonly bench: string;
	readonly case: string;
	readonly metric: string;
	readonly ours: number;
	/** Absent only for counts that have no peer (packets left without a program). */
	readonly peer?: number;
	readonly peerName?: string;
	/** Lower is better unless this says otherwise. */
	readonly better?: "higher";
	/** For a reader: what the figures do not say by themselves. */
	readonly note?: string;
	readonly [detail: string]: unknown;
}

/** ours ÷ peer, three digits; undefined where there is no peer. */
export function ratioOf(row: BenchRow): number | undefined {
	return row.peer === undefined || row.peer === 0 ? undefined : Number((row.ours / row.peer).toPrecision(3));
}

/** The value below which a share `q` of `samples` lies (nearest rank). */
export function quantile(samples: readonly number[], q: number): number {
	if (samples.length === 0) throw new Error("no samples");
	const sorted = [...samples].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!;
}

export function median(samples: readonly number[]): number {
	return quantile(samples, 0.5);
}

/** Three significant digits: what a noisy machine supports. */
export function round(value: number): number {
	return Number(value.toPrecision(3));
}
