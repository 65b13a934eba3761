// For tests only: checks an answer of the server against openapi.json. Product code never imports it.
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import document from "../api/openapi.json" with { type: "json" };

interface DocumentedResponse {
	readonly content?: Record<string, { schema: { $ref?: string } }>;
	readonly headers?: Record<string, unknown>;
	readonly "x-kfn-codes"?: readonly string[];
}
export type DocumentedOperation = {
	operationId: string;
	"x-kfn-slashes"?: boolean;
	responses: Record<string, DocumentedResponse>;
};

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema(document, "api");

/** The document's paths, loosely typed. */
export const documentedPaths = document.paths as unknown as Record<
	string,
	Record<string, DocumentedOperation>
>;

export function validatorOf(schema: string): ValidateFunction {
	return ajv.compile({ $ref: `api#/components/schemas/${schema}` });
}

/** Throws unless the document says that `method path` may answer like this. Paths that it lacks must be errors 404 or 400. */
export function checkAnswer(
	request: { method: string; path: string },
	answer: { status: number; headers: Headers; body: Uint8Array },
): void {
	const what = `${request.method} ${request.path} → ${answer.status}`;
	const operation = documentedOperation(request);
	if (operation === undefined) {
		if (answer.status !== 404 && answer.status !== 400) throw new Error(`${what}: not in openapi.json`);
		checkJson(what, "Error", answer.body);
		return;
	}
	const response = operation.responses[String(answer.status)];
	if (response === undefined) throw new Error(`${what}: status not in openapi.json`);
	for (const header of Object.keys(response.headers ?? {})) {
		if (!answer.headers.has(header)) throw new Error(`${what}: lacks the header ${header}`);
	}
	checkContent(what, response, answer);
}

function checkContent(
	what: string,
	response: DocumentedResponse,
	answer: { headers: Headers; body: Uint8Array },
): void {
	if (response.content === undefined) {
		if (answer.body.byteLength > 0) throw new Error(`${what}: has a body`);
		return;
	}
	const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
	const content = response.content[type];
	if (content === undefined) throw new Error(`${what}: content type ${type} is not in openapi.json`);
	const schema = content.schema.$ref?.split("/").at(-1);
	if (schema === undefined) return;
	const body = checkJson(what, schema, answer.body);
	const codes = response["x-kfn-codes"];
	const code = (body as { error?: { code?: string } }).error?.code ?? "";
	if (codes !== undefined && !codes.includes(code))
		throw new Error(`${what}: ${code} is not in openapi.json`);
}

function checkJson(what: string, schema: string, bytes: Uint8Array): unknown {
	const body: unknown = JSON.parse(Buffer.from(bytes).toString());
	const validate = validatorOf(schema);
	if (!validate(body)) throw new Error(`${what}: not a ${schema}: ${ajv.errorsText(validate.errors)}`);
	return body;
}

function documentedOperation(request: { method: string; path: string }): DocumentedOperation | undefined {
	const path = request.path.split("?")[0] ?? "";
	for (const [template, methods] of Object.entries(documentedPaths)) {
		const operation = methods[request.method.toLowerCase()];
		const parameter = operation?.["x-kfn-slashes"] ? ".+" : "[^/]+";
		const pattern = template.replace(/\./g, "\\.").replace(/\{\w+\}/g, parameter);
		if (new RegExp(`^${pattern}$`).test(path)) return operation;
	}
	return undefined;
}
