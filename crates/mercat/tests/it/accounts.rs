//! Accounts do not leak into each other.

use crate::House;
use crate::house::{NOBODYS, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn as_operator(house: &House, path: &str, body: Value) -> (StatusCode, Value) {
    let request = house.http.post(format!("{}/api/v1{path}", house.base)).header("cookie", &house.operator);
    let answer = request.body(body.to_string()).send().await.expect("answers");
    (answer.status(), serde_json::from_str(&answer.text().await.expect("text")).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_gets_no_link_into_somebody_elses_account() {
    let house = House::open().await;
    as_operator(&house, "/publishers", json!({"id": "rival", "name": "Rival"})).await;
    let (_, rival) =
        as_operator(&house, "/publishers/rival/members", json!({"email": "r@example.org", "role": "owner"}))
            .await;
    let cookie = house.sign_in(rival["signInLink"].as_str().expect("a link")).await;
    let add = async |email: &str| {
        let url = format!("{}/api/v1/publishers/rival/members", house.base);
        let body = json!({"email": email}).to_string();
        house.http.post(url).header("cookie", &cookie).body(body).send().await.expect("answers").status()
    };
    assert_eq!(add("owner@example.org").await, StatusCode::CONFLICT, "that address belongs to aurora");
    assert_eq!(add("new@example.org").await, StatusCode::CREATED);
    // Nor into the account of a member who uses it: it has subscriptions and tokens of its own.
    let members = format!("{}/api/v1/publishers/rival/members", house.base);
    let invite = async |cookie: &str| {
        let body = json!({"email": "used@example.org"}).to_string();
        let made = house.http.post(&members).header("cookie", cookie).body(body).send().await;
        let made = made.expect("answers").text().await.expect("text");
        serde_json::from_str::<Value>(&made).expect("JSON")["signInLink"].clone()
    };
    house.sign_in(invite(&cookie).await.as_str().expect("nobody used it yet")).await;
    assert_eq!(invite(&cookie).await, Value::Null);
    assert!(invite(&house.operator).await.is_string(), "the operator may");
    // When the operator gives that address a part elsewhere, what the first inviter may hold is ended.
    let (status, _) =
        as_operator(&house, "/publishers/aurora/members", json!({"email": "new@example.org"})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(house.api(Method::GET, "/me", None).await.0.is_success(), "others are untouched");
    // The last owner stays one.
    let demote = async |email: &str| {
        let body = json!({"email": email, "role": "contributor"});
        as_operator(&house, "/publishers/aurora/members", body).await
    };
    let (status, body) = demote("OWNER@example.org").await;
    assert_eq!(
        (status, body["errors"][0]["path"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("role")),
        "{body}"
    );
    let second = json!({"email": "second@example.org", "role": "owner"});
    as_operator(&house, "/publishers/aurora/members", second).await;
    assert_eq!(demote("owner@example.org").await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_hears_no_more_and_pulls_no_more() {
    let house = House::open().await;
    let member = house.sign_in(&house.member_link("aurora", "member@example.org", "contributor").await).await;
    let call = async |method: Method, path: &str, body: Value| {
        let url = format!("{}/api/v1{path}", house.base);
        let request = house.http.request(method, url).header("cookie", &member).body(body.to_string());
        let answer = request.send().await.expect("answers");
        let status = answer.status();
        (status, serde_json::from_str::<Value>(&answer.text().await.expect("text")).unwrap_or(Value::Null))
    };
    assert!(
        call(Method::PUT, "/publishers/aurora/subscription", json!({"notices": []})).await.0.is_success()
    );
    let (_, row) = call(Method::POST, "/subscriptions", json!({"name": "mine"})).await;
    let tokens = format!("/subscriptions/{}/pull-tokens", row["id"].as_str().expect("an id"));
    let mut pull = Vec::new();
    for _ in 0..2 {
        pull.push(call(Method::POST, &tokens, json!({})).await.1);
    }
    let works = async |token: &Value| {
        let url = format!("{}/api/v1/subscriptions", house.base);
        let asked = house.http.get(url).bearer_auth(token["token"].as_str().expect("shown once"));
        asked.send().await.expect("answers").status() != StatusCode::UNAUTHORIZED
    };
    let held = works(&pull[0]).await;
    // A token can be ended by itself.
    assert_eq!(call(Method::GET, &tokens, json!({})).await.1.as_array().map(Vec::len), Some(2));
    let one = format!("{tokens}/{}", pull[0]["id"].as_str().expect("an id"));
    assert_eq!(call(Method::DELETE, &one, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::DELETE, &one, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(call(Method::GET, &tokens, json!({})).await.1.as_array().map(Vec::len), Some(1));
    assert!(!held || !works(&pull[0]).await, "an ended token is a stranger's");

    let (_, members) = house.api(Method::GET, "/publishers/aurora/members", None).await;
    let members = members.as_array().expect("a list");
    let user = members.iter().find(|row| row["email"] == "member@example.org").expect("there");
    let path = format!("/publishers/aurora/members/{}", user["user"].as_str().expect("an id"));
    assert_eq!(house.api(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    let (_, left) = house.api(Method::GET, "/publishers/aurora/subscribers", None).await;
    assert!(!left.to_string().contains("member@example.org"), "{left}");
    assert_eq!(call(Method::GET, &tokens, json!({})).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_comes_by_mail_once_a_minute_and_nothing_kept_holds_it() {
    let house = House::open().await;
    let member = house.member_link("aurora", "mia@example.org", "contributor").await;
    house.sign_in(&member).await;
    let page = house.http.get(format!("{}/sign-in", house.base)).send().await.expect("answers");
    assert!(page.text().await.expect("text").contains("/sign-in/link"));
    let ask = async |email: &str| {
        let url = format!("{}/sign-in/link", house.base);
        let answer = house.http.post(url).form(&[("email", email)]).send().await.expect("answers");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.expect("text")
    };
    let told = ask("nobody@example.org").await;
    for address in ["MIA@example.org", "mia@example.org", "no address", ""] {
        assert_eq!(ask(address).await, told, "whose addresses have accounts is not told");
    }
    let sent = || house.message_ids().iter().filter(|mail| mail.contains(".s1@")).count();
    for _ in 0..100 {
        if sent() > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // Quoted-printable (RFC 2045, section 6.7).
    let plain = |mail: String| mail.replace("=\n", "").replace("=3D", "=");
    let mail =
        house.bodies().into_iter().map(plain).find(|mail| mail.contains("/sign-in?link=")).expect("a link");
    let at = mail.find("/sign-in?link=").expect("a link") + "/sign-in?link=".len();
    let secret: String =
        mail[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let (_, mailbox) = house.api(Method::GET, "/publishers/aurora/mail", None).await;
    assert!(!mailbox.to_string().contains("sign-in"), "{mailbox}");
    house.sign_in(&format!("?link={secret}")).await;
    assert_eq!(sent(), 1, "once a minute");
}

/// Nobody is led to a page that only says that they may not see it, and who gets lost keeps their menu.
#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_what_the_reader_may_see() {
    let house = House::open().await;
    let page = async |cookie: &str, path: &str| {
        let request = house.http.get(format!("{}{path}", house.base)).header("cookie", cookie);
        let answer = request.send().await.expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    for (role, webhooks) in [("contributor", false), ("owner", true)] {
        let link = house.member_link("aurora", &format!("{role}@example.org"), role).await;
        let cookie = house.sign_in(&link).await;
        for name in ["numbers", "insights", "leads", "exceptions", "notices", "webhooks", "mail"] {
            let path = format!("/portal/publishers/aurora/{name}");
            for at in ["/portal", "/portal/publishers/aurora/numbers"] {
                let linked = page(&cookie, at).await.1.contains(&format!("href=\"{path}\""));
                assert_eq!(linked, webhooks || name != "webhooks", "{role}: {path} on {at}");
                assert_eq!(linked, page(&cookie, &path).await.0 == StatusCode::OK, "{role}: {path}");
            }
        }
        let (status, lost) = page(&cookie, "/portal/nowhere").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(lost.contains("action=\"/sign-out\""), "{lost}");
    }
}

/// A link in a mail leads to its page even where somebody has to sign in first, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_comes_to_the_page_that_was_wanted() {
    let house = House::open().await;
    let wanted = "/portal/offers/aurora/app/history?page=2";
    let first = async |method: Method, path: &str, accept: &str| {
        let request = house.http.request(method, format!("{}{path}", house.base)).header("accept", accept);
        let answer = request.send().await.expect("answers");
        answer.headers().get("set-cookie").map(|cookie| cookie.to_str().expect("text").to_owned())
    };
    let get = "/marketplace/apps/aurora.gateway/get/standard";
    let cookie = first(Method::GET, get, "text/html").await.expect("remembered");
    assert!(cookie.starts_with(&format!("back={get}; ")), "{cookie}");
    let cookie = first(Method::GET, wanted, "text/html,*/*").await.expect("remembered");
    assert!(cookie.starts_with(&format!("back={wanted}; Path=/sign-in;")), "{cookie}");
    for (method, path, accept) in [
        (Method::POST, "/portal/offers/aurora/app/golive", "text/html"),
        (Method::GET, "/portal/offers/aurora/app/submissions/1/events", "text/event-stream"),
        (Method::GET, "/portal?x=a;b", "text/html"),
        (Method::GET, "/portal/publishers/aurora/leads.csv", "text/html"),
        (Method::GET, "/support/1/attachments/sha256:00", "text/html"),
        (Method::GET, "/api/v1/publishers/aurora/offers", "text/html"),
    ] {
        assert_eq!(first(method, path, accept).await, None, "{path}");
    }
    for (cookie, place) in [
        (cookie.split(';').next().expect("a pair"), wanted),
        ("back=/support/new", "/support/new"),
        ("other=1", "/portal"),
        ("back=https://elsewhere.example/portal", "/portal"),
        ("back=//elsewhere.example/portal", "/portal"),
    ] {
        let link = house.member_link("aurora", "owner@example.org", "owner").await;
        let secret = link.split_once("link=").expect("a link").1;
        let url = format!("{}/sign-in", house.base);
        let request = house.http.post(url).header("cookie", cookie).form(&[("link", secret)]);
        let answer = request.send().await.expect("answers");
        assert_eq!(answer.headers()["location"], place, "{cookie}");
        let mut set =
            answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
        assert!(set.any(|cookie| cookie.starts_with("back=; ")), "it leads there once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_token_makes_nothing_and_a_foreign_page_neither() {
    let house = House::open().await;
    let (_, read) = house.api(Method::POST, "/tokens", Some(json!({"label": "r", "scope": "read"}))).await;
    for (path, body) in
        [("/tokens", json!({"label": "x", "scope": "read"})), ("/subscriptions", json!({"name": "x"}))]
    {
        let request = house
            .http
            .post(format!("{}/api/v1{path}", house.base))
            .bearer_auth(read["token"].as_str().expect("shown"));
        assert_eq!(
            request.body(body.to_string()).send().await.expect("answers").status(),
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let request = house.http.post(format!("{}/api/v1/tokens", house.base)).header("cookie", &house.operator);
    let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let answer =
        request.body(json!({"label": "x", "scope": "golive"}).to_string()).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let (status, _) =
        house.api(Method::POST, "/subscriptions", Some(json!({"name": "x", "id": NOBODYS}))).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "ids that stand on allow-lists cannot be claimed");
}

/// S4-23: a live offer is updated, in a preview of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_preview_brings_the_earlier_audience_back() {
    let house = House::open().await;
    let (first, second) = (house.subscription().await, house.subscription().await);
    let root = house.dir.path().join("images/app");
    let image = format!("oci:{}", root.display());
    layout(&root, &[tar(&[("a", b"1")])], &["latest", "1.0.0"]);
    house.save(&house.offer("app", &image, &["latest", "1.0.0"], std::slice::from_ref(&first.0)).await).await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    layout(&root, &[tar(&[("a", b"2")])], &["latest", "1.0.1"]);
    house
        .save(&house.offer("app", &image, &["latest", "1.0.1"], std::slice::from_ref(&second.0)).await)
        .await;
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    let sees = async |who: &(String, String)| {
        crate::house::pull(&house.base, "preview/aurora/app/standard", "latest", Some(who)).await.is_some()
    };
    assert_eq!((sees(&first).await, sees(&second).await), (false, true));
    house.api(Method::POST, "/publishers/aurora/offers/app/cancel", None).await;
    assert_eq!((sees(&first).await, sees(&second).await), (true, false));
}
