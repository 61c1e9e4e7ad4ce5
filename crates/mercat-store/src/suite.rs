//! What every ledger must do, run against each of them.

use crate::*;
use std::sync::atomic::{AtomicU64, Ordering};

fn write(key: &str, expect: Expect, body: Option<&str>) -> Write {
    Write {
        kind: "thing",
        key: key.into(),
        expect,
        body: body.map(Into::into),
        index: vec![("colour", "red".into())],
    }
}

fn commit_of(writes: Vec<Write>) -> Commit {
    Commit { writes, ..Commit::new() }
}

fn task(id: &str, run: &str) -> NewTask {
    NewTask { id: id.into(), run: run.into(), queue: "work", body: "{}".into(), delay: 0 }
}

/// Runs the whole suite on an empty ledger.
///
/// # Panics
/// When the ledger does not keep its contract.
pub async fn run(ledger: SharedLedger) {
    preconditions(&*ledger).await;
    exactly_once(&ledger).await;
    listing(&*ledger).await;
    history(&*ledger).await;
    leases(&*ledger).await;
    races(&ledger).await;
}

async fn preconditions(ledger: &dyn Ledger) {
    ledger.commit(&commit_of(vec![write("a", Expect::Absent, Some("1"))])).await.expect("first");
    let again = ledger.commit(&commit_of(vec![write("a", Expect::Absent, Some("2"))])).await;
    assert!(matches!(again, Err(LedgerError::Conflict { .. })), "{again:?}");
    let found = ledger.get("thing", "a").await.expect("answers").expect("is there");
    assert_eq!((found.version, found.body.as_str()), (1, "1"));
    ledger.commit(&commit_of(vec![write("a", Expect::Version(1), Some("2"))])).await.expect("second");
    let both = commit_of(vec![write("b", Expect::Any, Some("x")), write("a", Expect::Version(1), Some("3"))]);
    assert!(matches!(ledger.commit(&both).await, Err(LedgerError::Conflict { .. })));
    assert_eq!(ledger.get("thing", "b").await.expect("answers"), None, "a refused commit changes nothing");
    let gone = ledger.commit(&commit_of(vec![write("a", Expect::Version(9), None)])).await;
    assert!(matches!(gone, Err(LedgerError::Conflict { .. })));
    ledger.commit(&commit_of(vec![write("a", Expect::Version(2), None)])).await.expect("removed");
    assert_eq!(ledger.get("thing", "a").await.expect("answers"), None);
}

async fn exactly_once(ledger: &SharedLedger) {
    let commit = commit_of(vec![write("once", Expect::Any, Some("1"))]);
    ledger.commit(&commit).await.expect("applied");
    ledger.commit(&commit).await.expect("known");
    assert_eq!(ledger.get("thing", "once").await.expect("answers").map(|r| r.version), Some(1));

    let calls = AtomicU64::new(0);
    let lossy = Faulty::new(
        ledger.clone(),
        Box::new(move |name| {
            let first = name == "commit" && calls.fetch_add(1, Ordering::SeqCst) == 0;
            first.then_some(Fault::AppliedThenTimeout)
        }),
    );
    let commit = commit_of(vec![write("lost", Expect::Absent, Some("1"))]);
    commit_surely(&lossy, &commit).await.expect("the retry finds it applied");
    assert_eq!(ledger.get("thing", "lost").await.expect("answers").map(|r| r.version), Some(1));
}

async fn listing(ledger: &dyn Ledger) {
    for key in ["l1", "l2", "l3"] {
        ledger.commit(&commit_of(vec![write(key, Expect::Any, Some("0"))])).await.expect("written");
    }
    let keys = async |query: Query| -> Vec<String> {
        let query = Query { kind: "thing", ..query };
        ledger.list(&query).await.expect("lists").into_iter().map(|record| record.key).collect()
    };
    let page = Query { after: "l1".into(), limit: 1, ..Query::default() };
    assert_eq!(keys(page).await, ["l2"]);
    let red =
        Query { index: Some(("colour", "red".into())), after: "l".into(), limit: 2, ..Query::default() };
    assert_eq!(keys(red.clone()).await, ["l1", "l2"]);
    let back = Query { after: "l3".into(), newest_first: true, ..red.clone() };
    assert_eq!(keys(back).await, ["l2", "l1"]);
    let blue = Query { index: Some(("colour", "blue".into())), ..red };
    assert_eq!(keys(blue).await, [""; 0]);
}

async fn history(ledger: &dyn Ledger) {
    let event = |subject: &str, run: &str| NewEvent {
        subject: subject.into(),
        run: run.into(),
        kind: "k".into(),
        ..NewEvent::default()
    };
    let events = vec![event("s1", "r1"), event("s2", "r1"), event("s1", "r2")];
    ledger.commit(&Commit { events, ..Commit::new() }).await.expect("written");
    let ask =
        async |query: EventQuery| ledger.events(&EventQuery { limit: 10, ..query }).await.expect("answers");
    let one = ask(EventQuery { subject: Some("s1".into()), ..EventQuery::default() }).await;
    assert_eq!(one.len(), 2);
    assert!(one[0].seq < one[1].seq && one[0].at > 0);
    let rest =
        ask(EventQuery { subject: Some("s1".into()), after: one[0].seq, ..EventQuery::default() }).await;
    assert_eq!(rest, one[1..]);
    assert_eq!(ask(EventQuery { run: Some("r1".into()), ..EventQuery::default() }).await.len(), 2);
    let newest = EventQuery { newest_first: true, ..EventQuery::default() };
    let all = ask(newest.clone()).await;
    assert!(all.is_sorted_by(|a, b| a.seq > b.seq), "the newest first");
    let of = ask(EventQuery { subject: Some("s1".into()), ..newest.clone() }).await;
    assert_eq!(of, [one[1].clone(), one[0].clone()]);
    assert_eq!(ask(EventQuery { before: one[1].seq, ..newest.clone() }).await[1], one[0]);
    assert_eq!(ask(EventQuery { run: Some("r1".into()), before: one[0].seq, ..newest }).await, []);
}

async fn leases(ledger: &dyn Ledger) {
    let tasks = vec![task("t1", "r"), task("t1", "r")];
    ledger.commit(&Commit { tasks, ..Commit::new() }).await.expect("queued");
    let first = ledger.claim(&["work"], "w1", 100).await.expect("answers").expect("is due");
    assert_eq!((first.attempts, first.crashes()), (1, 0));
    assert_eq!(ledger.claim(&["work"], "w2", 100).await.expect("answers"), None, "queued once, held once");
    assert!(ledger.heartbeat(&first.lease, 1).await.expect("answers"));
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let second = ledger.claim(&["work"], "w2", 60_000).await.expect("answers").expect("the lease lapsed");
    assert_eq!((second.attempts, second.crashes()), (2, 1));
    assert!(!ledger.heartbeat(&first.lease, 100).await.expect("answers"), "a zombie is fenced");
    assert!(!ledger.postpone(&first.lease, 0, "").await.expect("answers"));
    let late = Commit {
        lease: Some((first.lease.clone(), LeaseUse::Finish)),
        ..commit_of(vec![write("zombie", Expect::Any, Some("1"))])
    };
    assert!(matches!(ledger.commit(&late).await, Err(LedgerError::LeaseLost { .. })));
    assert_eq!(ledger.get("thing", "zombie").await.expect("answers"), None);

    assert!(ledger.postpone(&second.lease, 0, "waits").await.expect("answers"));
    let third = ledger.claim(&["work"], "w3", 60_000).await.expect("answers").expect("due again");
    assert_eq!((third.attempts, third.crashes()), (3, 1));
    assert_eq!(ledger.tasks("r").await.expect("answers")[0].note, "waits");
    assert_eq!(ledger.hurry("r").await.expect("answers"), 0, "somebody works on it");
    assert!(ledger.postpone(&third.lease, 60_000, "waits").await.expect("answers"));
    assert_eq!(ledger.claim(&["work"], "w3", 60_000).await.expect("answers"), None);
    assert_eq!(ledger.hurry("other").await.expect("answers"), 0);
    assert_eq!(ledger.hurry("r").await.expect("answers"), 1);
    assert_eq!(ledger.hurry("r").await.expect("answers"), 0, "it is due");
    let third = ledger.claim(&["work"], "w3", 60_000).await.expect("answers").expect("due at once");
    let done = Commit { lease: Some((third.lease.clone(), LeaseUse::Finish)), ..Commit::new() };
    ledger.commit(&done).await.expect("finished");
    assert_eq!(ledger.tasks("r").await.expect("answers"), []);

    let tasks = vec![task("t2", "r2"), task("t3", "r3"), NewTask { queue: "mail", ..task("t4", "r2") }];
    ledger.commit(&Commit { tasks, ..Commit::new() }).await.expect("queued");
    let stop = Commit { stop_run: Some(("r2".into(), "work")), ..Commit::new() };
    ledger.commit(&stop).await.expect("stopped");
    let left: Vec<String> =
        ledger.tasks("").await.expect("answers").into_iter().map(|task| task.id).collect();
    assert_eq!(left, ["t3", "t4"]);
}

async fn races(ledger: &SharedLedger) {
    let mut winners = 0;
    let tries: Vec<_> = (0..64)
        .map(|n| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                ledger
                    .commit(&commit_of(vec![write("race", Expect::Absent, Some(&n.to_string()))]))
                    .await
                    .is_ok()
            })
        })
        .collect();
    for one in tries {
        winners += u32::from(one.await.expect("no panic"));
    }
    assert_eq!(winners, 1, "64 at once, one wins");
}
