//! The shared suite on every ledger, and a differential run of random operations.

use mercat_store::{
    Commit, Expect, Lease, LeaseUse, Ledger, LedgerError, Memory, NewEvent, NewTask, Postgres, SharedLedger,
    Sqlite, Write, suite,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Says that something was not tested, past the capture of the test runner.
fn skipped(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("fits")
}

fn memory() -> SharedLedger {
    Arc::new(Memory::new(Arc::new(wall)))
}

/// A fresh database on the server named by MERCAT_TEST_POSTGRES, or nothing, said aloud.
async fn postgres() -> Option<SharedLedger> {
    let Ok(base) = std::env::var("MERCAT_TEST_POSTGRES") else {
        skipped("skipped: MERCAT_TEST_POSTGRES is not set, so PostgreSQL was not tested");
        return None;
    };
    let name = format!("mercat_{}", uuid::Uuid::new_v4().simple());
    let admin = sqlx::PgPool::connect(&base).await.expect("the test server answers");
    let text = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(text).execute(&admin).await.expect("a database for this test");
    let (root, _) = base.rsplit_once('/').expect("a URL with a database");
    Some(Arc::new(Postgres::open(&format!("{root}/{name}")).await.expect("opens")))
}

async fn sqlite(dir: &tempfile::TempDir) -> SharedLedger {
    let path = dir.path().join("ledger.db");
    Arc::new(Sqlite::open(path.to_str().expect("plain path")).await.expect("opens"))
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    suite::run(memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    suite::run(sqlite(&dir).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract() {
    if let Some(ledger) = postgres().await {
        suite::run(ledger).await;
    }
}

#[tokio::test]
async fn a_reopened_sqlite_file_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let write =
        Write { kind: "thing", key: "k".into(), expect: Expect::Any, body: Some("1".into()), index: vec![] };
    sqlite(&dir).await.commit(&Commit { writes: vec![write], ..Commit::new() }).await.expect("kept");
    let again = sqlite(&dir).await;
    assert_eq!(again.get("thing", "k").await.expect("answers").map(|record| record.body), Some("1".into()));
}

#[derive(Debug, Clone)]
enum Op {
    Write(u8, Expect, bool),
    Queue(u8, u8),
    Claim(u8),
    Finish,
    Postpone,
    Stop(u8),
    Event(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let expect = prop_oneof![Just(Expect::Any), Just(Expect::Absent), (0_u64..4).prop_map(Expect::Version)];
    prop_oneof![
        4 => (0_u8..4, expect, any::<bool>()).prop_map(|(key, expect, body)| Op::Write(key, expect, body)),
        2 => (0_u8..4, 0_u8..3).prop_map(|(id, run)| Op::Queue(id, run)),
        3 => (0_u8..3).prop_map(Op::Claim),
        2 => Just(Op::Finish),
        1 => Just(Op::Postpone),
        1 => (0_u8..3).prop_map(Op::Stop),
        1 => (0_u8..3).prop_map(Op::Event),
    ]
}

async fn play(ledger: &dyn Ledger, ops: &[Op]) -> Vec<String> {
    let mut log = Vec::new();
    let mut lease: Option<Lease> = None;
    for op in ops {
        let mut commit = Commit::new();
        match op {
            Op::Write(key, expect, body) => commit.writes.push(Write {
                kind: "thing",
                key: format!("k{key}"),
                expect: *expect,
                body: body.then(|| "b".to_owned()),
                index: vec![("i", format!("v{}", key % 2))],
            }),
            Op::Queue(id, run) => commit.tasks.push(NewTask {
                id: format!("t{id}"),
                run: format!("r{run}"),
                queue: "work",
                body: "{}".into(),
                delay: 0,
            }),
            Op::Claim(owner) => {
                // Tasks that became due in the same millisecond tie differently; one task at a time does not.
                if ledger.tasks("").await.expect("answers").len() == 1 {
                    let task = ledger.claim(&["work"], &format!("w{owner}"), 60_000).await.expect("answers");
                    log.push(format!(
                        "{:?}",
                        task.as_ref().map(|t| (t.lease.epoch, t.attempts, t.postponed))
                    ));
                    lease = task.map(|task| task.lease).or(lease);
                }
                continue;
            }
            Op::Finish => commit.lease = lease.clone().map(|lease| (lease, LeaseUse::Finish)),
            Op::Postpone => {
                if let Some(lease) = &lease {
                    log.push(format!("{:?}", ledger.postpone(lease, 0, "n").await.expect("answers")));
                }
                continue;
            }
            Op::Stop(run) => commit.stop_run = Some((format!("r{run}"), "work")),
            Op::Event(subject) => {
                commit.events.push(NewEvent { subject: format!("s{subject}"), ..NewEvent::default() });
            }
        }
        log.push(match ledger.commit(&commit).await {
            Ok(()) => "ok".to_owned(),
            Err(LedgerError::Conflict { key, .. }) => format!("conflict {key}"),
            Err(LedgerError::LeaseLost { .. }) => "lost".to_owned(),
            Err(other) => format!("{other:?}"),
        });
    }
    for key in 0..4 {
        log.push(format!("{:?}", ledger.get("thing", &format!("k{key}")).await.expect("answers")));
    }
    let ids: Vec<String> = ledger.tasks("").await.expect("answers").into_iter().map(|task| task.id).collect();
    log.push(ids.join(" "));
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The model cannot drift: random operations answer alike on the model and on SQLite.
    #[test]
    fn memory_and_sqlite_answer_alike(ops in proptest::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let real = play(&*sqlite(&dir).await, &ops).await;
            let model = play(&*memory(), &ops).await;
            assert_eq!(real, model);
        });
    }
}

#[tokio::test]
async fn memory_and_postgres_answer_alike() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = proptest::collection::vec(op(), 1..40);
    for _ in 0..8 {
        let Some(real) = postgres().await else { return };
        let ops = strategy.new_tree(&mut runner).expect("a case").current();
        assert_eq!(play(&*real, &ops).await, play(&*memory(), &ops).await);
    }
}
