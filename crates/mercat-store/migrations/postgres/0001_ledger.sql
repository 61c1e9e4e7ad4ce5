CREATE TABLE records (
    kind TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE TABLE entries (
    kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, name, value, key)
);
CREATE INDEX entries_by_key ON entries (kind, key);
CREATE TABLE events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL, subject TEXT COLLATE "C" NOT NULL, run TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL, body TEXT COLLATE "C" NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, seq);
CREATE INDEX events_by_run ON events (run, seq);
CREATE TABLE tasks (
    id TEXT COLLATE "C" PRIMARY KEY, run TEXT COLLATE "C" NOT NULL, queue TEXT COLLATE "C" NOT NULL, body TEXT COLLATE "C" NOT NULL,
    not_before BIGINT NOT NULL, owner TEXT COLLATE "C" NOT NULL, lease_until BIGINT NOT NULL,
    epoch BIGINT NOT NULL, attempts BIGINT NOT NULL, postponed BIGINT NOT NULL, note TEXT COLLATE "C" NOT NULL
);
CREATE INDEX tasks_due ON tasks (queue, not_before);
CREATE INDEX tasks_by_run ON tasks (run);
CREATE TABLE commits (id TEXT COLLATE "C" PRIMARY KEY, at BIGINT NOT NULL);
CREATE INDEX commits_by_age ON commits (at);
