// The kinds of statements and how many of a name are listed, as docs/formats/statements.md and openapi.json have them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import openapi from "../api/openapi.json" with { type: "json" };
import { STATEMENT_KINDS } from "./kinds.ts";

test("the page's table and openapi.json have every kind, and no other", () => {
	const page = readFileSync(new URL("../../docs/formats/statements.md", import.meta.url), "utf8");
	const rows = [...page.matchAll(/^\| `([a-z]+)` \|.*\| (\d+)[^|]*\|$/gm)];
	const kinds = Object.entries(STATEMENT_KINDS).map(([kind, { most }]) => [kind, most]);
	expect(rows.map(([, kind, most]) => [kind, Number(most)])).toEqual(kinds);
	expect(openapi.components.schemas.StatementKind.enum).toEqual(Object.keys(STATEMENT_KINDS));
});
