// Writes what is counted and what expires in Prometheus' text format 0.0.4. Refuses names and tokens: the page needs no token.
import { trustHealth } from "./health.ts";
import type { RegistryContext } from "./registry-context.ts";

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** All metrics as text; `\n` at the end of each line. */
export async function metricsText(registry: RegistryContext): Promise<string> {
	const { roles } = await trustHealth(registry);
	const published = await registry.metadata.read((reads) => reads.countVersions());
	const { metrics } = registry;
	const perRole = (value: (role: (typeof roles)["root"]) => number): Sample[] =>
		Object.entries(roles).map(([role, health]) => [{ role }, value(health)]);
	const requests = metrics.requests.map(
		({ operation, status, count }): Sample => [{ operation, status: String(status) }, count],
	);
	return [
		family(
			"kfn_registry_metadata_expires_timestamp_seconds",
			"gauge",
			"When the role's metadata expires, for bins the first of them.",
			perRole(({ expires }) => Date.parse(expires) / 1000),
		),
		family(
			"kfn_registry_metadata_seconds_left",
			"gauge",
			"Seconds until then, by the registry's clock.",
			perRole(({ secondsLeft }) => secondsLeft),
		),
		family(
			"kfn_registry_metadata_version",
			"gauge",
			"Version of the role's metadata.",
			perRole(({ version }) => version),
		),
		family("kfn_registry_published_versions", "gauge", "Published versions, yanked ones included.", [
			[{}, published],
		]),
		family("kfn_registry_requests_total", "counter", "Answered requests since the start.", requests),
		family("kfn_registry_renewals_total", "counter", "Roles signed anew because they fell due.", [
			[{}, metrics.renewals],
		]),
		family("kfn_registry_renewal_failures_total", "counter", "Renewals that failed and are tried again.", [
			[{}, metrics.renewalFailures],
		]),
	].join("");
}

function family(name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): string {
	const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
	return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Values are role names, operation names and numbers: nothing that would need escaping. */
function labelText(labels: Readonly<Record<string, string>>): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
