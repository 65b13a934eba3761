// var/lib/kfn/boot.json, which the loader writes at boot (docs/formats/boot.md). Changes nothing in it but to forget boots that did not reach good.
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { count, exact, listOf, oneOf, type Shape, text } from "../shape.ts";
import { readJson, unlessDamaged } from "../state-file.ts";

/** -1: the link names no generation. */
export const linked: Shape<number> = (value, where) => (value === -1 ? -1 : count(value, where));
export const unfinished = listOf(exact({ generation: count, boots: count }), 2);

const counterShape = exact({
	schema: oneOf("kfn.boot-counter/1"),
	bootId: text,
	current: linked,
	generation: linked,
	booted: count,
	unfinished,
});
export type BootCounter = ReturnType<typeof counterShape>;

/** Undefined where there is none, or one that is damaged: the loader counts from nothing then, too. */
export function readCounter(host: Host): BootCounter | undefined {
	return unlessDamaged(() => readJson(host.layout.bootCounter, counterShape));
}

/** Lets the next boot try again what it would pass over. */
export function clearUnfinished(lock: HostLock): void {
	const { durable, layout } = lock.host;
	const counter = readCounter(lock.host);
	if (counter === undefined || counter.unfinished.length === 0) return;
	durable.writeFile(layout.bootCounter, `${JSON.stringify({ ...counter, unfinished: [] }, null, 2)}\n`);
}
