// For tests only: a registry in a process of its own, so that it can be killed. argv: data folder. Says URL and token on stdout.
import { openRegistry } from "../serve.ts";

const registry = await openRegistry({ dataDir: process.argv[2] ?? "" });
const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
const spec = { label: "child", names: "*", verbs: ["publish"], expiresAt } as const;
const { token } = await registry.tokens.create(spec);
process.stdout.write(`${JSON.stringify({ url, token })}\n`);
