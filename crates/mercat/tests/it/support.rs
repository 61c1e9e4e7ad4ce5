//! Asked for on a failed step, answered by an engineer, closed.

use crate::House;
use crate::browser::Browser;
use crate::leads::{customer, customers, live_offer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A call with a session cookie.
async fn call(
    house: &House,
    cookie: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (StatusCode, Value) {
    let request = house.http.request(method, format!("{}/api/v1{path}", house.base)).header("cookie", cookie);
    let answer = request.body(body.map(Value::to_string).unwrap_or_default()).send().await.expect("answers");
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or(Value::Null))
}

/// Mails about a request, by how many messages it had.
async fn mails(house: &House, id: &str, messages: usize, count: usize) {
    let wanted = format!("{id}.{messages}.");
    for _ in 0..100 {
        let ids = house.message_ids();
        if ids.iter().filter(|mail| mail.contains(&wanted)).count() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids = house.message_ids();
    assert_eq!(ids.iter().filter(|mail| mail.contains(&wanted)).count(), count, "{wanted} {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_is_asked_about_answered_and_closed() {
    let house = House::open().await;
    house.offer_with_key("app", json!({"leadSecret": "secret-canary"})).await;
    let (submission, _) = house.fails_on_its_key("app").await;
    let get = async |path: &str, cookie: Option<&str>| {
        let request = house.http.get(format!("{}{path}", house.base));
        let request = match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request.bearer_auth(&house.token),
        };
        let answer = request.send().await.expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    // The status page leads to a form in which everything is filled in.
    let (_, page) = get("/portal/offers/aurora/app/status", None).await;
    let link =
        format!("/support/new?publisher=aurora&amp;offer=app&amp;submission={submission}&amp;step=certify");
    let link = if page.contains(&link) { link } else { link.replace("&amp;", "&#38;") };
    assert!(page.contains(&link), "{page}");
    let (status, form) = get(&link.replace("&amp;", "&").replace("&#38;", "&"), None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(form.contains("CTR-21") && form.contains(&submission) && !form.contains("canary"), "{form}");

    customers(&house).await;
    let engineer = customer(&house, "engineer@example.org").await;
    let stranger = customer(&house, "stranger@example.org").await;
    let status_path = "/publishers/aurora/offers/app/status";
    assert_eq!(call(&house, &engineer, Method::GET, status_path, None).await.0, StatusCode::NOT_FOUND);
    let new = json!({
        "title": "What is CTR-21?", "category": "certification", "priority": "high", "text": "There is no key.",
        "publisher": "aurora", "offer": "app", "submission": submission, "step": "certify",
        "attachments": [{"name": "../../etc/<b>list\u{202e}.txt", "content": "bG9nIG9mIGEgYnVpbGQ="}],
    });
    assert_eq!(call(&house, &stranger, Method::POST, "/support", Some(&new)).await.0, StatusCode::NOT_FOUND);
    let (status, made) = house.api(Method::POST, "/support", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(
        (&made["number"], &made["state"], &made["rules"]),
        (&json!(1), &json!("new"), &json!(["CTR-21"]))
    );
    assert!(!made.to_string().contains("canary"));
    let id = made["id"].as_str().expect("an id").to_owned();
    // The requester is told at once; this test's operator has no address.
    mails(&house, &id, 1, 1).await;

    // The operator sees it in the queue and names an engineer, who sees the offer from then on, and nothing else.
    let (_, queue) = call(&house, &house.operator, Method::GET, "/support?queue=true", None).await;
    assert_eq!(queue[0]["id"], json!(id));
    assert_eq!(
        call(&house, &stranger, Method::GET, "/support?queue=true", None).await.0,
        StatusCode::FORBIDDEN
    );
    let path = format!("/support/{id}");
    let replies = format!("{path}/replies");
    let name = json!({"engineer": "engineer@example.org", "priority": "urgent"});
    assert_eq!(house.api(Method::POST, &replies, Some(name.clone())).await.0, StatusCode::FORBIDDEN);
    let (status, named) = call(&house, &house.operator, Method::POST, &replies, Some(&name)).await;
    assert_eq!((status, named["priority"].as_str()), (StatusCode::OK, Some("urgent")), "{named}");
    // A reply that says and changes nothing is none.
    for nothing in [json!({}), json!({"text": " \n"}), json!({"priority": "urgent"})] {
        let path = format!("/support/{id}/replies");
        let (status, body) = call(&house, &house.operator, Method::POST, &path, Some(&nothing)).await;
        let field = body["errors"][0]["path"].as_str();
        assert_eq!((status, field), (StatusCode::UNPROCESSABLE_ENTITY, Some("text")), "{nothing}: {body}");
    }
    let (status, evidence) = call(&house, &engineer, Method::GET, status_path, None).await;
    assert_eq!((status, evidence["status"].as_str()), (StatusCode::OK, Some("failed")));
    assert_eq!(
        call(&house, &engineer, Method::GET, "/publishers/aurora/offers", None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        call(&house, &engineer, Method::POST, "/publishers/aurora/offers/app/publish", None).await.0,
        StatusCode::NOT_FOUND
    );

    // A thread: the engineer answers, the requester asks again with a file, and closes.
    let answer = json!({"text": "Look at root/.ssh/id in the last layer."});
    let (_, answered) = call(&house, &engineer, Method::POST, &replies, Some(&answer)).await;
    assert_eq!(
        (answered["state"].as_str(), answered["messages"][1]["side"].as_str()),
        (Some("waitsForRequester"), Some("helper"))
    );
    mails(&house, &id, 2, 1).await;
    let (_, asked) =
        house.api(Method::POST, &replies, Some(json!({"text": "And how do I remove it?"}))).await;
    assert_eq!(asked["state"], "open");
    mails(&house, &id, 3, 1).await;
    for (who, wanted) in [(&stranger, StatusCode::NOT_FOUND), (&engineer, StatusCode::OK)] {
        assert_eq!(call(&house, who, Method::GET, &path, None).await.0, wanted);
        let file = &made["messages"][0]["attachments"][0];
        assert_eq!((&file["name"], &file["size"]), (&json!("<b>list.txt"), &json!(14)));
        let url = format!("/support/{id}/attachments/{}", file["digest"].as_str().expect("a digest"));
        let answer = house
            .http
            .get(format!("{}{url}", house.base))
            .header("cookie", who)
            .send()
            .await
            .expect("answers");
        assert_eq!(answer.status(), wanted);
        if wanted == StatusCode::OK {
            assert_eq!(answer.headers()["content-type"], "application/octet-stream");
            assert!(
                answer.headers()["content-disposition"].to_str().expect("text").starts_with("attachment;")
            );
            assert_eq!(answer.text().await.expect("text"), "log of a build");
        }
    }
    let (_, closed) =
        house.api(Method::POST, &replies, Some(json!({"text": "Thank you.", "close": true}))).await;
    assert_eq!(closed["state"], "closed");
    // With it, the evidence is closed as well.
    assert_eq!(call(&house, &engineer, Method::GET, status_path, None).await.0, StatusCode::NOT_FOUND);
    let (_, queue) = call(&house, &house.operator, Method::GET, "/support?queue=true", None).await;
    assert_eq!(queue, json!([]));
    let (_, thread) = get(&format!("/support/{id}"), None).await;
    assert!(
        thread.contains("Thank you.") && thread.contains("&lt;b&gt;list.txt")
            || thread.contains("&#60;b&#62;list.txt"),
        "{thread}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_ticket_is_between_them_and_the_publisher() {
    let house = House::open().await;
    live_offer(&house, "app", &json!({"leadDestination": "none"})).await;
    customers(&house).await;
    let mia = customer(&house, "mia@example.org").await;
    let new = json!({
        "title": "It does not start", "category": "other", "priority": "normal", "text": "Port 80 is taken.",
        "toPublisher": true, "publisher": "aurora", "offer": "app", "submission": "x", "step": "certify",
    });
    let (status, made) = call(&house, &mia, Method::POST, "/support", Some(&new)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!((&made["submission"], &made["rules"]), (&json!(""), &json!([])), "nothing of the publisher's");
    let id = made["id"].as_str().expect("an id").to_owned();
    // Mia and the offer's support contact.
    mails(&house, &id, 1, 2).await;
    assert!(house.message_ids().iter().any(|mail| mail.contains(&id) && mail.contains(".n10@")));
    assert_eq!(
        call(&house, &house.operator, Method::GET, &format!("/support/{id}"), None).await.0,
        StatusCode::NOT_FOUND
    );
    let (_, listed) = house.api(Method::GET, "/support", None).await;
    assert_eq!(listed[0]["id"], json!(id));
    let replies = format!("/support/{id}/replies");
    let (_, answered) = house.api(Method::POST, &replies, Some(json!({"text": "Use port 8080."}))).await;
    assert_eq!(answered["messages"][1]["side"], "helper");
    mails(&house, &id, 2, 1).await;
    let hidden = json!({"title": "t", "category": "other", "priority": "low", "text": "t", "toPublisher": true, "publisher": "aurora", "offer": "none"});
    assert_eq!(call(&house, &mia, Method::POST, "/support", Some(&hidden)).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn support_is_asked_for_on_a_failed_step_answered_and_closed_by_clicking() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::open().await;
    house.offer_with_key("app", json!({})).await;
    house.fails_on_its_key("app").await;
    browser.goto(&house.member_link("aurora", "owner@example.org", "owner").await).await;
    browser.click("main button").await;
    browser.wait("a[href='/portal/new']").await;
    browser.goto(&format!("{}/portal/offers/aurora/app/status", house.base)).await;
    browser.click("a[href^='/support/new']").await;
    browser.until("CTR-21").await;
    browser.type_into("#title", "What is CTR-21?").await;
    browser.type_into("#text", "There is no key in it.").await;
    browser.audit_here("support-new").await;
    browser.click("main form.card button").await;
    browser.until("received").await;

    // The operator finds it in the queue, answers, and the owner's mail arrives.
    let owner = browser.call(Method::GET, "/cookie/mercat", json!({})).await.expect("a cookie");
    let (name, value) = house.operator.split_once('=').expect("a cookie");
    let cookie = json!({"cookie": {"name": name, "value": value, "path": "/"}});
    browser.call(Method::POST, "/cookie", cookie).await.expect("the operator");
    browser.goto(&format!("{}/support", house.base)).await;
    browser.click("main table a[href^='/support/']").await;
    browser.type_into("#text", "It is in root/.ssh/id.").await;
    browser.click("main form.card button").await;
    browser.until("waiting for your reply").await;
    for _ in 0..100 {
        if house.message_ids().iter().filter(|id| id.contains(".2.") && id.contains(".n9@")).count() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answered = house.message_ids().iter().filter(|id| id.contains(".2.") && id.contains(".n9@")).count();
    assert_eq!(answered, 1, "{:?}", house.message_ids());

    // The owner closes it.
    let cookie = json!({"cookie": {"name": "mercat", "value": owner["value"], "path": "/"}});
    browser.call(Method::POST, "/cookie", cookie).await.expect("the owner");
    browser.goto(&format!("{}/support", house.base)).await;
    browser.click("main table a[href^='/support/']").await;
    browser.until("It is in root/.ssh/id.").await;
    browser.type_into("#text", "Thank you.").await;
    browser.click("input[name=close]").await;
    browser.click("main form.card button").await;
    browser.until("closed").await;
    browser.audit_here("support-closed").await;
}
