// Holds openapi.json, the closed lists of api/ and the running server together, each way. The answers of all other
// HTTP tests are validated against the document too (testing/api-check.ts).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRegistryErrorCode, REGISTRY_ERRORS, RegistryError } from "./api/errors.ts";
import document from "./api/openapi.json" with { type: "json" };
import { errorsByStatus, OPERATIONS, type Operation } from "./api/operations.ts";
import { buildApp } from "./app.ts";
import type { RegistryContext } from "./ops/registry-context.ts";
import { fastifyPath } from "./routes/route.ts";
import { checkAnswer, documentedPaths, validatorOf } from "./testing/api-check.ts";
import { TestServer } from "./testing/server.ts";

const operations = Object.entries(OPERATIONS) as [string, Operation][];
const documented = Object.entries(documentedPaths).flatMap(([path, methods]) =>
	Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test("the document's operations are exactly those of the closed list", () => {
	const listed = operations.map(([name, { method, path }]) => `${name}: ${method} ${path}`);
	const described = documented.map(
		({ operation, method, path }) => `${operation.operationId}: ${method} ${path}`,
	);
	expect(described.sort()).toEqual(listed.sort());
});

test("the server's routes are exactly the document's", async () => {
	const routes: string[] = [];
	// Routes alone: nothing is called, so nothing behind them is needed.
	const app = buildApp({ private: false } as RegistryContext, { onRoute: (route) => routes.push(route) });
	await app.ready();
	const spelled = documented.map(
		({ method, path, operation }) =>
			`${method} ${fastifyPath({ path, slashes: operation["x-kfn-slashes"] ?? false })}`,
	);
	expect(routes.sort()).toEqual(spelled.sort());
	await app.close();
});

test.each(operations)("%s: the document has its statuses and codes, and no others", (name, listed) => {
	const found = documented.find(({ operation }) => operation.operationId === name);
	const responses = Object.entries(found?.operation.responses ?? {});
	const statuses = [...listed.success, ...errorsByStatus(listed).keys()].sort((a, b) => a - b);
	expect(responses.map(([status]) => Number(status)).sort((a, b) => a - b)).toEqual(statuses);
	for (const [status, codes] of errorsByStatus(listed)) {
		const response = found?.operation.responses[String(status)];
		expect(response?.["x-kfn-codes"]).toEqual([...codes].sort());
		expect(response?.content?.["application/json"]?.schema.$ref).toBe("#/components/schemas/Error");
	}
});

test("the error schema's codes are exactly those that travel over HTTP, and each belongs to an operation", () => {
	const travelling = Object.entries(REGISTRY_ERRORS)
		.filter(([, { status }]) => status !== null)
		.map(([code]) => code)
		.sort();
	const schema = document.components.schemas.Error.properties.error.properties.code;
	expect([...schema.enum].sort()).toEqual(travelling);
	const answered = operations.flatMap(([, operation]) => [...errorsByStatus(operation).values()].flat());
	expect([...new Set<string>(answered)].sort()).toEqual(travelling);
});

test("every schema compiles, is used, and refuses the empty object or a wrong type", () => {
	const text = JSON.stringify(document);
	for (const name of Object.keys(document.components.schemas)) {
		expect([name, text.includes(`"#/components/schemas/${name}"`)]).toEqual([name, true]);
		expect([name, validatorOf(name)({}), validatorOf(name)(7)]).toEqual([name, false, false]);
	}
});

test("error messages keep no control characters", () => {
	const error = new RegistryError("REGISTRY_INTERNAL", "a\u001b[2Jb\nc\u202ed", { hint: "\u0007" });
	expect([error.message, error.hint]).toEqual(["a [2Jb c d", " "]);
	expect([isRegistryErrorCode("REGISTRY_BUSY"), isRegistryErrorCode("toString")]).toEqual([true, false]);
});

describe("the running server", () => {
	let server: TestServer;
	beforeAll(async () => {
		server = await TestServer.start();
	});
	afterAll(() => server[Symbol.asyncDispose]());

	test("serves this very document", async () => {
		expect((await server.request("/openapi.json")).json).toEqual(document);
	});

	test("answers no other method on the documented paths", async () => {
		for (const [path, methods] of Object.entries(documentedPaths)) {
			const url =
				server.url +
				path
					.replace("{name}", "sample")
					.replace("{version}", "1.0.0")
					.replace("{folder}", "sample")
					.replace("{file}", "1.root.json");
			for (const method of ["HEAD", "GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]) {
				if (method.toLowerCase() in methods) continue;
				const { status } = await fetch(url, { method });
				expect([method, path, status]).toEqual([method, path, 404]);
			}
		}
	});

	test("the check itself notices what is not documented", () => {
		const headers = new Headers({ "content-type": "application/json" });
		const answer = (body: unknown, status = 200) => ({
			status,
			headers,
			body: Buffer.from(JSON.stringify(body)),
		});
		const health = { method: "GET", path: "/healthz" };
		const names = { method: "GET", path: "/v1/names.json" };
		headers.set("etag", '"x"');
		const page = { schema: "kfn.names/1", names: [], next: null };
		expect(() => checkAnswer(names, answer(page))).not.toThrow();
		expect(() => checkAnswer(names, answer({ ...page, more: 1 }))).toThrow("not a Names");
		expect(() => checkAnswer(health, answer({}, 204))).toThrow("status not in");
		const scope = { error: { code: "REGISTRY_TOKEN_SCOPE", message: "" } };
		expect(() => checkAnswer(health, answer(scope, 500))).toThrow("REGISTRY_TOKEN_SCOPE is not in");
		expect(() => checkAnswer({ method: "GET", path: "/x" }, answer({}))).toThrow("not in openapi.json");
	});
});
