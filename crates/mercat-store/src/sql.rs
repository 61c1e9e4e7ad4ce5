//! SQLite and PostgreSQL behind one SQL text.
//!
//! The two differ in their schema files, the clock expression, the lock clause
//! of a claim, and how a transaction begins.

use crate::{
    Commit, Event, EventQuery, Expect, Lease, LeaseUse, Ledger, LedgerError, NewEvent, Query, Record, Result,
    SharedLedger, Task, TaskView, Write,
};
use async_trait::async_trait;
use mercat_domain::Millis;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, Row, SqlSafeStr};
use std::sync::Arc;
use std::time::Duration;

/// The embedded store: one file, one writer.
pub struct Sqlite {
    write: sqlx::SqlitePool,
    read: sqlx::SqlitePool,
}

/// The store for many machines.
pub struct Postgres {
    write: sqlx::PgPool,
    read: sqlx::PgPool,
}

/// Opens a store by URL: `sqlite:PATH` or `postgres://...`.
///
/// # Errors
/// When the database cannot be opened or migrated.
pub async fn open(url: &str) -> Result<SharedLedger> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Ok(Arc::new(Sqlite::open(path).await?)),
        None => Ok(Arc::new(Postgres::open(url).await?)),
    }
}

fn migrator(first: &'static str) -> Migrator {
    let first = Migration::new(1, "ledger".into(), MigrationType::Simple, first.into_sql_str(), false);
    Migrator::with_migrations(vec![first])
}

impl Sqlite {
    /// Opens or makes the database file and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or migrated.
    pub async fn open(path: &str) -> Result<Self> {
        use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
        make_private(path).map_err(LedgerError::unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool =
            |count| SqlitePoolOptions::new().max_connections(count).acquire_timeout(Duration::from_secs(10));
        let write = pool(1).connect_with(options.clone()).await.map_err(LedgerError::unavailable)?;
        migrator(include_str!("../migrations/sqlite/0001_ledger.sql"))
            .run(&write)
            .await
            .map_err(LedgerError::unavailable)?;
        let read = pool(4).connect_with(options).await.map_err(LedgerError::unavailable)?;
        Ok(Self { write, read })
    }
}

/// Makes the file so that only its owner reads it; SQLite makes those beside it alike. One that exists stays as it is.
fn make_private(path: &str) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Err(error) = made
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Which server does not answer, and why: a pool that tried again until its time was over does not say.
#[derive(Debug, thiserror::Error)]
#[error("PostgreSQL at {host}:{port}: {why}")]
struct Unreached {
    host: String,
    port: u16,
    why: String,
}

async fn unreached(url: &str) -> LedgerError {
    let options: sqlx::postgres::PgConnectOptions = match url.parse() {
        Ok(options) => options,
        Err(error) => return LedgerError::unavailable(error),
    };
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let connect = sqlx::PgConnection::connect_with(&options);
    let why = match tokio::time::timeout(Duration::from_secs(5), connect).await {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(_)) | Err(_) => "no answer in time".to_owned(),
    };
    LedgerError::unavailable(Unreached { host, port, why })
}

impl Postgres {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// When the server cannot be reached or the schema not be migrated.
    pub async fn open(url: &str) -> Result<Self> {
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(5))
            .connect(url)
            .await;
        let pool = match pool {
            Err(sqlx::Error::PoolTimedOut) => return Err(unreached(url).await),
            pool => pool.map_err(LedgerError::unavailable)?,
        };
        migrator(include_str!("../migrations/postgres/0001_ledger.sql"))
            .run(&pool)
            .await
            .map_err(LedgerError::unavailable)?;
        Ok(Self { write: pool.clone(), read: pool })
    }
}

macro_rules! history {
    ($filter:literal, $order:literal) => {
        concat!(
            "SELECT seq, at, subject, run, kind, actor, body FROM events WHERE seq > $1 \
             AND (seq < $5 OR $5 = 0)",
            $filter,
            " ORDER BY seq ",
            $order,
            " LIMIT $4"
        )
    };
}

macro_rules! sql_ledger {
    ($store:ident, $db:ty, now: $now:literal, lock: $lock:literal, begin: $begin:literal, order: $order:literal) => {
        impl $store {
            async fn apply(
                tx: &mut sqlx::Transaction<'_, $db>,
                commit: &Commit,
            ) -> Result<Applied> {
                let first = sqlx::query::<$db>(concat!(
                    "INSERT INTO commits (id, at) VALUES ($1, ", $now, ") ON CONFLICT (id) DO NOTHING"
                ))
                .bind(commit.id.as_str())
                .execute(&mut **tx)
                .await
                .map_err(LedgerError::unavailable)?
                .rows_affected();
                if first == 0 {
                    return Ok(Applied::Earlier);
                }
                if let Some((lease, how)) = &commit.lease {
                    let text = match how {
                        LeaseUse::Hold => "UPDATE tasks SET note = note WHERE id = $1 AND owner = $2 AND epoch = $3",
                        LeaseUse::Finish => "DELETE FROM tasks WHERE id = $1 AND owner = $2 AND epoch = $3",
                    };
                    let held = sqlx::query::<$db>(text)
                        .bind(lease.task.as_str())
                        .bind(lease.owner.as_str())
                        .bind(lease.epoch)
                        .execute(&mut **tx)
                        .await
                        .map_err(LedgerError::unavailable)?
                        .rows_affected();
                    if held == 0 {
                        return Err(LedgerError::LeaseLost { task: lease.task.clone() });
                    }
                }
                for write in &commit.writes {
                    Self::write(tx, write).await?;
                }
                if let Some((run, queue)) = &commit.stop_run {
                    sqlx::query::<$db>("DELETE FROM tasks WHERE run = $1 AND queue = $2")
                        .bind(run.as_str())
                        .bind(*queue)
                        .execute(&mut **tx)
                        .await
                        .map_err(LedgerError::unavailable)?;
                }
                for task in &commit.tasks {
                    sqlx::query::<$db>(concat!(
                        "INSERT INTO tasks (id, run, queue, body, not_before, owner, lease_until, epoch, attempts, \
                         postponed, note) VALUES ($1, $2, $3, $4, ", $now, " + $5, '', 0, 0, 0, 0, '') \
                         ON CONFLICT (id) DO NOTHING"
                    ))
                    .bind(task.id.as_str())
                    .bind(task.run.as_str())
                    .bind(task.queue)
                    .bind(task.body.as_str())
                    .bind(task.delay)
                    .execute(&mut **tx)
                    .await
                    .map_err(LedgerError::unavailable)?;
                }
                if !commit.events.is_empty() && !$order.is_empty() {
                    // Readers follow the history by place: places must appear in the order of commits.
                    sqlx::query::<$db>($order).execute(&mut **tx).await.map_err(LedgerError::unavailable)?;
                }
                for event in &commit.events {
                    sqlx::query::<$db>(concat!(
                        "INSERT INTO events (at, subject, run, kind, actor, body) VALUES (", $now,
                        ", $1, $2, $3, $4, $5)"
                    ))
                    .bind(event.subject.as_str())
                    .bind(event.run.as_str())
                    .bind(event.kind.as_str())
                    .bind(event.actor.as_str())
                    .bind(event.body.as_str())
                    .execute(&mut **tx)
                    .await
                    .map_err(LedgerError::unavailable)?;
                }
                Ok(Applied::Now)
            }

            async fn write(tx: &mut sqlx::Transaction<'_, $db>, write: &Write) -> Result<()> {
                if write.body.is_none() && write.expect == Expect::Absent {
                    return Err(LedgerError::Conflict { kind: write.kind.into(), key: write.key.clone() });
                }
                let text = match (&write.body, write.expect) {
                    (Some(_), Expect::Any) => {
                        "INSERT INTO records (kind, key, version, body) VALUES ($1, $2, 1, $3) \
                         ON CONFLICT (kind, key) DO UPDATE SET version = records.version + 1, body = excluded.body"
                    }
                    (Some(_), Expect::Absent) => {
                        "INSERT INTO records (kind, key, version, body) VALUES ($1, $2, 1, $3) \
                         ON CONFLICT (kind, key) DO NOTHING"
                    }
                    (Some(_), Expect::Version(_)) => {
                        "UPDATE records SET version = version + 1, body = $3 WHERE kind = $1 AND key = $2 AND version = $4"
                    }
                    (None, Expect::Version(_)) => {
                        "DELETE FROM records WHERE kind = $1 AND key = $2 AND version = $3"
                    }
                    (None, _) => "DELETE FROM records WHERE kind = $1 AND key = $2",
                };
                let mut query = sqlx::query::<$db>(text).bind(write.kind).bind(write.key.as_str());
                if let Some(body) = &write.body {
                    query = query.bind(body.as_str());
                }
                if let Expect::Version(version) = write.expect {
                    query = query.bind(i64::try_from(version).unwrap_or(i64::MAX));
                }
                let changed = query.execute(&mut **tx).await.map_err(LedgerError::unavailable)?.rows_affected();
                if changed == 0 && write.expect != Expect::Any {
                    return Err(LedgerError::Conflict { kind: write.kind.into(), key: write.key.clone() });
                }
                sqlx::query::<$db>("DELETE FROM entries WHERE kind = $1 AND key = $2")
                    .bind(write.kind)
                    .bind(write.key.as_str())
                    .execute(&mut **tx)
                    .await
                    .map_err(LedgerError::unavailable)?;
                for (name, value) in write.index.iter().filter(|_| write.body.is_some()) {
                    sqlx::query::<$db>(
                        "INSERT INTO entries (kind, name, value, key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    )
                    .bind(write.kind)
                    .bind(*name)
                    .bind(value.as_str())
                    .bind(write.key.as_str())
                    .execute(&mut **tx)
                    .await
                    .map_err(LedgerError::unavailable)?;
                }
                Ok(())
            }
        }

        #[async_trait]
        impl Ledger for $store {
            async fn get(&self, kind: &'static str, key: &str) -> Result<Option<Record>> {
                let row = sqlx::query::<$db>("SELECT key, version, body FROM records WHERE kind = $1 AND key = $2")
                    .bind(kind)
                    .bind(key)
                    .fetch_optional(&self.read)
                    .await
                    .map_err(LedgerError::unavailable)?;
                Ok(row.map(|row| Record {
                    key: row.get(0),
                    version: row.get::<i64, _>(1).unsigned_abs(),
                    body: row.get(2),
                }))
            }

            async fn list(&self, query: &Query) -> Result<Vec<Record>> {
                let text = match (query.index.is_some(), query.newest_first) {
                    (false, false) => {
                        "SELECT key, version, body FROM records WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3"
                    }
                    (false, true) => {
                        "SELECT key, version, body FROM records WHERE kind = $1 AND ($2 = '' OR key < $2) \
                         ORDER BY key DESC LIMIT $3"
                    }
                    (true, false) => {
                        "SELECT r.key, r.version, r.body FROM entries e JOIN records r ON r.kind = e.kind AND r.key = e.key \
                         WHERE e.kind = $1 AND e.key > $2 AND e.name = $4 AND e.value = $5 ORDER BY e.key LIMIT $3"
                    }
                    (true, true) => {
                        "SELECT r.key, r.version, r.body FROM entries e JOIN records r ON r.kind = e.kind AND r.key = e.key \
                         WHERE e.kind = $1 AND ($2 = '' OR e.key < $2) AND e.name = $4 AND e.value = $5 \
                         ORDER BY e.key DESC LIMIT $3"
                    }
                };
                let mut ask = sqlx::query::<$db>(text)
                    .bind(query.kind)
                    .bind(query.after.as_str())
                    .bind(i64::from(query.limit));
                if let Some((name, value)) = &query.index {
                    ask = ask.bind(*name).bind(value.as_str());
                }
                let rows = ask.fetch_all(&self.read).await.map_err(LedgerError::unavailable)?;
                Ok(rows
                    .into_iter()
                    .map(|row| Record {
                        key: row.get(0),
                        version: row.get::<i64, _>(1).unsigned_abs(),
                        body: row.get(2),
                    })
                    .collect())
            }

            async fn commit(&self, commit: &Commit) -> Result<()> {
                let mut connection = self.write.acquire().await.map_err(LedgerError::unavailable)?;
                let done = async {
                    let mut tx = connection.begin_with($begin).await.map_err(LedgerError::unavailable)?;
                    match Self::apply(&mut tx, commit).await? {
                        Applied::Now => tx.commit().await.map_err(LedgerError::unavailable),
                        Applied::Earlier => tx.rollback().await.map_err(LedgerError::unavailable),
                    }
                }
                .await;
                if matches!(done, Err(LedgerError::Unavailable(_))) {
                    // A full disk ends a transaction behind the client's back; such a connection is not used again.
                    connection.close_on_drop();
                }
                done
            }

            async fn events(&self, query: &EventQuery) -> Result<Vec<Event>> {
                // Each question has its own text, so that each finds its index.
                let text = match (query.subject.is_some(), query.run.is_some(), query.newest_first) {
                    (false, false, false) => history!(" AND $2 = '' AND $3 = ''", ""),
                    (false, false, true) => history!(" AND $2 = '' AND $3 = ''", "DESC"),
                    (_, true, false) => history!(" AND run = $3 AND ($2 = '' OR subject = $2)", ""),
                    (_, true, true) => history!(" AND run = $3 AND ($2 = '' OR subject = $2)", "DESC"),
                    (true, false, false) => history!(" AND subject = $2 AND $3 = ''", ""),
                    (true, false, true) => history!(" AND subject = $2 AND $3 = ''", "DESC"),
                };
                let rows = sqlx::query::<$db>(text)
                .bind(query.after)
                .bind(query.subject.as_deref().unwrap_or(""))
                .bind(query.run.as_deref().unwrap_or(""))
                .bind(i64::from(query.limit))
                .bind(query.before)
                .fetch_all(&self.read)
                .await
                .map_err(LedgerError::unavailable)?;
                Ok(rows
                    .into_iter()
                    .map(|row| Event {
                        seq: row.get(0),
                        at: row.get(1),
                        event: NewEvent {
                            subject: row.get(2),
                            run: row.get(3),
                            kind: row.get(4),
                            actor: row.get(5),
                            body: row.get(6),
                        },
                    })
                    .collect())
            }

            async fn claim(&self, queues: &[&str], owner: &str, lease_ms: Millis) -> Result<Option<Task>> {
                for queue in queues {
                    let row = sqlx::query::<$db>(concat!(
                        "UPDATE tasks SET owner = $1, lease_until = ", $now, " + $2, epoch = epoch + 1, \
                         attempts = attempts + 1 WHERE id = (SELECT id FROM tasks WHERE queue = $3 \
                         AND not_before <= ", $now, " AND lease_until <= ", $now,
                        " ORDER BY not_before, id LIMIT 1 ", $lock,
                        ") RETURNING id, run, queue, body, epoch, attempts, postponed, note"
                    ))
                    .bind(owner)
                    .bind(lease_ms)
                    .bind(*queue)
                    .fetch_optional(&self.write)
                    .await
                    .map_err(LedgerError::unavailable)?;
                    if let Some(row) = row {
                        return Ok(Some(Task {
                            lease: Lease { task: row.get(0), owner: owner.to_owned(), epoch: row.get(4) },
                            run: row.get(1),
                            queue: row.get(2),
                            body: row.get(3),
                            attempts: count(row.get(5)),
                            postponed: count(row.get(6)),
                            note: row.get(7),
                        }));
                    }
                }
                Ok(None)
            }

            async fn heartbeat(&self, lease: &Lease, lease_ms: Millis) -> Result<bool> {
                let changed = sqlx::query::<$db>(concat!(
                    "UPDATE tasks SET lease_until = ", $now, " + $4 WHERE id = $1 AND owner = $2 AND epoch = $3"
                ))
                .bind(lease.task.as_str())
                .bind(lease.owner.as_str())
                .bind(lease.epoch)
                .bind(lease_ms)
                .execute(&self.write)
                .await
                .map_err(LedgerError::unavailable)?;
                Ok(changed.rows_affected() == 1)
            }

            async fn postpone(&self, lease: &Lease, delay: Millis, note: &str) -> Result<bool> {
                let changed = sqlx::query::<$db>(concat!(
                    "UPDATE tasks SET owner = '', lease_until = 0, postponed = postponed + 1, not_before = ", $now,
                    " + $4, note = $5 WHERE id = $1 AND owner = $2 AND epoch = $3"
                ))
                .bind(lease.task.as_str())
                .bind(lease.owner.as_str())
                .bind(lease.epoch)
                .bind(delay)
                .bind(note)
                .execute(&self.write)
                .await
                .map_err(LedgerError::unavailable)?;
                Ok(changed.rows_affected() == 1)
            }

            async fn hurry(&self, run: &str) -> Result<u64> {
                let changed = sqlx::query::<$db>(concat!(
                    "UPDATE tasks SET not_before = ", $now, " WHERE run = $1 AND lease_until <= ", $now,
                    " AND not_before > ", $now
                ))
                .bind(run)
                .execute(&self.write)
                .await
                .map_err(LedgerError::unavailable)?;
                Ok(changed.rows_affected())
            }

            async fn tasks(&self, run: &str) -> Result<Vec<TaskView>> {
                let rows = sqlx::query::<$db>(concat!(
                    "SELECT id, run, queue, lease_until, not_before, attempts, note, ", $now,
                    " FROM tasks WHERE $1 = '' OR run = $1 ORDER BY id LIMIT 1000"
                ))
                .bind(run)
                .fetch_all(&self.read)
                .await
                .map_err(LedgerError::unavailable)?;
                Ok(rows
                    .into_iter()
                    .map(|row| TaskView {
                        id: row.get(0),
                        run: row.get(1),
                        queue: row.get(2),
                        leased: row.get::<i64, _>(3) > row.get::<i64, _>(7),
                        not_before: row.get(4),
                        attempts: count(row.get(5)),
                        note: row.get(6),
                    })
                    .collect())
            }

            async fn now(&self) -> Result<Millis> {
                let row = sqlx::query::<$db>(concat!("SELECT ", $now))
                    .fetch_one(&self.read)
                    .await
                    .map_err(LedgerError::unavailable)?;
                Ok(row.get(0))
            }

            async fn tidy(&self) -> Result<()> {
                sqlx::query::<$db>(concat!("DELETE FROM commits WHERE at < ", $now, " - 86400000"))
                    .execute(&self.write)
                    .await
                    .map_err(LedgerError::unavailable)?;
                Ok(())
            }
        }
    };
}

enum Applied {
    Now,
    Earlier,
}

fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

sql_ledger!(
    Sqlite, sqlx::Sqlite,
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    lock: "",
    begin: "BEGIN IMMEDIATE",
    order: ""
);
sql_ledger!(
    Postgres, sqlx::Postgres,
    now: "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    lock: "FOR UPDATE SKIP LOCKED",
    begin: "BEGIN",
    order: "SELECT pg_advisory_xact_lock(4873112)"
);
