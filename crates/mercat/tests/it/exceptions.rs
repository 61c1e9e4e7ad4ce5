//! A finding is let pass by a reviewer, for exactly what was found.

use crate::House;
use crate::house::{PLANTED_KEY, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A call as the operator.
pub(crate) async fn operator(
    house: &House,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let request =
        house.http.request(method, format!("{}/api/v1{path}", house.base)).header("cookie", &house.operator);
    let answer = request.body(body.map(Value::to_string).unwrap_or_default()).send().await.expect("answers");
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or(Value::Null))
}

/// A day some days from now, as the request has it.
pub(crate) fn day(days: i64) -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let at = i64::try_from(seconds).expect("small") + days * 86_400;
    mercat_app::rfc3339(at * 1000)[..10].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_is_asked_for_granted_used_again_and_bound_to_the_bytes() {
    let house = House::open().await;
    house.offer_with_key("app", json!({})).await;
    let (submission, at) = house.fails_on_its_key("app").await;
    let root = house.dir.path().join("images/app");
    let image = |key: &str| layout(&root, &[tar(&[("root/.ssh/id", key.as_bytes())])], &["latest", "1.0.0"]);
    let status_page = async || {
        let page = house.http.get(format!("{}/portal/offers/aurora/app/status", house.base));
        page.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text")
    };
    let page = status_page().await;
    let links = page.matches("/portal/offers/aurora/app/exceptions/new?").count();
    assert!(links == 1 && page.contains("fix what is listed below"), "{page}");
    let form = format!(
        "{}/portal/offers/aurora/app/exceptions/new?submission={submission}&step=certify&finding={at}",
        house.base
    );
    let form = house.http.get(form).bearer_auth(&house.token).send().await.expect("answers");
    assert!(form.text().await.expect("text").contains("CTR-21"));

    let path = format!("/publishers/aurora/offers/app/submissions/{submission}/exceptions");
    let ask = |until: &str| json!({"finding": at, "kind": "exception", "reason": "A published test key.", "until": until});
    for bad in ["", "soon", "2020-01-01", "2999-01-01"] {
        let (status, body) = house.api(Method::POST, &path, Some(ask(bad))).await;
        assert_eq!(
            (status, body["errors"][0]["path"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("until")),
            "{bad}"
        );
    }
    let nothing = json!({"finding": 999, "kind": "appeal", "reason": "x"});
    assert_eq!(house.api(Method::POST, &path, Some(nothing)).await.0, StatusCode::NOT_FOUND);
    let (status, asked) = house.api(Method::POST, &path, Some(ask(&day(30)))).await;
    assert_eq!((status, asked["state"].as_str()), (StatusCode::CREATED, Some("requested")), "{asked}");
    let (status, again) = house.api(Method::POST, &path, Some(ask(&day(30)))).await;
    assert_eq!((status, &again["exception"]), (StatusCode::CONFLICT, &json!(1)), "once: {again}");
    // The page names the request in place of asking again.
    let page = status_page().await;
    assert!(page.contains("Exception 1: waiting for a reviewer"), "{page}");
    assert_eq!(page.matches("/exceptions/new?").count(), 0, "{page}");
    assert!(page.contains("looks at the exceptions that you asked for"), "{page}");
    let id = asked["id"].as_str().expect("an id").to_owned();
    let decide = format!("/exceptions/{id}");
    let grant = json!({"state": "granted", "note": "Known and harmless."});
    assert_eq!(
        house.api(Method::POST, &decide, Some(grant.clone())).await.0,
        StatusCode::FORBIDDEN,
        "not by the publisher"
    );

    // The reviewer asks, the publisher answers, the reviewer grants.
    let (_, queue) = operator(&house, Method::GET, "/exceptions", None).await;
    assert_eq!(queue[0]["id"], json!(id));
    let question = json!({"state": "needsInformation", "note": "Where is it published?"});
    let (status, open) = operator(&house, Method::POST, &decide, Some(&question)).await;
    assert_eq!((status, open["state"].as_str()), (StatusCode::OK, Some("needsInformation")));
    assert_eq!(operator(&house, Method::GET, "/exceptions", None).await.1, json!([]));
    assert!(status_page().await.contains("has a question about an exception"));
    let page = |path: String, cookie: String| {
        let request = house.http.get(format!("{}{path}", house.base)).header("cookie", cookie);
        async { request.send().await.expect("answers").text().await.expect("text") }
    };
    let desk = page("/portal/operator/exceptions".to_owned(), house.operator.clone()).await;
    assert!(desk.contains("Where is it published?"), "what was asked about stays in sight: {desk}");
    let more = json!({"text": "In RFC 9999.", "attachments": [{"name": "rfc.txt", "content": "cmZj"}]});
    let (_, informed) =
        house.api(Method::POST, &format!("/publishers/aurora/exceptions/{id}"), Some(more)).await;
    assert_eq!(informed["state"], "requested");
    assert_eq!(house.fails_on_its_key("app").await.1, at, "until it is granted, it blocks");
    let (_, granted) = operator(&house, Method::POST, &decide, Some(&grant)).await;
    assert_eq!(granted["state"], "granted");
    assert_eq!(granted["boundTo"], "file");
    assert!(status_page().await.contains("exceptions are granted for everything that blocks"));
    let (_, in_force) = operator(&house, Method::GET, "/exceptions?state=granted", None).await;
    assert_eq!(in_force.as_array().map(Vec::len), Some(1), "{in_force}");
    assert_eq!(in_force[0]["id"], json!(id));
    let (status, wrong) = operator(&house, Method::GET, "/exceptions?state=denied", None).await;
    assert_eq!(
        (status, wrong["errors"][0]["path"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("state"))
    );
    let own = house.http.get(format!("{}/portal/publishers/aurora/exceptions", house.base));
    let own = own.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text");
    assert!(own.contains("Publish again"), "{own}");
    let desk = page("/portal/operator/exceptions".to_owned(), house.operator.clone()).await;
    assert!(desk.contains("In force") && desk.contains("It holds for this file"), "{desk}");
    assert!(desk.contains("Known and harmless.") && desk.contains("Decided 20"), "{desk}");
    let report = format!("/portal/offers/aurora/app/submissions/{submission}");
    assert!(desk.contains(&report), "{desk}");
    let report = page(report, house.operator.clone()).await;
    assert!(report.contains("CTR-21"), "reviewers see what was submitted: {report}");
    let history = page("/portal/offers/aurora/app/history".to_owned(), house.operator.clone()).await;
    assert!(history.contains("Exception 1: CTR-21"), "{history}");

    // The same bytes pass, as often as they are published, in a new layer and under a new name too; the finding is
    // still told.
    for elsewhere in [false, true] {
        if elsewhere {
            let files = [("etc/new", b"new".as_slice()), ("opt/test.key", PLANTED_KEY.as_bytes())];
            layout(&root, &[tar(&files)], &["latest", "1.0.0"]);
        }
        house.publish("app").await;
        let status = house.until("app", &["failed", "waitingForPublisherReview"]).await;
        assert_eq!(status["status"], "waitingForPublisherReview", "{:#?}", House::blocking(&status));
        let text = status.to_string();
        assert!(
            text.contains("message-excused") && text.contains("let pass by exception 1 until"),
            "{status:#}"
        );
        assert!(status_page().await.contains("Reports tell what was found"));
        // Nor is it hidden from customers.
        let page = house.http.get(format!("{}/marketplace/preview/aurora.app", house.base));
        let page = page.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text");
        assert!(page.contains(">CTR-21</a>: let pass by exception 1 until"), "{page}");
        if elsewhere {
            house.go_live("app").await;
            house.until("app", &["succeeded"]).await;
        } else {
            house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
        }
    }
    // What failed before is nobody's turn any more.
    let old = house.http.get(format!("{}/portal/offers/aurora/app/submissions/{submission}", house.base));
    let old = old.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text");
    assert!(old.contains("a newer one took its place") && !old.contains("It is your turn"), "{old}");
    assert!(old.contains("<dd>Nobody"), "{old}");
    // Other bytes at the same place do not.
    image(&PLANTED_KEY.replace("AAAAB", "AAAAC"));
    house.fails_on_its_key("app").await;
    // What was granted can be taken back.
    image(PLANTED_KEY);
    let withdraw = format!("{}/portal/operator/exceptions/{id}", house.base);
    for (note, expected) in [("", StatusCode::UNPROCESSABLE_ENTITY), ("It is used.", StatusCode::SEE_OTHER)] {
        let field = |name: &str, value: &str| {
            format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let form = [field("state", "withdrawn"), field("note", note), "--edge--\r\n".to_owned()].concat();
        let request = house.http.post(&withdraw).header("cookie", &house.operator).body(form);
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        let answer = request.header("origin", &house.base).send().await.expect("answers");
        assert_eq!(answer.status(), expected, "{note}");
    }
    let (_, in_force) = operator(&house, Method::GET, "/exceptions?state=granted", None).await;
    assert_eq!(in_force, json!([]));
    let (_, over) = operator(&house, Method::GET, "/exceptions?state=over", None).await;
    assert_eq!((&over[0]["id"], &over[0]["state"]), (&json!(id), &json!("withdrawn")), "{over}");
    let own = house.http.get(format!("{}/portal/publishers/aurora/exceptions", house.base));
    let own = own.bearer_auth(&house.token).send().await.expect("answers").text().await.expect("text");
    assert!(own.contains(">withdrawn<") && !own.contains(">denied<"), "{own}");
    let desk = page("/portal/operator/exceptions".to_owned(), house.operator.clone()).await;
    assert!(desk.contains("Denied, withdrawn, over") && desk.contains("It is used."), "{desk}");
    // What is live by it stays live, and its page says what is known, at once and when it was judged again.
    for _ in 0..100 {
        let product = page("/marketplace/apps/aurora.app".to_owned(), house.operator.clone()).await;
        assert!(!product.contains("let pass by exception"), "{product}");
        assert!(product.contains("Would block today: 1<"), "{product}");
        if product.contains("Judged again") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    house.fails_on_its_key("app").await;
    for _ in 0..100 {
        if house.message_ids().iter().filter(|mail| mail.contains(&id) && mail.contains(".x1@")).count() == 3
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mails = house.message_ids().iter().filter(|mail| mail.contains(&id) && mail.contains(".x1@")).count();
    assert_eq!(mails, 3, "question, grant and denial reach the publisher");
}
