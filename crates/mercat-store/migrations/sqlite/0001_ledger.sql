CREATE TABLE records (
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (kind, name, value, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_key ON entries (kind, key);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, subject TEXT NOT NULL, run TEXT NOT NULL, kind TEXT NOT NULL,
    actor TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_subject ON events (subject, seq);
CREATE INDEX events_by_run ON events (run, seq);
CREATE TABLE tasks (
    id TEXT PRIMARY KEY, run TEXT NOT NULL, queue TEXT NOT NULL, body TEXT NOT NULL,
    not_before INTEGER NOT NULL, owner TEXT NOT NULL, lease_until INTEGER NOT NULL,
    epoch INTEGER NOT NULL, attempts INTEGER NOT NULL, postponed INTEGER NOT NULL, note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_due ON tasks (queue, not_before);
CREATE INDEX tasks_by_run ON tasks (run);
CREATE TABLE commits (id TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX commits_by_age ON commits (at);
