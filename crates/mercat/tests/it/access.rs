//! Every route of the table against every kind of caller: no data for who may not have it, and nothing
//! that tells what is hidden from what does not exist.

use crate::House;
use crate::house::{NOBODYS, layout, sha256, tar};
use crate::scanners::{Adapter, publish};
use mercat_domain::access::{Action, Answer, Object, Principal, Role, Scope, may};
use mercat_web::routes::{About, ROUTES};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const MARK: &str = "marker-5f1c7d";

struct Caller {
    name: &'static str,
    header: (&'static str, String),
    who: Principal,
}

async fn cookie_of(house: &House, publisher: &str, role: &str, email: &str) -> (String, String) {
    let body = json!({"email": email, "role": role}).to_string();
    let url = format!("{}/api/v1/publishers/{publisher}/members", house.base);
    let answer =
        house.http.post(url).header("cookie", &house.operator).body(body).send().await.expect("answers");
    let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let cookie = house.sign_in(body["signInLink"].as_str().expect("a link")).await;
    (cookie, body["user"].as_str().expect("an id").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_caller_as_the_decision_says() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", MARK.as_bytes())])], &["latest", "1.0.0"]);
    let mut offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    offer["name"] = json!(MARK);
    offer["title"] = json!(MARK);
    house.save(&offer).await;
    let submission = house.publish("app").await["submission"].as_str().expect("an id").to_owned();
    house.until("app", &["waitingForPublisherReview"]).await;

    let other = json!({"id": "boreal", "name": "Boreal"}).to_string();
    let made = house
        .http
        .post(format!("{}/api/v1/publishers", house.base))
        .header("cookie", &house.operator)
        .body(other);
    assert_eq!(made.send().await.expect("answers").status(), StatusCode::CREATED);
    let outsider = cookie_of(&house, "boreal", "owner", "outsider@example.org").await;
    let contributor = cookie_of(&house, "aurora", "contributor", "contributor@example.org").await;
    let read = json!({"label": "r", "scope": "read"}).to_string();
    let made = house.http.post(format!("{}/api/v1/tokens", house.base)).bearer_auth(&house.token).body(read);
    let read: Value =
        serde_json::from_str(&made.send().await.expect("answers").text().await.expect("text")).expect("JSON");
    let person = |id: &str, publisher: &str, role| Principal {
        user: Some(id.into()),
        roles: vec![(publisher.into(), role)],
        ..Principal::default()
    };
    let callers = [
        Caller { name: "stranger", header: ("x-none", String::new()), who: Principal::default() },
        Caller {
            name: "forged token",
            header: ("authorization", "Bearer mercat_00".into()),
            who: Principal::default(),
        },
        Caller {
            name: "outsider",
            header: ("cookie", outsider.0),
            who: person(&outsider.1, "boreal", Role::Owner),
        },
        Caller {
            name: "contributor",
            header: ("cookie", contributor.0),
            who: person(&contributor.1, "aurora", Role::Contributor),
        },
        Caller {
            name: "read token",
            header: ("authorization", format!("Bearer {}", read["token"].as_str().expect("shown once"))),
            who: Principal { scope: Some(Scope::Read), ..person("owner", "aurora", Role::Owner) },
        },
        Caller {
            name: "operator",
            header: ("cookie", house.operator.clone()),
            who: Principal { user: Some("op".into()), operator: true, ..Principal::default() },
        },
    ];
    let mut checked = 0;
    for route in ROUTES.iter().filter(|route| !route.path.ends_with("/events")) {
        // Routes that end the callers' own access, or change what the others look at, are left to their own tests.
        let spoils =
            ["/sign-out", "/delete", "/golive", "/cancel"].iter().any(|end| route.path.ends_with(end))
                || route.method == "DELETE";
        let path = route
            .path
            .replace("{publisher}", "aurora")
            .replace("{offer}", "app")
            .replace("{submission}", &submission)
            .replace("{slot}", "draft")
            .replace("{id}", "aurora.app")
            .replace("{user}", "nobody")
            .replace("{digest}", &format!("sha256:{}", "0".repeat(64)))
            .replace("{category}", "web")
            .replace("{file}", "style.css")
            .replace("{locale}", "en");
        for caller in &callers {
            let decision = match route.about {
                About::Market => may(&caller.who, route.action, Object::Market),
                About::Publisher => may(&caller.who, route.action, Object::Publisher("aurora")),
                About::Listing => continue,
            };
            if spoils && decision == Answer::Allow {
                continue;
            }
            let method: Method = route.method.parse().expect("a method");
            let request = house
                .http
                .request(method, format!("{}{path}", house.base))
                .header(caller.header.0, &caller.header.1);
            let answer = request.body("{}").send().await.expect("answers");
            let status = answer.status();
            let body = answer.text().await.unwrap_or_default();
            let what = format!("{} {} as {}: {status} {body}", route.method, route.path, caller.name);
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{what}");
            let page = !route.path.starts_with("/api");
            match decision {
                Answer::Allow => assert!(!matches!(status.as_u16(), 401 | 403 | 405), "{what}"),
                Answer::Hide => assert_eq!(status, StatusCode::NOT_FOUND, "{what}"),
                Answer::SignIn if page => assert_eq!(status, StatusCode::SEE_OTHER, "{what}"),
                Answer::SignIn => assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}"),
                Answer::Forbid => assert_eq!(status, StatusCode::FORBIDDEN, "{what}"),
            }
            if decision != Answer::Allow {
                assert!(!body.contains(MARK), "{what}");
            }
            checked += 1;
        }
    }
    assert!(checked > 250, "{checked}");
    eprintln!("{checked} decisions checked");
}

/// What belongs to one publisher is not there under another's name, whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_publisher_has_is_not_found_under_ones_own_path() {
    let house = House::open().await;
    house.offer_with_key("app", json!({})).await;
    let (submission, finding) = house.fails_on_its_key("app").await;
    let made = async |method: Method, path: &str, body: Value| {
        let (status, made) = house.api(method, path, Some(body)).await;
        assert!(status.is_success(), "{path} {made}");
        made
    };
    let text = |value: &Value, key: &str| value[key].as_str().expect("text").to_owned();
    let hook =
        made(Method::POST, "/publishers/aurora/webhooks", json!({"url": "https://hooks.example.org/"})).await;
    let lead = made(Method::POST, "/publishers/aurora/offers/app/test-lead", json!({})).await;
    let wish = json!({
        "finding": finding, "kind": "appeal", "reason": MARK,
        "attachments": [{"name": "a", "content": "bG9n"}],
    });
    let path = format!("/publishers/aurora/offers/app/submissions/{submission}/exceptions");
    let exception = made(Method::POST, &path, wish).await;
    let attached = text(&exception["messages"][0]["attachments"][0], "digest");
    let other = json!({"id": "boreal", "name": "Boreal"}).to_string();
    let request =
        house.http.post(format!("{}/api/v1/publishers", house.base)).header("cookie", &house.operator);
    assert_eq!(request.body(other).send().await.expect("answers").status(), StatusCode::CREATED);
    let (outsider, _) = cookie_of(&house, "boreal", "owner", "outsider@example.org").await;
    let (hook, lead, exception) = (text(&hook, "id"), text(&lead, "lead"), text(&exception, "id"));
    let ask = async |cookie: &str, method: &str, path: &str| {
        let method: Method = method.parse().expect("a method");
        let request = house.http.request(method, format!("{}{path}", house.base)).header("cookie", cookie);
        let answer = request.body("{}").send().await.expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    let mut checked = 0;
    for route in ROUTES.iter().filter(|route| route.about == About::Publisher) {
        let own = ["{submission}", "{webhook}", "{lead}", "{exception}"];
        let named: Vec<&&str> = own.iter().filter(|part| route.path.contains(**part)).collect();
        if named.is_empty() || route.path.contains("{upload}") {
            continue;
        }
        let path = route
            .path
            .replace("{publisher}", "boreal")
            .replace("{offer}", "app")
            .replace("{submission}", &submission)
            .replace("{webhook}", &hook)
            .replace("{lead}", &lead)
            .replace("{exception}", &exception)
            .replace("{digest}", &attached);
        let (status, body) = ask(&outsider, route.method, &path).await;
        let refused = matches!(status.as_u16(), 303 | 400 | 404 | 415 | 422);
        assert!(refused && !body.contains(MARK), "{} {path}: {status} {body}", route.method);
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
    // All of it is still there, and was not touched.
    let file = format!("/exceptions/{exception}/attachments/{attached}");
    let mine = format!("{}/api/v1/publishers/aurora{file}", house.base);
    let mine = house.http.get(mine).bearer_auth(&house.token).send().await.expect("answers");
    assert_eq!(mine.status(), StatusCode::OK);
    assert!(mine.headers()["content-disposition"].to_str().expect("text").starts_with("attachment"));
    assert_eq!(mine.text().await.expect("text"), "log");
    assert_eq!(ask(&house.operator, "GET", &format!("/api/v1{file}")).await, (StatusCode::OK, "log".into()));
    assert_eq!(ask(&outsider, "GET", &format!("/api/v1{file}")).await.0, StatusCode::FORBIDDEN);
    let (_, hooks) = house.api(Method::GET, "/publishers/aurora/webhooks", None).await;
    assert_eq!(hooks[0]["id"], json!(hook));
    let (_, leads) = house.api(Method::GET, "/publishers/aurora/leads", None).await;
    assert!(leads["items"].as_array().expect("a list").iter().all(|row| row["erased"] == false), "{leads}");
}

/// Streams end with whoever reads them, are counted, and end when somebody may not read any more.
#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_end_with_the_part_in_the_publisher() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    let offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await;
    house.save(&offer).await;
    let submission = house.publish("app").await["submission"].as_str().expect("an id").to_owned();
    house.until("app", &["waitingForPublisherReview"]).await;
    let (member, user) = cookie_of(&house, "aurora", "contributor", "member@example.org").await;
    let open = async || {
        let url = format!("{}/portal/offers/aurora/app/submissions/{submission}/events", house.base);
        house.http.get(url).header("cookie", &member).send().await.expect("answers")
    };
    // Opened and closed, many times over: each is forgotten.
    for _ in 0..100 {
        drop(open().await);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let mut kept = Vec::new();
    let refused = loop {
        let answer = open().await;
        match answer.status() {
            StatusCode::OK if kept.len() < 100 => kept.push(answer),
            other => break other,
        }
    };
    assert_eq!((kept.len(), refused), (32, StatusCode::TOO_MANY_REQUESTS));
    let url = format!("{}/api/v1/publishers/aurora/members/{user}", house.base);
    let removed = house.http.delete(url).header("cookie", &house.operator).send().await.expect("answers");
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let ended = async {
        for mut answer in kept {
            while answer.chunk().await.expect("whole").is_some() {}
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
    assert!(ended.is_ok(), "who was removed reads on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_specimen_answers_every_caller_as_the_decision_says() {
    let adapter = Adapter::open("1.2").await;
    let house = House::with(&adapter.config("s", "enforce", "timeout_secs = 600"), &[]).await;
    let (other, _) = publish(&house, "other").await;
    let (own, _) = publish(&house, "own").await;
    let header = |at: usize| {
        let told = adapter.told.lock().expect("no panic");
        told.scans[at].0["registry"]["authorization"].as_str().expect("a header").to_owned()
    };
    let (others, owns) = (header(0), header(1));
    let scanner = |digest: &str| Principal { specimen: Some(digest.to_owned()), ..Principal::default() };
    let operator = Principal { user: Some("op".into()), operator: true, ..Principal::default() };
    let owner = Principal {
        user: Some("owner".into()),
        roles: vec![("aurora".into(), Role::Owner)],
        ..Principal::default()
    };
    let callers: [(&str, (&str, String), Principal); 7] = [
        ("stranger", ("x-none", String::new()), Principal::default()),
        ("operator", ("cookie", house.operator.clone()), operator),
        ("owner", ("authorization", format!("Bearer {}", house.token)), owner),
        ("pull token", ("authorization", "Bearer anonymous".into()), Principal::default()),
        ("forged", ("authorization", owns.replace(&own[7..], &other[7..])), Principal::default()),
        ("scanner of own", ("authorization", owns.clone()), scanner(&own)),
        ("scanner of other", ("authorization", others), scanner(&other)),
    ];
    let nothing = format!("sha256:{}", "0".repeat(64));
    let mut allowed = 0;
    for (name, header, who) in &callers {
        for digest in [&own, &other, &nothing] {
            let path = format!("/v2/certify/{}/manifests/{digest}", &digest[7..]);
            let answer = house.http.get(format!("{}{path}", house.base)).header(header.0, &header.1);
            let answer = answer.send().await.expect("answers");
            let (status, body) = (answer.status(), answer.text().await.expect("text"));
            match may(who, Action::PullSpecimen, Object::Specimen(digest)) {
                Answer::Allow => {
                    allowed += 1;
                    assert_eq!((status, sha256(body.as_bytes())), (StatusCode::OK, digest.clone()), "{name}");
                }
                _ => {
                    assert_eq!(status, StatusCode::NOT_FOUND, "{name} {path}");
                    assert!(body.contains("NAME_UNKNOWN"), "as what does not exist: {name} {body}");
                }
            }
        }
        // Beside its specimen, a scanner is a stranger.
        if name.starts_with("scanner") {
            for path in [
                "/api/v1/publishers/aurora/offers",
                "/api/v1/tokens",
                "/api/v1/support",
                "/api/v1/exceptions",
            ] {
                let answer = house.http.get(format!("{}{path}", house.base)).header(header.0, &header.1);
                let status = answer.send().await.expect("answers").status();
                assert!(matches!(status.as_u16(), 401 | 403 | 404), "{path} {status}");
            }
        }
    }
    assert_eq!(allowed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_answers_as_what_does_not_exist() {
    let house = House::open().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let offer =
        house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[NOBODYS.into()]).await;
    house.save(&offer).await;
    house.publish("app").await;
    let status = house.until("app", &["waitingForPublisherReview"]).await;
    let digest = status["images"][0]["digest"].as_str().expect("a digest");
    for (hidden, nothing) in [
        (
            "/v2/preview/aurora/app/standard/manifests/latest".to_owned(),
            "/v2/preview/aurora/nix/standard/manifests/latest".to_owned(),
        ),
        (
            "/v2/preview/aurora/app/standard/tags/list".to_owned(),
            "/v2/preview/aurora/nix/standard/tags/list".to_owned(),
        ),
        (
            format!("/v2/preview/aurora/app/standard/blobs/{digest}"),
            format!("/v2/preview/aurora/nix/standard/blobs/{digest}"),
        ),
        ("/api/v1/preview/aurora.app".to_owned(), "/api/v1/preview/aurora.nix".to_owned()),
        ("/marketplace/preview/aurora.app".to_owned(), "/marketplace/preview/aurora.nix".to_owned()),
        ("/marketplace/apps/aurora.app".to_owned(), "/marketplace/apps/aurora.nix".to_owned()),
    ] {
        let mut seen = Vec::new();
        for path in [hidden, nothing] {
            let answer = house.http.get(format!("{}{path}", house.base)).send().await.expect("answers");
            let mut headers: Vec<String> =
                answer.headers().iter().map(|(k, v)| format!("{k}: {v:?}")).collect();
            headers.retain(|header| !header.starts_with("date"));
            headers.sort();
            seen.push((answer.status(), headers, answer.text().await.expect("text")));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].0, StatusCode::NOT_FOUND);
    }
}
