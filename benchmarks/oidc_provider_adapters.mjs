// Where oidc-provider keeps things: in its own memory, or in an SQLite file as durable as ours.

import { DatabaseSync } from 'node:sqlite';

export function mapAdapter() {
  const stores = [];

  return class MapAdapter {
    #rows = new Map();

    constructor() {
      stores.push(this.#rows);
    }

    // So that no run pays for the memory of another.
    static forget() {
      for (const rows of stores) rows.clear();
    }

    async upsert(id, payload) {
      this.#rows.set(id, payload);
    }

    async find(id) {
      return this.#rows.get(id);
    }

    async consume(id) {
      this.#rows.get(id).consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
      this.#rows.delete(id);
    }

    async revokeByGrantId(grantId) {
      for (const [id, payload] of this.#rows) if (payload.grantId === grantId) this.#rows.delete(id);
    }
  };
}

// What is written in one turn of the event loop is committed together, so that a crowd waits for the disk once.
export function sqliteAdapter(file) {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');
  let waiting;

  function commit() {
    const { works, done, failed } = waiting;
    waiting = undefined;
    try {
      database.exec('BEGIN IMMEDIATE');
      for (const work of works) work();
      database.exec('COMMIT');
      done();
    } catch (error) {
      failed(error);
    }
  }

  function together(work) {
    if (waiting === undefined) {
      waiting = { works: [] };
      waiting.committed = new Promise((done, failed) => Object.assign(waiting, { done, failed }));
      setImmediate(commit);
    }
    waiting.works.push(work);
    return waiting.committed;
  }

  return class SqliteAdapter {
    static forget() {}

    constructor(name) {
      database.exec(`CREATE TABLE ${name} (id TEXT PRIMARY KEY, grant_id TEXT, payload TEXT NOT NULL)`);
      database.exec(`CREATE INDEX ${name}_grant ON ${name} (grant_id)`);
      this.inserting = database.prepare(`INSERT OR REPLACE INTO ${name} VALUES (?, ?, ?)`);
      this.finding = database.prepare(`SELECT payload FROM ${name} WHERE id = ?`);
      this.consuming = database.prepare(
        `UPDATE ${name} SET payload = json_set(payload, '$.consumed', unixepoch()) WHERE id = ?`,
      );
      this.deleting = database.prepare(`DELETE FROM ${name} WHERE id = ?`);
      this.revoking = database.prepare(`DELETE FROM ${name} WHERE grant_id = ?`);
    }

    async upsert(id, payload) {
      await together(() => this.inserting.run(id, payload.grantId ?? null, JSON.stringify(payload)));
    }

    async find(id) {
      const row = this.finding.get(id);
      return row && JSON.parse(row.payload);
    }

    async consume(id) {
      await together(() => this.consuming.run(id));
    }

    async destroy(id) {
      await together(() => this.deleting.run(id));
    }

    async revokeByGrantId(grantId) {
      await together(() => this.revoking.run(grantId));
    }
  };
}
