//! Leads from a customer's wish to the publisher's system, through faults and deaths.

use crate::House;
use crate::house::{has, layout, run, tar};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A receiver that misbehaves at three requests of ten, and keeps what it took by its id.
pub(crate) struct Receiver {
    pub(crate) host: String,
    /// Body by id; a repeat of an id must be the same.
    pub(crate) kept: Arc<Mutex<BTreeMap<String, Value>>>,
    /// Requests that came.
    pub(crate) asked: Arc<AtomicU32>,
    pub(crate) misbehaves: Arc<AtomicBool>,
    /// Who vouches for the certificate, in PEM; empty for plain HTTP.
    pub(crate) ca: String,
}

/// A certificate for this machine, and another one that nobody vouches for.
struct Certificates {
    ca: String,
    trusted: TlsAcceptor,
    strange: TlsAcceptor,
}

impl Certificates {
    fn new() -> Self {
        let key = || KeyPair::generate().expect("a key");
        let here = || CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let acceptor = |certificate: &rcgen::Certificate, key: &KeyPair| {
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
            let builder = rustls::ServerConfig::builder().with_no_client_auth();
            let config = builder.with_single_cert(vec![certificate.der().clone()], key).expect("usable");
            TlsAcceptor::from(Arc::new(config))
        };
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("signed");
        let (own, other) = (key(), key());
        let trusted = acceptor(&here().signed_by(&own, &authority).expect("signed"), &own);
        let strange = acceptor(&here().self_signed(&other).expect("signed"), &other);
        Self { ca: authority.pem(), trusted, strange }
    }
}

impl Receiver {
    /// `id` is the header under which repeats are known.
    pub(crate) async fn open(id: &'static str) -> Self {
        Self::start(id, None).await
    }

    /// The same over TLS, where two more requests of twenty meet a bad certificate or no TLS at all.
    pub(crate) async fn open_tls(id: &'static str) -> Self {
        Self::start(id, Some(Certificates::new())).await
    }

    async fn start(id: &'static str, certificates: Option<Certificates>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let receiver = Self {
            host: listener.local_addr().expect("an address").to_string(),
            kept: Arc::default(),
            asked: Arc::default(),
            misbehaves: Arc::default(),
            ca: certificates.as_ref().map(|all| all.ca.clone()).unwrap_or_default(),
        };
        let certificates = certificates.map(Arc::new);
        let (kept, asked, misbehaves) =
            (receiver.kept.clone(), receiver.asked.clone(), receiver.misbehaves.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                let fault = if misbehaves.load(Ordering::SeqCst) { number % 20 } else { 19 };
                let (kept, certificates) = (kept.clone(), certificates.clone());
                tokio::spawn(async move {
                    let Some(certificates) = certificates else {
                        return answer(socket, id, fault, kept).await;
                    };
                    let mut socket = socket;
                    match fault {
                        1 => {
                            // Whoever goes on with it is seen by what is kept.
                            if certificates.strange.accept(socket).await.is_ok() {
                                kept.lock().expect("no panic").insert("fooled".to_owned(), Value::Null);
                            }
                        }
                        7 => {
                            let _ = socket.write_all(b"220 this is another protocol\r\n").await;
                        }
                        _ => {
                            if let Ok(socket) = certificates.trusted.accept(socket).await {
                                answer(socket, id, fault, kept).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }
}

/// Six faults of twenty.
async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    id: &str,
    fault: u32,
    kept: Arc<Mutex<BTreeMap<String, Value>>>,
) {
    if fault == 0 {
        return;
    }
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        match socket.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let plain = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let taken = plain("200 OK");
    let reply = match fault {
        3 => plain("503 Busy"),
        6 => plain("400 Bad Request"),
        9 => plain("302 Found\r\nlocation: http://127.0.0.1:9/"),
        _ => {
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let before =
                kept.lock().expect("no panic").insert(header(&head, id).expect("an id"), body.clone());
            assert!(before.is_none_or(|before| before == body), "a repeat is the same");
            match fault {
                // Taken, and then the connection breaks: before, or in the middle of the answer.
                12 => return,
                15 => taken[..20].to_owned(),
                18 => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    taken
                }
                _ => taken,
            }
        }
    };
    let _ = socket.write_all(reply.as_bytes()).await;
    let _ = socket.flush().await;
    // Over TLS, what is cut off without a word was cut off on purpose.
    if fault != 15 {
        let _ = socket.shutdown().await;
    }
}

pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
}

/// A live offer whose destination is told by `fields`.
pub(crate) async fn live_offer(house: &House, offer: &str, fields: &Value) {
    let root = house.dir.path().join("images").join(offer);
    layout(&root, &[tar(&[("a", offer.as_bytes())])], &["latest", "1.0.0"]);
    let allowed = house.subscription().await.0;
    let image = format!("oci:{}", root.display());
    let mut document = house.offer(offer, &image, &["latest", "1.0.0"], &[allowed]).await;
    for (key, value) in fields.as_object().expect("an object") {
        document[key] = value.clone();
    }
    house.save(&document).await;
    house.publish(offer).await;
    let status = house.until(offer, &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
    house.go_live(offer).await;
    house.until(offer, &["succeeded"]).await;
}

/// Somebody with an account, by the session cookie.
pub(crate) async fn customer(house: &House, email: &str) -> String {
    let body = json!({"email": email, "role": "contributor"}).to_string();
    let url = format!("{}/api/v1/publishers/customers/members", house.base);
    let answer =
        house.http.post(url).header("cookie", &house.operator).body(body).send().await.expect("answers");
    let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    house.sign_in(body["signInLink"].as_str().expect("a link")).await
}

pub(crate) async fn customers(house: &House) {
    let body = json!({"id": "customers", "name": "Customers"}).to_string();
    let url = format!("{}/api/v1/publishers", house.base);
    let made =
        house.http.post(url).header("cookie", &house.operator).body(body).send().await.expect("answers");
    assert_eq!(made.status(), StatusCode::CREATED);
}

async fn ask(house: &House, cookie: &str, offer: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/catalogue/aurora.{offer}/leads", house.base);
    let sent =
        house.http.post(url).header("cookie", cookie).body(body.to_string()).send().await.expect("answers");
    let status = sent.status();
    (status, serde_json::from_str(&sent.text().await.expect("text")).unwrap_or(Value::Null))
}

async fn leads(house: &House) -> Vec<Value> {
    let (status, body) = house.api(Method::GET, "/publishers/aurora/leads", None).await;
    assert_eq!(status, StatusCode::OK);
    body["items"].as_array().expect("a list").clone()
}

async fn until_all(house: &House, states: &[&str]) -> Vec<Value> {
    // Less than the time of a trial: one that was killed does not keep the others waiting for it.
    let end = Instant::now() + Duration::from_secs(150);
    loop {
        let rows = leads(house).await;
        let over = |row: &Value| states.contains(&row["delivery"]["state"].as_str().unwrap_or(""));
        if rows.iter().all(over) {
            return rows;
        }
        let waiting: Vec<&Value> = rows.iter().filter(|row| !over(row)).collect();
        assert!(Instant::now() < end, "{waiting:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Starts the server again as an operator does who has an authority of their own.
pub(crate) async fn trust(house: &mut House, receiver: &Receiver) {
    std::fs::write(house.dir.path().join("ca.pem"), &receiver.ca).expect("written");
    house.kill();
    house.start();
    house.answers().await;
}

const QUICK: &str = "[leads]\nfirst_retry_ms = 50\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_lead_is_at_the_receiver_once_through_faults_and_deaths() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let receiver = Receiver::open_tls("idempotency-key").await;
    let mut house = House::with(QUICK, std::slice::from_ref(&receiver.host)).await;
    trust(&mut house, &receiver).await;
    let url = format!("https://{}/in", receiver.host);
    live_offer(&house, "gateway", &json!({"leadHttpsUrl": url, "leadSecret": "s"})).await;
    customers(&house).await;
    receiver.misbehaves.store(true, Ordering::SeqCst);
    let mut wanted = Vec::new();
    for number in 0..20 {
        let email = format!("c{number}@example.org");
        let cookie = customer(&house, &email).await;
        for kind in ["contactMe", "getItNow"] {
            let body = json!({"kind": kind, "email": email, "firstName": "Mia", "plan": "standard", "consent": true});
            let (status, made) = ask(&house, &cookie, "gateway", &body).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{made}");
            let again = ask(&house, &cookie, "gateway", &body).await.1;
            assert_eq!(made, again, "the same wish is the same lead");
            wanted.push(made["lead"].as_str().expect("an id").to_owned());
        }
        if number % 3 == 2 {
            house.kill();
            house.start();
            house.answers().await;
        }
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        house.kill();
        house.start();
        house.answers().await;
    }
    let rows = until_all(&house, &["delivered"]).await;
    let kept = receiver.kept.lock().expect("no panic").clone();
    assert!(!kept.contains_key("fooled"), "no certificate was taken that nobody vouches for");
    wanted.sort();
    let live: Vec<String> = kept.keys().filter(|id| id.starts_with("lead-")).cloned().collect();
    assert_eq!(live, wanted, "each is there, and nothing else");
    let asked = receiver.asked.load(Ordering::SeqCst);
    assert!(asked as usize > wanted.len() * 13 / 10, "{asked} requests: the faults were met");
    eprintln!("{} leads, {asked} requests, 8 of 20 with a fault, 10 deaths", wanted.len());
    let lead = &kept[&wanted[0]];
    assert_eq!(
        (&lead["OfferTitle"], &lead["publisherId"], &lead["environment"]),
        (&json!("Gateway"), &json!("aurora"), &json!("live"))
    );
    // What the portal says is true: as many as there are, with their tries.
    assert_eq!(
        rows.iter().filter(|row| row["lead"].as_str().expect("an id").starts_with("lead-")).count(),
        40
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_given_up_sent_again_exported_and_erased() {
    let receiver = Receiver::open("idempotency-key").await;
    let config = "[leads]\nfirst_retry_ms = 1\ngive_up_days = 0\n";
    let house = House::with(config, std::slice::from_ref(&receiver.host)).await;
    let fields =
        json!({"leadHttpsUrl": format!("http://{}/in", receiver.host), "leadEmails": ["crm@example.org"]});
    live_offer(&house, "gateway", &fields).await;
    customers(&house).await;
    let cookie = customer(&house, "mia@example.org").await;
    let asked = |consent: bool| {
        json!({
            "kind": "contactMe", "email": "mia@example.org", "firstName": "=cmd|'/c calc'!A0", "company": "A \"B\", C",
            "consent": consent,
        })
    };
    let (status, refused) = ask(&house, &cookie, "gateway", &asked(false)).await;
    assert_eq!(
        (status, refused["errors"][0]["path"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("consent"))
    );
    assert_eq!(ask(&house, "none=1", "gateway", &asked(true)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&house, &cookie, "other", &asked(true)).await.0, StatusCode::NOT_FOUND);

    // The receiver refuses until it is repaired. Given up at once, because nothing is older than no days.
    receiver.misbehaves.store(true, Ordering::SeqCst);
    receiver.asked.store(3, Ordering::SeqCst);
    assert_eq!(ask(&house, &cookie, "gateway", &asked(true)).await.0, StatusCode::ACCEPTED);
    let dead = until_all(&house, &["delivered", "dead"]).await;
    let dead = dead.iter().find(|row| row["delivery"]["state"] == "dead").expect("given up").clone();
    assert_eq!(dead["delivery"]["response"], "lead.unreachable: HTTP 503");
    let id = dead["lead"].as_str().expect("an id");
    for _ in 0..100 {
        if house.message_ids().iter().filter(|mail| mail.contains(".n11@")).count() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The contact and the owner are told, each in a mail of their own.
    assert_eq!(house.message_ids().iter().filter(|mail| mail.contains(".n11@")).count(), 2);
    receiver.misbehaves.store(false, Ordering::SeqCst);
    let path = format!("/publishers/aurora/leads/{id}");
    assert_eq!(house.api(Method::POST, &format!("{path}/replay"), None).await.0, StatusCode::ACCEPTED);
    until_all(&house, &["delivered"]).await;
    assert_eq!(receiver.kept.lock().expect("no panic")[id]["UserDetails"]["Company"], "A \"B\", C");
    let (status, body) = house.api(Method::POST, &format!("{path}/replay"), None).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("settled")));

    let csv = async || {
        let url = format!("{}/api/v1/publishers/aurora/leads.csv", house.base);
        house.http.get(url).bearer_auth(&house.token).send().await.expect("answers")
    };
    let answer = csv().await;
    assert!(answer.headers()["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let text = answer.text().await.expect("text");
    assert!(text.contains("\"'=cmd|'/c calc'!A0\"") && text.contains("\"A \"\"B\"\", C\""), "{text}");
    // Operators have no part in it.
    let url = format!("{}/api/v1/publishers/aurora/leads", house.base);
    let operator = house.http.get(url).header("cookie", &house.operator).send().await.expect("answers");
    assert_eq!(operator.status(), StatusCode::FORBIDDEN);

    assert_eq!(house.api(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    let text = csv().await.text().await.expect("text");
    assert!(!text.contains("mia@example.org") && text.contains(id), "{text}");
    // Who was taken out may ask again, and is another lead.
    let (status, again) = ask(&house, &cookie, "gateway", &asked(true)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let again = again["lead"].as_str().expect("an id").to_owned();
    assert_ne!(again, id);
    let mut other = asked(true);
    other["email"] = json!("mia@example.com");
    let other = ask(&house, &cookie, "gateway", &other).await.1["lead"].as_str().expect("an id").to_owned();
    assert!(other != again && other != id, "an address that was corrected is told");
    until_all(&house, &["delivered", "dead"]).await;
    assert!(receiver.kept.lock().expect("no panic").contains_key(&other));
    // The history tells what happened, and about whom it does not.
    let csv = format!("{}/portal/offers/aurora/gateway/history.csv", house.base);
    for (name, value) in
        [("authorization", format!("Bearer {}", house.token)), ("cookie", house.operator.clone())]
    {
        let csv = house.http.get(&csv).header(name, value).send().await.expect("answers");
        let csv = csv.text().await.expect("text");
        assert!(csv.contains("lead.created") && !csv.contains("mia@"), "{csv}");
    }
    let (_, history) = house.api(Method::GET, "/publishers/aurora/offers/gateway/history", None).await;
    let history = history.to_string();
    for what in ["lead.created", "lead.dead", "lead.replayed", "lead.delivered", "lead.erased"] {
        assert!(history.contains(what), "{what}");
    }
    assert!(!history.contains("mia@example.org") && !history.contains("calc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_sends_a_test_lead_to_the_draft_destination() {
    let receiver = Receiver::open("idempotency-key").await;
    let house = House::with(QUICK, std::slice::from_ref(&receiver.host)).await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let mut offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[]).await;
    offer["leadHttpsUrl"] = json!(format!("http://{}/in", receiver.host));
    offer["leadLegacyMarker"] = json!(true);
    house.save(&offer).await;
    let url = format!("{}/portal/offers/aurora/app/test-lead", house.base);
    let sent = house.http.post(&url).bearer_auth(&house.token).send().await.expect("answers");
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    until_all(&house, &["delivered"]).await;
    let kept = receiver.kept.lock().expect("no panic").values().next().expect("one").clone();
    assert_eq!(kept["test"], true);
    assert!(
        kept["UserDetails"]["Company"]
            .as_str()
            .is_some_and(|mark| mark.starts_with("MSFT_TEST_") && mark.len() == 28)
    );
    let page =
        house.http.get(format!("{}/portal/publishers/aurora/leads", house.base)).bearer_auth(&house.token);
    let page = page.send().await.expect("answers").text().await.expect("text");
    assert!(page.contains("HTTP 200") && page.contains("MSFT_TEST_"), "{page}");
    offer["leadDestination"] = json!("none");
    house.save(&offer).await;
    let (status, _) = house.api(Method::POST, "/publishers/aurora/offers/app/test-lead", None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    // A destination whose parts are missing does not pass the check.
    offer["leadDestination"] = json!("dynamics");
    house.save(&offer).await;
    let (_, body) = house.api(Method::POST, "/publishers/aurora/offers/app/validate", None).await;
    assert!(body.to_string().contains("leadDynamicsKey"), "{body}");
}

/// Opens CSV in LibreOffice, told to evaluate formulas, and counts those in what it saves.
fn formulas_in_libreoffice(dir: &std::path::Path, name: &str, csv: &str) -> usize {
    let file = dir.join(format!("{name}.csv"));
    std::fs::write(&file, csv).expect("written");
    let profile = format!("-env:UserInstallation=file://{}", dir.join("profile").display());
    // Comma, double quotes, UTF-8, from line 1; special numbers detected and formulas evaluated.
    let filter = "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1,true";
    let (dir, file) = (dir.to_str().expect("plain"), file.to_str().expect("plain"));
    run("soffice", &[&profile, "--headless", filter, "--convert-to", "fods", "--outdir", dir, file]);
    let saved = std::fs::read_to_string(format!("{dir}/{name}.fods")).expect("saved");
    assert!(saved.contains("office:spreadsheet"), "it was read as a sheet");
    saved.matches("table:formula").count()
}

#[test]
fn no_cell_of_an_export_is_a_formula_in_libreoffice() {
    if !has("soffice") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    assert!(
        formulas_in_libreoffice(dir.path(), "control", "a,=1+1,\"=SUM(1;2)\"\r\n") >= 2,
        "it evaluates formulas"
    );
    let starts = [
        "=",
        "+",
        "-",
        "@",
        "\t=",
        "\r=",
        "\n=",
        "\0=",
        "＝",
        "＋",
        "－",
        "＠",
        " =",
        "\"=",
        "' =",
        "\u{a0}=",
        "\u{3000}=",
        ";=",
        ",=",
    ];
    let bodies = [
        "1+1",
        "cmd|'/C calc'!A0",
        "SUM(1;2)",
        "HYPERLINK(\"http://x\")",
        "WEBSERVICE(\"http://x\")",
        "1\",=1+1,\"",
        "1\r\n=1+1",
    ];
    let mut csv = String::new();
    for start in starts {
        csv.push_str(&mercat_domain::csv::line(bodies.map(|body| format!("{start}{body}"))));
    }
    assert_eq!(formulas_in_libreoffice(dir.path(), "export", &csv), 0);
}
