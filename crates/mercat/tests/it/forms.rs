//! Forms that are refused keep what was typed, and say beside each field what is wrong.

use crate::House;
use crate::browser::Browser;
use crate::exceptions::{day, operator};
use crate::leads::live_offer;
use crate::webhooks::witness;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A form with files, as browsers send it.
fn multipart(fields: &[(&str, &str)], files: &[(&str, usize)]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--cut\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.bytes());
    }
    for (name, size) in files {
        let head =
            format!("--cut\r\ncontent-disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.bytes());
        body.extend(vec![b'x'; *size]);
        body.extend(b"\r\n");
    }
    body.extend(b"--cut--\r\n");
    ("multipart/form-data; boundary=cut".to_owned(), body)
}

/// Sends a form and reads the page that comes back.
async fn send(
    house: &House,
    operator: bool,
    path: &str,
    fields: &[(&str, &str)],
    files: Option<&[(&str, usize)]>,
) -> (StatusCode, String) {
    let request = house.http.post(format!("{}{path}", house.base)).header("accept-language", "ja");
    let request = match operator {
        true => request.header("cookie", &house.operator),
        false => request.bearer_auth(&house.token),
    };
    let request = match files {
        None => request.form(fields),
        Some(files) => {
            let (kind, body) = multipart(fields, files);
            // What is too large is not read to its end: nothing else can be asked over that connection.
            request.header("content-type", kind).header("connection", "close").body(body)
        }
    };
    let answer = request.send().await.expect("answers");
    (answer.status(), answer.text().await.expect("text"))
}

/// The page shows the form again: with what was typed, and with what is wrong beside the field.
fn kept((status, page): (StatusCode, String), typed: &[&str], field: &str, required: &str) {
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    for text in typed {
        assert!(page.contains(text), "{text}: {page}");
    }
    let problem = format!("id=\"{field}-problem\"");
    let at = page.find(&problem).unwrap_or_else(|| panic!("{problem}: {page}"));
    let told = page[at..].split("</p>").next().expect("a paragraph");
    assert!(told.contains(required), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_is_kept_and_each_field_says_what_is_wrong() {
    let house = House::open().await;
    let whole = "\"Whole <text>\" & so on";
    let shown = "&#60;text&#62;";

    let path = "/portal/publishers/aurora/webhooks";
    let fields = [("url", "http://private.example/hook"), ("events", "submission.* bogus.event")];
    let page = send(&house, false, path, &fields, None).await;
    kept(page.clone(), &["value=\"http://private.example/hook\""], "url", "接続できる https のリンク");
    kept(page, &["value=\"submission.* bogus.event\""], "events", "一覧にあるイベント");

    let path = "/portal/publishers/aurora/subscribers";
    let fields = [("action", "add"), ("email", "not an address"), ("N2", "true")];
    let (status, page) = send(&house, false, path, &fields, None).await;
    assert!(!page.contains("name=\"N3\" value=\"true\" checked"), "only what was ticked is");
    kept(
        (status, page),
        &["value=\"not an address\"", "name=\"N2\" value=\"true\" checked"],
        "email",
        "name@example.org",
    );

    let title = "x".repeat(101);
    let fields = [("title", title.as_str()), ("category", "other"), ("priority", "urgent"), ("text", whole)];
    let page = send(&house, false, "/support", &fields, Some(&[])).await;
    kept(page, &[&title, shown, "value=\"urgent\" selected"], "title", "1 ～ 100 文字");
    // A file that is too large costs nobody their words, whether it is read to its end or not.
    let fields = [("title", "Kept"), ("category", "other"), ("priority", "low"), ("text", whole)];
    for (size, most) in [(9 << 20, "1 ファイル 8 MiB 以内"), (40 << 20, "合計 24 MiB 以内")] {
        let page = send(&house, false, "/support", &fields, Some(&[("log", size)])).await;
        kept(page, &["value=\"Kept\"", shown, "value=\"low\" selected"], "files", most);
    }
    // An empty one is not dropped in silence; where none was chosen, a browser sends one without a name.
    let page = send(&house, false, "/support", &fields, Some(&[("log", 0)])).await;
    kept(page, &["value=\"Kept\"", shown], "files", "空でないファイル");
    let (status, _) = send(&house, false, "/support", &fields, Some(&[("log", 9), ("", 0)])).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, requests) = house.api(reqwest::Method::GET, "/support", None).await;
    let id = requests["items"][0]["id"].as_str().or(requests[0]["id"].as_str()).expect("an id").to_owned();
    let long = "y".repeat(10_001);
    let page = send(&house, false, &format!("/support/{id}"), &[("text", &long)], Some(&[])).await;
    kept(page, &[&long], "text", "10000 文字以内");

    let path = "/portal/account/tokens";
    let fields = [("label", "ci"), ("scope", "god"), ("days", "400")];
    let page = send(&house, false, path, &fields, None).await;
    kept(page, &["value=\"ci\"", "value=\"400\""], "scope", "read、publish、golive");
    let page = send(&house, false, path, &[("label", " "), ("scope", "publish"), ("days", "0")], None).await;
    kept(page.clone(), &["value=\"publish\" selected"], "days", "1 ～ 366 日");
    kept(page, &[], "label", "1 ～ 100 文字");
    let page = send(&house, false, "/portal/account/subscriptions", &[("name", "a\u{202e}b")], None).await;
    kept(page, &[], "name", "印字可能な");

    let fields = [("id", "portal"), ("name", "Kept Name")];
    let page = send(&house, true, "/portal/operator/publishers", &fields, None).await;
    kept(page, &["value=\"Kept Name\""], "id", "予約語");
    let page = send(&house, true, "/portal/operator/publishers", &[("id", ""), ("name", "N")], None).await;
    kept(page, &[], "id", "F001: このフィールドを入力してください。");
    let fields = [("id", "aurora"), ("name", "Another Aurora")];
    let page = send(&house, true, "/portal/operator/publishers", &fields, None).await;
    kept(page, &["value=\"Another Aurora\""], "id", "まだ使われていない");
    let fields = [("publisher", "aurora"), ("email", "new@example.org"), ("role", "king")];
    let page = send(&house, true, "/portal/operator/members", &fields, None).await;
    kept(page, &["value=\"new@example.org\""], "role", "contributor または owner");

    // What changed since the form of Publish was opened costs nobody their notes.
    house.offer_with_key("app", json!({})).await;
    let path = "/portal/offers/aurora/app/publish";
    let fields = [("emails", "ops@example.org"), ("notes", "Look <here>"), ("version", "99")];
    let (status, page) = send(&house, false, path, &fields, None).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{page}");
    for part in ["下書きが変更されました", "Look &#60;here&#62;", "ops@example.org"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (status, page) = send(&house, true, "/support", &[("title", "no form with files")], None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{page}");
    assert!(page.contains("<html lang=\"ja\"") && page.contains("一部が欠けていないか"), "{page}");
    let fields = [("offer", "ship"), ("name", "Ship"), ("kind", "spaceship")];
    let page = send(&house, false, "/portal/publishers/aurora/offers", &fields, None).await;
    kept(page, &["value=\"Ship\""], "kind", "container または virtual-machine");

    // What is no form at all is answered by a page, too.
    let url = format!("{}/sign-in/link", house.base);
    let answer = house.http.post(url).form(&[("nothing", "here")]).send().await.expect("answers");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.expect("text").contains("<h1>What was sent cannot be read</h1>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_the_forms_of_exceptions_and_of_customers() {
    let house = House::open().await;
    house.offer_with_key("app", json!({})).await;
    let (submission, at) = house.fails_on_its_key("app").await;
    let at = at.to_string();
    let ask = async |kind: &str, until: &str| {
        let fields = [
            ("submission", submission.as_str()),
            ("step", "certify"),
            ("finding", &at),
            ("kind", kind),
            ("reason", "Known <well>."),
            ("until", until),
        ];
        send(&house, false, "/portal/offers/aurora/app/exceptions", &fields, Some(&[])).await
    };
    kept(ask("exception", "").await, &["Known &#60;well&#62;."], "until", "1 年以内の日付");
    assert_eq!(ask("appeal", "").await.0, StatusCode::SEE_OTHER);
    let cookie =
        house.http.get(format!("{}/api/v1/exceptions", house.base)).header("cookie", &house.operator);
    let rows: serde_json::Value =
        serde_json::from_str(&cookie.send().await.expect("answers").text().await.expect("text"))
            .expect("JSON");
    let id = rows["items"][0]["id"].as_str().or(rows[0]["id"].as_str()).expect("an id");
    let path = format!("/portal/operator/exceptions/{id}");
    let fields = [("state", "granted"), ("note", "All <fine>"), ("until", "2000-01-01")];
    let (status, page) = send(&house, true, &path, &fields, Some(&[])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("All &#60;fine&#62;") && page.contains("1 年以内の日付"), "{page}");

    live_offer(&house, "gateway", &json!({"leadDestination": "none"})).await;
    let path = "/marketplace/apps/aurora.gateway/contact";
    let fields = [
        ("kind", "getItNow"),
        ("plan", "other"),
        ("email", "nobody"),
        ("firstName", "Mia"),
        ("country", "zz"),
        ("description", "So <much>"),
    ];
    let page = send(&house, false, path, &fields, None).await;
    let typed = ["value=\"Mia\"", "value=\"nobody\"", "So &#60;much&#62;", "value=\"getItNow\" selected"];
    kept(page.clone(), &typed, "email", "name@example.org");
    kept(page.clone(), &["value=\"zz\""], "country", "ISO 3166-1");
    kept(page.clone(), &[], "plan", "このオファーのプラン");
    kept(page, &[], "consent", "同意");
    let (subscription, _) = house.subscription().await;
    let fields = [
        ("subscription", subscription.as_str()),
        ("market", "JP"),
        ("email", "mia@example.org"),
        ("consent", "yes"),
    ];
    let path = "/marketplace/apps/aurora.gateway/get/standard";
    let (status, page) = send(&house, false, path, &fields, None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for typed in ["value=\"mia@example.org\"", "value=\"yes\" checked", &format!("{subscription}\" selected")]
    {
        assert!(page.contains(typed), "{typed}: {page}");
    }
    // A picture that is far too large is told on a page.
    let path = "/portal/offers/aurora/gateway/editor/marketplace";
    let (status, page) = send(&house, false, path, &[], Some(&[("logo", 30 << 20)])).await;
    assert!(status.is_client_error() && page.contains("<html lang=\"ja\""), "{status} {page}");
    // What is asked for from the preview is told apart.
    let path = "/marketplace/preview/aurora.gateway/contact";
    let fields = [("kind", "contactMe"), ("email", "mia@example.org"), ("consent", "true")];
    let (status, page) = send(&house, false, path, &fields, None).await;
    assert!(status.is_success() && page.contains(&format!("action=\"{path}\"")), "{status} {page}");
    let (_, leads) = house.api(Method::GET, "/publishers/aurora/leads", None).await;
    let asked = leads["items"].as_array().expect("a list");
    let environments: Vec<&Value> = asked.iter().map(|lead| &lead["environment"]).collect();
    assert_eq!(environments, ["preview"], "{leads}");
}

/// Each form of the pages, sent with something that is not taken.
async fn every_form_refused(browser: &Browser, house: &House, thread: &str, ask: &str) {
    for (name, path, fields, send) in [
        (
            "webhook",
            "/portal/publishers/aurora/webhooks",
            &[("#url", "http://x"), ("#events", "bogus")][..],
            "",
        ),
        ("support", "/support/new", &[("#title", "nothing but a title")], ""),
        ("reply", &format!("/support/{thread}"), &[("#text", " ")], ""),
        ("account", "/portal/account", &[("#days", "9999"), ("#label", "ci")], ""),
        ("subscribers", "/portal/publishers/aurora/notices", &[("#email", "nobody")], "[value=add]"),
        ("exception", ask, &[("#reason", "Known."), ("#until", "2000-01-01")], ""),
        ("new", "/portal/new", &[("#offer", "Not an id!"), ("#name", "Gateway")], ""),
        ("new-taken", "/portal/new", &[("#offer", "gateway"), ("#name", "Gateway")], ""),
        ("clone", "/portal/offers/aurora/app/clone", &[("#offer", "gateway"), ("#name", "Two")], ""),
        ("import", "/portal/offers/aurora/app/import", &[("#text", "type: boat\ncolour: red")], ""),
        ("import-broken", "/portal/offers/aurora/app/import", &[("#text", "type: [boat\ncolour: }")], ""),
        (
            "import-number",
            "/portal/offers/aurora/app/import",
            &[("#text", "type: container\nplans: [{tags: [1.10]}]")],
            "",
        ),
        ("publish", "/portal/offers/aurora/gateway/publish", &[("#emails", "nobody")], ""),
        (
            "contact",
            "/marketplace/apps/aurora.gateway/contact",
            &[("#email", "nobody"), ("#firstName", "Mia"), ("#country", "zz")],
            "",
        ),
    ] {
        browser
            .audit_refused(&format!("refused-{name}"), &format!("{}{path}", house.base), fields, send)
            .await;
    }
    publish_overtaken(browser, house).await;
    // Somebody with several publishers, and a kind that there is not.
    let second = json!({"id": "birch", "name": "Birch"});
    let (status, body) = operator(house, Method::POST, "/publishers", Some(&second)).await;
    assert!(status.is_success(), "{status} {body}");
    house.member_link("aurora", "both@example.org", "contributor").await;
    let link = house.member_link("birch", "both@example.org", "owner").await;
    browser.goto(&format!("{}/sign-in", house.base)).await;
    browser.sign_in(&house.sign_in(&link).await).await;
    let (new, kind) =
        (format!("{}/portal/new?publisher=birch", house.base), [("#offer", "app"), ("#kind", "")]);
    browser.audit_refused("refused-new-kind", &new, &kind, "").await;
    // Whoever gets an offer must accept its terms.
    let get = format!("{}/marketplace/apps/aurora.gateway/get/standard", house.base);
    let one = json!({"name": "The operator's own"});
    let (status, _) = operator(house, Method::POST, "/subscriptions", Some(&one)).await;
    assert!(status.is_success(), "{status}");
    browser.goto(&format!("{}/sign-in", house.base)).await;
    browser.sign_in(&house.operator).await;
    browser.audit_refused("refused-get", &get, &[("#email", "mia@example.org")], "").await;
    let people = format!("{}/portal/operator", house.base);
    browser.audit_refused("refused-publisher", &people, &[("#id", "portal/x"), ("#name", "X")], "").await;
    browser.audit_refused("refused-member", &people, &[("#email", "nobody")], "").await;
    let exceptions = format!("{people}/exceptions");
    let decision = [("[id^=note]", "All fine."), ("[id^=until]", "2000-01-01")];
    browser.audit_refused("refused-decision", &exceptions, &decision, "[value=granted]").await;
    // What cannot be read, or is not there.
    for (name, path) in [
        ("missing", "/portal/offers/aurora/nothing/status"),
        ("unreadable", "/marketplace/apps/%ff"),
        ("unreadable-question", "/portal/offers/aurora/app/history?before=yesterday"),
    ] {
        browser.audit_bad_news(&format!("error-{name}"), &format!("{}{path}", house.base)).await;
    }
}

/// A publish page that is sent after somebody else did something about the same offer: what was typed is kept.
async fn overtaken(browser: &Browser, house: &House, name: &str, meanwhile: impl Future<Output = ()>) {
    browser.goto(&format!("{}/portal/offers/aurora/gateway/publish", house.base)).await;
    browser.wait("#emails").await;
    browser.run("document.querySelector('#emails').value = 'mia@example.org'").await;
    browser.run("document.querySelector('#notes').value = 'Our second.'").await;
    meanwhile.await;
    browser.click("form.card button").await;
    browser.wait("[role=alert]").await;
    let kept = "return document.querySelector('#emails').value + document.querySelector('#notes').value";
    assert_eq!(browser.run(kept).await, "mia@example.orgOur second.", "{name}");
    let blamed = browser.run("return document.querySelector('#emails').getAttribute('aria-invalid')").await;
    assert!(blamed.is_null(), "{name}: the addresses are right");
    browser.console_errors().await;
    browser.audit_here(name).await;
}

async fn publish_overtaken(browser: &Browser, house: &House) {
    let offer = "/publishers/aurora/offers/gateway";
    let save = async |summary: &str| {
        let mut draft = house.api(Method::GET, offer, None).await.1;
        draft["summary"] = json!(summary);
        house.save(&draft).await;
    };
    for locale in ["ja", "en"] {
        browser.language(locale).await;
        let changed = format!("Connects small sites ({locale})");
        overtaken(browser, house, "refused-publish-changed", save(&changed)).await;
        let published = async { drop(house.publish("gateway").await) };
        overtaken(browser, house, "refused-publish-running", published).await;
        house.until("gateway", &["waitingForPublisherReview"]).await;
        let (answer, body) = house.api(Method::POST, &format!("{offer}/cancel"), None).await;
        assert_eq!(answer, StatusCode::OK, "{body}");
        house.until("gateway", &["canceled"]).await;
        overtaken(browser, house, "refused-publish-incomplete", save("")).await;
        let said = browser.run("return document.querySelectorAll('[role=alert] li').length").await;
        assert_eq!(said, 2, "what changed, and what is missing now");
        save(&changed).await;
    }
}

/// Pages that are empty in a new house, here with something on them.
#[tokio::test(flavor = "multi_thread")]
async fn pages_with_something_on_them_pass_the_audit() {
    let Some(browser) = Browser::open().await else { return };
    let (_, gone) = witness(410).await;
    let house = House::with("[leads]\nfirst_retry_ms = 50\n", std::slice::from_ref(&gone)).await;
    let id = |body: &Value, list: &str| {
        body[list][0]["id"].as_str().or(body[0]["id"].as_str()).expect("an id").to_owned()
    };
    // An exception that was asked for, one whose reviewer asks back, and a request of support.
    house.offer_with_key("app", json!({})).await;
    let (submission, at) = house.fails_on_its_key("app").await;
    let path = format!("/publishers/aurora/offers/app/submissions/{submission}/exceptions");
    let asked = json!({"finding": at, "kind": "appeal", "reason": "It is the key of an example."});
    assert_eq!(house.api(Method::POST, &path, Some(asked)).await.0, StatusCode::CREATED);
    let asks = json!({
        "title": "What is CTR-21?", "category": "certification", "priority": "high", "text": "There is no key.",
        "publisher": "aurora", "offer": "app", "submission": submission, "step": "certify",
        "attachments": [{"name": "list.txt", "content": "bG9nIG9mIGEgYnVpbGQ="}],
    });
    assert_eq!(house.api(Method::POST, "/support", Some(asks)).await.0, StatusCode::CREATED);
    let thread = id(&house.api(Method::GET, "/support", None).await.1, "items");
    let reply = json!({"text": "Look into /root/.ssh/id."});
    operator(&house, Method::POST, &format!("/support/{thread}/replies"), Some(&reply)).await;

    // Leads that arrived, and a webhook whose receiver nobody finds.
    live_offer(&house, "gateway", &json!({})).await;
    for number in 0..2 {
        let email = format!("mia{number}@example.org");
        let fields = [("kind", "contactMe"), ("email", email.as_str()), ("consent", "true")];
        let path = "/marketplace/apps/aurora.gateway/contact";
        assert_eq!(send(&house, false, path, &fields, None).await.0, StatusCode::OK);
    }
    let hook = json!({"url": "https://nobody.invalid/hook", "events": ["submission.*"]});
    let (_, hook) = house.api(Method::POST, "/publishers/aurora/webhooks", Some(hook)).await;
    let hook = hook["id"].as_str().expect("an id");
    for _ in 0..7 {
        house.api(Method::POST, &format!("/publishers/aurora/webhooks/{hook}/test"), None).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;

    // One whose receiver wants nothing more.
    let off = json!({"url": format!("http://{gone}/hook"), "events": ["webhook.*"]});
    let (_, off) = house.api(Method::POST, "/publishers/aurora/webhooks", Some(off)).await;
    let off = off["id"].as_str().expect("an id");
    house.api(Method::POST, &format!("/publishers/aurora/webhooks/{off}/test"), None).await;
    let is_off = async || {
        let rows = house.api(Method::GET, "/publishers/aurora/webhooks", None).await.1;
        let own = rows.as_array().expect("a list").iter().find(|row| row["id"] == off).cloned();
        own.expect("there")["active"] == false
    };
    for _ in 0..200 {
        if is_off().await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(is_off().await, "a receiver that is gone turns its webhook off");

    let link = house.member_link("aurora", "owner@example.org", "owner").await;
    let owner = house.sign_in(&link).await;
    let ask =
        format!("/portal/offers/aurora/app/exceptions/new?submission={submission}&step=certify&finding={at}");
    let support = format!("/support/new?publisher=aurora&offer=app&submission={submission}&step=certify");
    for (cookie, name, path) in [
        (&house.operator, "operator-exceptions-full", "/portal/operator/exceptions"),
        (&house.operator, "operator-full", "/portal/operator"),
        (&house.operator, "operator-queues-full", "/portal/operator/queues"),
        (&house.operator, "operator-health-full", "/portal/operator/health"),
        (&house.operator, "support-queue", "/support"),
        (&owner, "exceptions-full", "/portal/publishers/aurora/exceptions"),
        (&owner, "exception-new", &ask),
        (&owner, "support-step", &support),
        (&owner, "support-thread", &format!("/support/{thread}")),
        (&owner, "webhook", &format!("/portal/publishers/aurora/webhooks/{hook}")),
        (&owner, "webhook-off", &format!("/portal/publishers/aurora/webhooks/{off}")),
        (&owner, "webhooks-full", "/portal/publishers/aurora/webhooks"),
        (&owner, "leads-full", "/portal/publishers/aurora/leads"),
        (&owner, "mailbox-full", "/portal/publishers/aurora/mail"),
        (&owner, "insights-full", "/portal/publishers/aurora/insights"),
        (&owner, "numbers-full", "/portal/publishers/aurora/numbers"),
        (&owner, "contact", "/marketplace/apps/aurora.gateway/contact"),
        (&owner, "status-failed", "/portal/offers/aurora/app/status"),
    ] {
        browser.goto(&format!("{}/sign-in", house.base)).await;
        browser.sign_in(cookie).await;
        browser.goto(&format!("{}{path}", house.base)).await;
        browser.audit(name).await;
    }
    // What the references stand for now, of a draft that is kept on the way.
    for (locale, words) in [("ja", "参照が現在指している内容"), ("en", "What the references stand for now")]
    {
        browser.language(locale).await;
        browser.goto(&format!("{}/portal/offers/aurora/app/editor/technical", house.base)).await;
        browser.click("button[value=resolve]").await;
        browser.until(words).await;
        browser.audit_here("looked-up").await;
    }
    // What is asked before a webhook is deleted.
    for locale in ["ja", "en"] {
        browser.language(locale).await;
        browser.goto(&format!("{}/portal/publishers/aurora/webhooks/{hook}", house.base)).await;
        browser.click("details.card summary").await;
        browser.audit_here("webhook-delete").await;
    }
    every_form_refused(&browser, &house, &thread, &ask).await;
    browser.goto(&format!("{}/sign-in", house.base)).await;
    browser.sign_in(&owner).await;
    browser.language("en").await;
    // What was let pass is told to customers.
    let asked = house.api(Method::GET, "/publishers/aurora/exceptions", None).await.1;
    let grant = json!({"state": "granted", "note": "It is published.", "until": day(30)});
    let decide = format!("/exceptions/{}", id(&asked, "items"));
    assert_eq!(operator(&house, Method::POST, &decide, Some(&grant)).await.0, StatusCode::OK);
    house.publish("app").await;
    house.until("app", &["waitingForPublisherReview"]).await;
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    browser.goto(&format!("{}/marketplace/apps/aurora.app", house.base)).await;
    assert!(browser.text().await.contains("let pass by exception"));
    browser.audit("product-exception").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_id_is_wrong_says_so_beside_it() {
    let house = House::open().await;
    let plans = json!([{"plan": "fine"}, {"plan": "ends-"}]);
    house
        .save(&json!({"publisher": "aurora", "offer": "x", "type": "container", "name": "x", "plans": plans}))
        .await;
    let page = async |tab: &str| {
        let url = format!("{}/portal/offers/aurora/x/editor/{tab}?check=1", house.base);
        let answer = house.http.get(url).bearer_auth(&house.token).send().await.expect("answers");
        answer.text().await.expect("text")
    };
    let plans = page("plans").await;
    for (at, id, wrong) in [(0, "fine", false), (1, "ends-", true)] {
        let from = plans.find(&format!("<input id=\"p.{at}.id\"")).expect("the input of the id");
        let input = &plans[from..from + plans[from..].find("</div>").expect("an end")];
        assert!(input.contains(&format!("value=\"{id}\"")), "{input}");
        assert_eq!(input.contains("aria-invalid=\"true\""), wrong, "{input}");
        assert_eq!(input.contains("no - or _ at the end"), wrong, "{input}");
    }
}
