// What an older data folder holds after it was brought to the newest schema.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/server.ts";
import { openSqliteMetadataStore } from "./open-sqlite.ts";

test("permits of a registry from before statements are its statements afterwards", async () => {
	const folder = temporaryFolder();
	const file = join(folder, "registry.sqlite");
	await (await openSqliteMetadataStore(file)).close();
	const database = new DatabaseSync(file);
	database.exec(`
		drop table statements;
		create table permits (id text primary key, name text not null, version text not null, expires text not null,
			sha256 text not null, content text not null, published_at text not null, published_by text not null);
		create index permits_live on permits (name, expires);
		insert into permits values ('1f', 'sample', '1.0.0', '2999-01-01T00:00:00Z', 'ab', '{}', '2026-01-01T00:00:00.000Z', 't1');
		delete from kysely_migration where name = '0005-statements';
	`);
	database.close();
	const store = await openSqliteMetadataStore(file);
	const [record, ...others] = await store.read((reads) => reads.listStatements("permit", "sample", ""));
	expect(record).toMatchObject({ id: "1f", serial: 0, expires: "2999-01-01T00:00:00Z", publishedBy: "t1" });
	expect(others).toEqual([]);
	await store.close();
	rmSync(folder, { recursive: true });
});
