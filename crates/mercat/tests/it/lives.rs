//! The whole life of an offer of either kind through nothing but the pages: in both languages, on a telephone and in a
//! wide window, with and without scripts.

use crate::House;
use crate::appliance::{can_build, disk, logo, open};
use crate::browser::Browser;
use crate::guest::Faults;
use crate::house::{layout, tar};
use std::time::Duration;

/// One way of looking at the pages.
struct Way {
    locale: &'static str,
    width: u32,
    scripts: bool,
}

const WAYS: [Way; 4] = [
    Way { locale: "en", width: 1280, scripts: true },
    Way { locale: "ja", width: 360, scripts: true },
    Way { locale: "ja", width: 1280, scripts: false },
    Way { locale: "en", width: 360, scripts: false },
];

/// What is written on a page: inputs by id with their text, choices by id with their value, boxes by what they stand for.
#[derive(Default)]
struct Page<'a> {
    texts: Vec<(String, String)>,
    choices: Vec<(&'a str, &'a str)>,
    boxes: Vec<&'a str>,
}

fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

async fn write(browser: &Browser, page: &Page<'_>) {
    for (name, text) in &page.texts {
        browser.type_into(&format!("[id='{name}']"), text).await;
    }
    for (name, value) in &page.choices {
        browser.click(&format!("[id='{name}'] option[value='{value}']")).await;
    }
    for name in &page.boxes {
        browser.click(name).await;
    }
}

async fn save(browser: &Browser, at: &str, page: &Page<'_>) {
    browser.click(&format!("#page-{at}")).await;
    browser.wait(&format!("form[action$='/editor/{at}']")).await;
    write(browser, page).await;
    browser.click("button[value=save]").await;
    browser.wait(".banner.good").await;
}

/// From New Offer to the storefront and its end in preview of the next version.
async fn life(house: &House, browser: &Browser, way: &Way, offer: &str, technical: &Page<'_>) {
    let machine = offer.starts_with("machine");
    let (kind, category, name) = match machine {
        true => ("virtual-machine", "compute/operating-systems", "仮想マシン"),
        false => ("container", "internet-of-things/iot-edge-modules", "コンテナー"),
    };
    // Once of each kind is enough.
    let audit = async |page: &str| {
        if way.scripts && way.locale == "en" {
            browser.audit(&format!("{page}-{}", if machine { "machine" } else { "container" })).await;
        }
    };
    let status = format!("{}/portal/offers/aurora/{offer}/status", house.base);
    browser.goto(&format!("{}/portal/new", house.base)).await;
    browser.wait(&format!("html[lang={}]", way.locale)).await;
    let new = Page {
        texts: texts(&[("offer", offer), ("name", offer)]),
        choices: vec![("kind", kind)],
        ..Page::default()
    };
    write(browser, &new).await;
    browser.click("main form button").await;
    browser.wait("#pages").await;
    let plan = [("p.0.title", "Small"), ("p.0.summary", "One of them"), ("p.0.description", "<p>One.</p>")];
    let choices = vec![("p.0.licenseModel", "free")];
    let plan =
        Page { texts: [texts(&plan), texts(&[("p.0.markets", "JP")])].concat(), choices, ..Page::default() };
    save(browser, "plans", &plan).await;
    save(browser, "technical", technical).await;
    let (subscription, _) = house.subscription().await;
    let mut listing = texts(&[
        ("f.title", offer),
        ("f.titleJa", name),
        ("f.summary", "For small sites"),
        ("f.longSummary", "Something for small sites."),
        ("f.description", "<p>For small sites.</p>"),
        ("f.marketingId", offer),
        ("f.allowedSubscriptions", &subscription),
        ("f.privacyUrl", "https://example.org/privacy"),
    ]);
    for (name, w, h) in [("small", 48, 48), ("medium", 90, 90), ("large", 216, 216), ("wide", 255, 115)] {
        listing.push((format!("f.{name}Logo"), logo(house, &format!("{name}.png"), w, h)));
    }
    let category = format!("input[value='{category}']");
    let boxes = vec![category.as_str(), "[id='f.useStandardContract']"];
    save(browser, "marketplace", &Page { texts: listing, boxes, ..Page::default() }).await;
    let none = Page { choices: vec![("f.leadDestination", "none")], ..Page::default() };
    save(browser, "leads", &none).await;
    let mut contacts = Vec::new();
    for who in ["engineering", "support"] {
        for (what, text) in [("Name", "E"), ("Email", "e@example.org"), ("Phone", "+1 555 0100")] {
            contacts.push((format!("f.{who}Contact{what}"), text.to_owned()));
        }
    }
    save(browser, "support", &Page { texts: contacts, ..Page::default() }).await;
    let missing = browser.run("return document.querySelectorAll('#pages .warn, #pages .bad').length").await;
    assert_eq!(missing, 0, "{}", browser.text().await);
    assert!(!browser.text().await.contains("Incomplete"), "{}", browser.text().await);
    browser.click("button[value=publish]").await;
    browser.type_into("#emails", "ops@example.org").await;
    browser.click("main form button").await;
    browser.wait("#step-validate").await;
    let turns = async |states: &[&str], part: &str| {
        if !way.scripts {
            // Whoever runs no scripts loads the page again.
            let found = house.until(offer, states).await;
            assert_eq!(found["status"], states[0], "{found:#}");
            browser.goto(&status).await;
        }
        browser.wait(part).await;
        let wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth").await;
        assert!(
            wide.as_i64().unwrap_or(1) <= 0,
            "{part} in {} at {}: {wide} too wide",
            way.locale,
            way.width
        );
    };
    turns(&["waitingForPublisherReview", "failed"], "#now-go-live").await;
    audit("status").await;
    browser.click("#now-preview").await;
    browser.wait(&format!("html[lang={}]", way.locale)).await;
    if way.locale == "en" {
        browser.until("only the subscriptions on the allow-list").await;
    }
    audit("preview").await;
    browser.goto(&status).await;
    browser.click("#now-go-live").await;
    turns(&["succeeded", "failed"], "#now-live").await;
    browser.click("#now-live").await;
    browser.wait("#plan-plan-1, [id^='plan-']").await;
    if machine {
        browser.until("qcow2").await;
    }
    audit("product").await;
    // It is found, and an update goes to preview and is cancelled there.
    browser.goto(&format!("{}/marketplace?q={offer}", house.base)).await;
    browser.wait(&format!("a[href='/marketplace/apps/aurora.{offer}']")).await;
    browser.goto(&format!("{}/marketplace?q={name}", house.base)).await;
    browser.until(if way.locale == "ja" { name } else { offer }).await;
    browser.goto(&format!("{}/portal/offers/aurora/{offer}/editor/marketplace", house.base)).await;
    browser.type_into("[id='f.summary']", ", again").await;
    browser.click("button[value=publish]").await;
    browser.wait("#emails").await;
    browser.click("main form button").await;
    browser.wait("#step-validate").await;
    turns(&["waitingForPublisherReview", "failed"], "#now-go-live").await;
    browser.click("#now-cancel").await;
    browser.click("main form button").await;
    browser.wait("#now-publish").await;
    assert_eq!(browser.console_errors().await, Vec::<String>::new(), "{offer}: the console");
}

async fn lives(house: &House, kind: &str, technical: impl Fn(&str) -> Page<'static>) {
    for (number, way) in WAYS.iter().enumerate() {
        let browser = if way.scripts { Browser::open().await } else { Browser::without_scripts().await };
        let Some(browser) = browser else { return };
        browser.goto(&house.member_link("aurora", "owner@example.org", "owner").await).await;
        browser.width(way.width).await;
        browser.language(way.locale).await;
        browser.click("main button").await;
        browser.wait("a[href='/portal/new']").await;
        let offer = format!("{kind}-{number}");
        life(house, &browser, way, &offer, &technical(&offer)).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_lives_through_the_pages_alone_in_every_way_of_looking_at_them() {
    let house = House::open().await;
    let images = house.dir.path().join("images");
    lives(&house, "container", |offer| {
        let root = images.join(offer);
        layout(&root, &[tar(&[("bin/app", offer.as_bytes())])], &["latest", "1.0.0"]);
        let image = format!("oci:{}", root.display());
        Page { texts: texts(&[("p.0.image", &image), ("p.0.tags", "latest\n1.0.0")]), ..Page::default() }
    })
    .await;
}

/// S2-1, S2-2, S2-6, S2-7, S2-15, S2-29, S2-32, S2-35: from New Offer to the storefront, by nothing but the pages.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_lives_through_the_pages_alone_in_every_way_of_looking_at_them() {
    if !can_build() {
        return;
    }
    let house = open().await;
    lives(&house, "machine", |offer| {
        // Another disk each time: one that is sold twice is judged by another rule.
        let more = [("srv/which".to_owned(), 0o644, offer.as_bytes().to_vec())];
        let source =
            format!("file:{}", disk(&house, &format!("{offer}.raw"), Faults::default(), &more).display());
        let lines = [
            ("p.0.osName", "Debian 12"),
            ("p.0.vmSizes.0.size", "1 vCPU"),
            ("p.0.openPorts.0.label", "https"),
            ("p.0.openPorts.0.port", "443"),
            ("p.0.openPorts.0.protocol", "tcp"),
            ("p.0.versions.0.version", "1.0.0"),
            ("p.0.versions.0.osDiskUrl", source.as_str()),
        ];
        Page { texts: texts(&lines), choices: vec![("p.0.osFamily", "linux")], ..Page::default() }
    })
    .await;
}
