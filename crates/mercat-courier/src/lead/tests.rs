//! Receivers that behave as the services document it. None of them is the real one.

use super::*;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{patch, post};
use mercat_domain::lead::{Dynamics, Secret, TableAccount, test_person};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Rows by id, and forms as they came.
#[derive(Default)]
struct Crm {
    rows: BTreeMap<String, Value>,
    forms: Vec<BTreeMap<String, String>>,
    tables: Vec<String>,
}

type Shared = State<Arc<Mutex<Crm>>>;

fn form(body: &Bytes) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

async fn token(Path(directory): Path<String>, body: Bytes) -> (StatusCode, String) {
    let sent = form(&body);
    let refuse = |status, number: u64| {
        // The text repeats the secret, as careless services do.
        let text = format!("AADSTS{number}: {}", sent["client_secret"]);
        let body = json!({"error": "invalid_client", "error_description": text, "error_codes": [number]});
        (status, body.to_string())
    };
    match (directory.as_str(), sent["client_id"].as_str(), sent["client_secret"].as_str()) {
        ("missing", ..) => refuse(StatusCode::BAD_REQUEST, 90002),
        (_, "unknown", _) => refuse(StatusCode::BAD_REQUEST, 700_016),
        (_, _, "right") => {
            assert_eq!(sent["grant_type"], "client_credentials");
            assert!(sent["scope"].ends_with("/.default"));
            (
                StatusCode::OK,
                json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "t0k"}).to_string(),
            )
        }
        _ => refuse(StatusCode::UNAUTHORIZED, 7_000_215),
    }
}

async fn dataverse(
    State(crm): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    assert_eq!(
        (&headers["authorization"], &headers["if-none-match"]),
        (&"Bearer t0k".parse().expect("a value"), &"*".parse().expect("a value"))
    );
    let row: Value = serde_json::from_slice(&body).expect("JSON");
    let refuse = |status: StatusCode, code: &str| {
        (
            status,
            json!({"error": {"code": code, "message": "Principal user is missing prvCreateLead right"}})
                .to_string(),
        )
    };
    match row["companyname"].as_str() {
        Some("no-role") => return refuse(StatusCode::FORBIDDEN, "0x80042f09").into_response(),
        Some("no-right") => return refuse(StatusCode::FORBIDDEN, "0x80040220").into_response(),
        Some("too-long") => return refuse(StatusCode::BAD_REQUEST, "0x80044331").into_response(),
        _ => {}
    }
    match crm.lock().expect("no panic").rows.insert(id, row) {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(_) => refuse(StatusCode::PRECONDITION_FAILED, "0x80060882").into_response(),
    }
}

async fn salesforce(State(crm): Shared, body: Bytes) -> axum::response::Response {
    let sent = form(&body);
    let processed =
        if sent["company"] == "dropped" { "true Exception:common.exception.ApiException" } else { "true" };
    crm.lock().expect("no panic").forms.push(sent);
    ([("is-processed", processed)], "").into_response()
}

async fn marketo(State(crm): Shared, body: Bytes) -> (StatusCode, String) {
    let sent = form(&body);
    if sent["formid"] == "9" {
        let error =
            json!({"error": true, "errorType": "invalid", "errorFields": ["formid"], "message": "bad"});
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    crm.lock().expect("no panic").forms.push(sent);
    (StatusCode::OK, json!({"formId": "1", "followUpUrl": "", "aliId": 7}).to_string())
}

async fn hubspot(
    State(crm): Shared,
    Path((_, id)): Path<(String, String)>,
    body: Bytes,
) -> (StatusCode, String) {
    let sent: Value = serde_json::from_slice(&body).expect("JSON");
    if id == "missing" {
        return (
            StatusCode::NOT_FOUND,
            json!({"status": "error", "errors": [{"errorType": "FORM_NOT_FOUND"}]}).to_string(),
        );
    }
    let fields = sent["fields"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    crm.lock().expect("no panic").forms.push(fields.map(|f| (text(&f["name"]), text(&f["value"]))).collect());
    (StatusCode::OK, json!({"inlineMessage": "Thanks"}).to_string())
}

/// Entities of a table that has to be made first, and whose row keys are there once.
async fn table(
    State(crm): Shared,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let error = |code: &str| json!({"odata.error": {"code": code, "message": {"value": "..."}}}).to_string();
    if !headers["authorization"].to_str().expect("text").starts_with("SharedKeyLite devstore1:") {
        return (StatusCode::FORBIDDEN, error("AuthenticationFailed"));
    }
    let mut crm = crm.lock().expect("no panic");
    let sent: Value = serde_json::from_slice(&body).expect("JSON");
    if path == "Tables" {
        crm.tables.push(sent["TableName"].as_str().expect("a name").to_owned());
        return (StatusCode::CREATED, String::new());
    }
    if !crm.tables.contains(&path) {
        return (StatusCode::NOT_FOUND, error("TableNotFound"));
    }
    let key = format!("{} {}", sent["PartitionKey"], sent["RowKey"]);
    match crm.rows.insert(key, sent) {
        None => (StatusCode::NO_CONTENT, String::new()),
        Some(_) => (StatusCode::CONFLICT, error("EntityAlreadyExists")),
    }
}

async fn receivers() -> (Arc<Mutex<Crm>>, Leads, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let crm: Arc<Mutex<Crm>> = Arc::default();
    let app = Router::new()
        .route("/{directory}/oauth2/v2.0/token", post(token))
        .route("/api/data/v9.2/{id}", patch(dataverse))
        .route("/servlet/servlet.WebToLead", post(salesforce))
        .route("/index.php/leadCapture/save2", post(marketo))
        .route("/submissions/v3/integration/submit/{portal}/{form}", post(hubspot))
        .route("/devstore1/{path}", post(table))
        .with_state(crm.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let base = format!("http://{host}");
    let services = LeadServices { authority: base.clone(), salesforce: base.clone(), hubspot: base };
    (crm, Leads { egress: Egress::new(std::slice::from_ref(&host)).expect("an egress"), services }, host)
}

fn lead(company: &str) -> Lead {
    Lead {
        id: "lead-1".into(),
        kind: LeadKind::GetItNow,
        publisher: "aurora".into(),
        offer: "gateway".into(),
        plan: "standard".into(),
        offer_title: "Gateway".into(),
        environment: "live".into(),
        created: 1_763_683_200_000,
        created_at: "2025-11-21T00:00:00Z".into(),
        person: mercat_domain::lead::Person { company: company.into(), ..test_person("Mia <b>&=") },
        description: "call me".into(),
    }
}

#[tokio::test]
async fn dataverse_holds_a_lead_once_and_its_refusals_have_classes() {
    let (crm, leads, host) = receivers().await;
    let account = |directory: &str, application: &str, key: &str| {
        let key = Secret::new(key);
        let (directory, application) = (directory.to_owned(), application.to_owned());
        Destination::Dynamics(Dynamics { instance: format!("http://{host}"), directory, application, key })
    };
    let right = account("d", "a", "right");
    assert_eq!(leads.deliver(&right, &lead("Example"), 0).await.expect("taken"), "HTTP 204");
    assert_eq!(leads.deliver(&right, &lead("Example"), 0).await.expect("taken"), "HTTP 412, it was there");
    assert_eq!(crm.lock().expect("no panic").rows.len(), 1);
    let classes = [
        (account("missing", "a", "right"), "Example", "lead.not_found", "HTTP 400 (AADSTS90002)"),
        (account("d", "unknown", "right"), "Example", "lead.auth", "HTTP 400 (AADSTS700016)"),
        (account("d", "a", "wrong-canary"), "Example", "lead.auth", "HTTP 401 (AADSTS7000215)"),
        (right.clone(), "no-role", "lead.permission", "HTTP 403 (0x80042f09)"),
        (right.clone(), "no-right", "lead.permission", "HTTP 403 (0x80040220)"),
        (right.clone(), "too-long", "lead.rejected", "HTTP 400 (0x80044331)"),
    ];
    for (destination, company, code, detail) in classes {
        let failure = leads.deliver(&destination, &lead(company), 0).await.expect_err("refused");
        assert_eq!((failure.code, failure.detail.as_str()), (code, detail));
        assert_eq!(failure.about_the_lead, company == "too-long", "{detail}");
        assert!(!format!("{failure:?} {destination:?}").contains("canary"));
    }
}

#[tokio::test]
async fn forms_carry_every_field_and_refusals_are_seen() {
    let (crm, leads, host) = receivers().await;
    let salesforce = Destination::Salesforce { organisation: "00D000000000001".into() };
    let marketo = |form: &str| Destination::Marketo {
        server: host.clone(),
        munchkin: "123-ABC-456".into(),
        form: form.into(),
    };
    let hubspot = |form: &str| Destination::HubSpot { portal: "1".into(), form: form.into() };
    for good in [&salesforce, &marketo("1"), &hubspot("f")] {
        leads.deliver(good, &lead("Example & Co"), 0).await.expect("taken");
    }
    let forms = std::mem::take(&mut crm.lock().expect("no panic").forms);
    assert_eq!(forms.len(), 3);
    for sent in &forms {
        let values: Vec<&str> = sent.values().map(String::as_str).collect();
        for wanted in ["Mia <b>&=", "Example & Co", "1234567890", "AzureMarketplace-INS|aurora.gateway"] {
            assert!(values.contains(&wanted), "{wanted} in {sent:?}");
        }
        assert!(values.iter().any(|value| value.contains("lead-1")), "{sent:?}");
    }
    let refused = async |destination: &Destination, company: &str| {
        leads.deliver(destination, &lead(company), 0).await.expect_err("refused").to_string()
    };
    assert!(refused(&salesforce, "dropped").await.starts_with("lead.rejected"));
    assert_eq!(refused(&marketo("9"), "x").await, "lead.rejected: HTTP 400 (invalid)");
    assert_eq!(refused(&hubspot("missing"), "x").await, "lead.not_found: HTTP 404 (FORM_NOT_FOUND)");
}

#[tokio::test]
async fn a_table_is_made_when_it_is_missing_and_holds_a_lead_once() {
    let (crm, leads, host) = receivers().await;
    let account = |name: &str| {
        let text = format!("AccountName={name};AccountKey=a2V5;TableEndpoint=http://{host}/devstore1");
        Destination::Table(TableAccount::parse(&text).expect("a connection"))
    };
    assert_eq!(leads.deliver(&account("devstore1"), &lead("x"), 0).await.expect("taken"), "HTTP 204");
    assert_eq!(
        leads.deliver(&account("devstore1"), &lead("x"), 0).await.expect("taken"),
        "HTTP 409, it was there"
    );
    assert_eq!(crm.lock().expect("no panic").rows.len(), 1);
    let wrong = leads.deliver(&account("other1"), &lead("x"), 0).await.expect_err("refused");
    assert_eq!(wrong.to_string(), "lead.auth: HTTP 403 (AuthenticationFailed)");
}

/// Azurite, which implements the service's sign-in: `MERCAT_TEST_AZURITE` holds the `host:port` of its tables.
#[tokio::test]
async fn azurite_holds_a_lead_once() {
    use std::io::Write;
    let Ok(host) = std::env::var("MERCAT_TEST_AZURITE") else {
        let _ =
            writeln!(std::io::stderr(), "skipped: MERCAT_TEST_AZURITE is not set, so Azurite was not tested");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let egress = Egress::new(std::slice::from_ref(&host)).expect("an egress");
    let leads = Leads { egress, services: LeadServices::default() };
    // The account and key that Azurite documents for everybody.
    let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let account = |key: &str| {
        let text = format!(
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};TableEndpoint=http://{host}/devstoreaccount1;"
        );
        Destination::Table(TableAccount::parse(&text).expect("a connection"))
    };
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("small");
    let lead = Lead { id: format!("lead-{now}-{}", std::process::id()), ..lead("x") };
    assert_eq!(leads.deliver(&account(key), &lead, now).await.expect("taken"), "HTTP 204");
    assert_eq!(leads.deliver(&account(key), &lead, now).await.expect("taken"), "HTTP 409, it was there");
    let wrong = leads.deliver(&account("c2VjcmV0"), &lead, now).await.expect_err("refused");
    assert_eq!(wrong.code, "lead.auth", "{wrong}");
}

#[tokio::test]
async fn what_answers_badly_is_classed_and_asks_for_time() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = async |Path(status): Path<u16>| {
        (
            StatusCode::from_u16(status).expect("a status"),
            [("retry-after", "120"), ("location", "/sign-in")],
            "secret-canary",
        )
    };
    let app = Router::new().route("/{status}", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let egress = Egress::new(std::slice::from_ref(&host)).expect("an egress");
    let leads = Leads { egress, services: LeadServices::default() };
    let classes = [
        (302, "lead.rejected"),
        (400, "lead.rejected"),
        (401, "lead.auth"),
        (403, "lead.permission"),
        (404, "lead.not_found"),
        (410, "lead.not_found"),
        (422, "lead.rejected"),
        (429, "lead.unreachable"),
        (500, "lead.unreachable"),
        (503, "lead.unreachable"),
        (504, "lead.timeout"),
    ];
    for (status, code) in classes {
        let destination =
            Destination::Https { url: format!("http://{host}/{status}"), secret: Secret::new("s") };
        let failure = leads.deliver(&destination, &lead("x"), 0).await.expect_err("refused");
        assert_eq!((failure.code, failure.retry_after), (code, Some(120_000)), "{status}");
        assert!(!failure.to_string().contains("canary"));
    }
    // Speaks no TLS; and nobody is there.
    let plain = Destination::Https { url: format!("https://{host}/200"), secret: Secret::new("s") };
    assert_eq!(leads.deliver(&plain, &lead("x"), 0).await.expect_err("refused").code, "lead.tls");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = nobody.local_addr().expect("an address").to_string();
    drop(nobody);
    let absent =
        Leads { egress: Egress::new(std::slice::from_ref(&gone)).expect("an egress"), ..leads.clone() };
    let destination = Destination::Https { url: format!("http://{gone}/"), secret: Secret::new("s") };
    let failure = absent.deliver(&destination, &lead("x"), 0).await.expect_err("refused");
    assert_eq!((failure.code, failure.about_the_lead), ("lead.unreachable", false));
    let private = Destination::Https { url: "https://10.0.0.1/".into(), secret: Secret::new("") };
    assert_eq!(leads.deliver(&private, &lead("x"), 0).await.expect_err("denied").code, "lead.denied");
}
