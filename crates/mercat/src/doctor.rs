//! `mercat doctor`: what this installation has, and what to do about what it lacks.

use crate::config::Config;
use crate::{EXIT_OURS, wiring};
use mercat_certify::advisories::Snapshot;
use mercat_certify::{Knowledge, Policy};
use mercat_courier::Mailer;
use mercat_domain::Digest;
use mercat_store::{OfferRow, StandingRow};
use mercat_worker::Inspector;
use mercat_worker::inspect::Reuse;
use mercat_worker::scanners::{Mode, Scanner};
use std::path::Path;

pub(crate) use mercat_web::Health;

/// Examines a running server for the operator's pages.
pub(crate) struct Doctor {
    pub(crate) house: wiring::House,
    pub(crate) config: Config,
}

#[async_trait::async_trait]
impl mercat_web::Examine for Doctor {
    async fn examine(&self) -> Vec<(&'static str, Health)> {
        let mut out = Vec::new();
        examine(&self.house, &self.config, &mut out).await;
        out
    }
}

#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) async fn run(data: &Path) -> anyhow::Result<u8> {
    let mut bad = 0;
    for (what, health) in checks(data).await {
        match health {
            Health::Good(text) => println!("ok    {what}: {text}"),
            Health::Note(text) => println!("note  {what}: {text}"),
            Health::Bad(text) => {
                bad += 1;
                println!("BAD   {what}: {text}");
            }
        }
    }
    Ok(if bad > 0 { EXIT_OURS } else { 0 })
}

async fn checks(data: &Path) -> Vec<(&'static str, Health)> {
    let mut out = Vec::new();
    let config = match Config::load(data) {
        Ok(config) => config,
        Err(error) => return vec![("configuration", Health::Bad(format!("{error:#}")))],
    };
    let file = data.join("mercat.toml");
    let text = if file.exists() { file.display().to_string() } else { "defaults, no mercat.toml".to_owned() };
    out.push(("configuration", Health::Good(text)));
    out.push(("listen", listen(&config.server.listen)));
    // Looking makes nothing: no key, and nothing in a database that would be sealed by it.
    let is_new = config.database.url.is_empty()
        && !data.join("mercat.db").exists()
        && !wiring::keys::path(data).exists();
    let note = match data.try_exists() {
        Ok(true) if is_new => Some(format!("nothing is set up in {}; mercat serve does it", data.display())),
        Ok(true) => None,
        Ok(false) => Some(format!("{} is not there yet; mercat serve makes it", data.display())),
        Err(error) => {
            out.push(("data directory", Health::Bad(format!("{}: {error}", data.display()))));
            return out;
        }
    };
    if let Some(told) = note {
        out.push(("data directory", Health::Note(told)));
        match wiring::inspector(data, &config) {
            Ok(inspector) => examine_inspector(&inspector, &mut out).await,
            Err(error) => out.push(("inspector", Health::Bad(format!("{error:#}")))),
        }
        out.push(("mail", mail(&config).await));
        return out;
    }
    let house = match wiring::open(data, &config).await {
        Ok(house) => house,
        Err(error) => {
            let what = format!("{error:#}");
            let about = if what.starts_with("the database") { "database" } else { "data directory" };
            out.push((about, Health::Bad(what)));
            return out;
        }
    };
    out.push(("data directory", Health::Good(data.display().to_string())));
    examine(&house, &config, &mut out).await;
    out
}

/// Bytes for uploads, beside what stays free.
fn room(room: std::io::Result<u64>) -> Health {
    match room {
        Ok(0) => Health::Bad(
            "are refused: less is free than must stay free; make room, or lower [depot] keep_free_mib"
                .to_owned(),
        ),
        Ok(bytes) => Health::Good(format!("have room for {} MiB", bytes >> 20)),
        Err(error) => Health::Bad(format!("their disk does not say what is free: {error}")),
    }
}

async fn examine(house: &wiring::House, config: &Config, out: &mut Vec<(&'static str, Health)>) {
    out.push((
        "database",
        match house.app.ledger.now().await {
            Ok(now) => Health::Good(format!("answers, time {}", mercat_app::rfc3339(now))),
            Err(error) => Health::Bad(mercat_worker::chain(&error)),
        },
    ));
    let stored = house.depot.put("mercat doctor".into()).await;
    out.push((
        "depot",
        match stored {
            Ok(_) => Health::Good("takes blobs".to_owned()),
            Err(error) => Health::Bad(mercat_worker::chain(&error)),
        },
    ));
    out.push(("uploads", room(house.spool.room())));
    examine_inspector(&house.worker.inspector, out).await;
    for scanner in house.worker.scanners.iter() {
        out.push(("scanner", self::scanner(scanner).await));
    }
    out.push(("live offers", live_offers(house).await));
    let names: Vec<&str> = house.worker.regions.iter().map(mercat_depot::Region::name).collect();
    out.push(("regions", Health::Good(names.join(", "))));
    out.push((
        "master key",
        match house.app.registry_key().await {
            Ok(_) => Health::Good("opens what this server has sealed".to_owned()),
            Err(error) => {
                let hint = "put back the key that was there, beside the database";
                Health::Bad(format!("does not open what this server has sealed: {error}; {hint}"))
            }
        },
    ));
    out.push(("mail", mail(config).await));
}

/// Whether a mail server takes what is to be sent.
async fn mail(config: &Config) -> Health {
    let Some(smtp) = &config.smtp else {
        return Health::Note("no [smtp] section: mails stay in the built-in mailbox".to_owned());
    };
    let shown = format!("{}:{} as {}", smtp.host, smtp.port, smtp.from);
    let greeted = match Mailer::new(smtp) {
        Ok(mailer) => mailer.greet().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match greeted {
        Ok(()) => Health::Good(shown),
        Err(error) => {
            let hint = "smtp.security is starttls unless you say tls or none";
            Health::Bad(format!("{shown}: {error}; mails wait and are tried again; {hint}"))
        }
    }
}

/// What certifies, which needs no installation.
async fn examine_inspector(inspector: &Inspector, out: &mut Vec<(&'static str, Health)>) {
    let knowledge = inspector.ready().await;
    match &knowledge {
        Ok(loaded) => {
            out.push(("rules", pack(&loaded.policy)));
            // All of it is read.
            let loaded = std::sync::Arc::clone(loaded);
            let read = tokio::task::spawn_blocking(move || advisories(&loaded)).await;
            out.push(("advisories", read.unwrap_or_else(|error| Health::Bad(error.to_string()))));
        }
        // One trouble of what certifies, and it says whose file it is.
        Err(why) => out.push(("rules", Health::Bad(why.clone()))),
    }
    out.push(("inspector", confined(inspector).await));
    out.push(("boot test", boot_test(knowledge.as_deref().ok())));
    out.push(("start test", start_test(knowledge.as_deref().ok())));
}

/// Which rules count, and whether the pack may mean others.
fn pack(policy: &Policy) -> Health {
    let named = format!("policy {} of {}", policy.name, policy.date);
    match wiring::remarks(policy) {
        remarks if remarks.is_empty() => Health::Good(named),
        remarks => Health::Note(format!("{named}; {}", remarks.join("; "))),
    }
}

/// Whether a server could listen here.
fn listen(address: &str) -> Health {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Health::Good(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Health::Note(format!("{address} is in use: by a running mercat serve, or by another program"))
        }
        Err(error) => Health::Bad(format!("{address}: {error}; see [server] listen in mercat.toml")),
    }
}

/// Whether what is live would still pass.
async fn live_offers(house: &wiring::House) -> Health {
    let open = match standing(house, "blocked").await {
        Ok(open) => open,
        Err(why) => return Health::Bad(why),
    };
    let lost = match standing(house, "trouble").await {
        Ok(lost) => lost,
        Err(why) => return Health::Bad(why),
    };
    let shown = |keys: &[String]| keys.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (open.len(), lost.len()) {
        (0, 0) => {
            Health::Good("would all pass by what is known now, as far as they were judged again".to_owned())
        }
        (0, count) => {
            Health::Note(format!("{count} could not be judged again: {}; tried every hour", shown(&lost)))
        }
        (count, _) => {
            let told = format!(
                "{count} would not pass by what is known now: {}; their publishers were told",
                shown(&open)
            );
            let lost = if lost.is_empty() {
                String::new()
            } else {
                format!("; {} could not be judged again", lost.len())
            };
            Health::Note(told + &lost)
        }
    }
}

/// Live offers whose standing is in a state; the first thousand.
async fn standing(house: &wiring::House, state: &str) -> Result<Vec<String>, String> {
    let ledger = &*house.app.ledger;
    let mut out = Vec::new();
    let found = mercat_store::find::<StandingRow>(ledger, "state", state).await;
    for row in found.map_err(|error| mercat_worker::chain(&error))? {
        let key = format!("{}/{}", row.row.publisher, row.row.offer);
        let live = mercat_store::load::<OfferRow>(ledger, &key)
            .await
            .map_err(|error| mercat_worker::chain(&error))?;
        if live.is_some_and(|offer| offer.row.live.as_ref() == Some(&row.row.submission)) {
            out.push(key);
        }
    }
    Ok(out)
}

/// Whether disks can be started, and whether the policy wants that.
fn boot_test(knowledge: Option<&Knowledge>) -> Health {
    let required = knowledge.is_some_and(|loaded| loaded.policy.vm.boot == mercat_certify::Boot::Required);
    match mercat_boot::program() {
        Some(path) => Health::Good(path.display().to_string()),
        None if required => Health::Bad(
            "the policy requires it and QEMU is not installed; use: apt install qemu-system-x86".to_owned(),
        ),
        None => Health::Note(
            "QEMU is not installed, so disks are not started; use: apt install qemu-system-x86".to_owned(),
        ),
    }
}

/// Whether entry points can be started, and whether the policy wants that.
fn start_test(knowledge: Option<&Knowledge>) -> Health {
    const INSTALL: &str = "bubblewrap is not installed; use: apt install bubblewrap";
    let wanted = knowledge.map_or(mercat_certify::Boot::Off, |loaded| loaded.policy.containers.start);
    match (wanted, mercat_boot::start::program()) {
        (mercat_certify::Boot::Off, _) => Health::Note(
            "the policy does not start container images; see [containers] of mercat policy show default"
                .to_owned(),
        ),
        (_, Some(path)) => Health::Good(path.display().to_string()),
        (mercat_certify::Boot::Required, None) => {
            Health::Bad(format!("the policy requires it and {INSTALL}"))
        }
        (mercat_certify::Boot::WhenAvailable, None) => {
            Health::Note(format!("containers are not started: {INSTALL}"))
        }
    }
}

/// Whether another scanner tells about itself; one in shadow mode blocks nothing.
async fn scanner(scanner: &Scanner) -> Health {
    match (scanner.describe().await, scanner.mode) {
        (Ok(about), Mode::Enforce) => Health::Good(format!("{}: {about}", scanner.name)),
        (Ok(about), Mode::Shadow) => Health::Good(format!("{} (shadow): {about}", scanner.name)),
        (Err(why), Mode::Enforce) => Health::Bad(format!("{}: {why}", scanner.name)),
        (Err(why), Mode::Shadow) => Health::Note(format!("{} (shadow): {why}", scanner.name)),
    }
}

/// A real child on an artifact that does not exist must say so, confined.
async fn confined(inspector: &Inspector) -> Health {
    let nothing = Digest::from_sha256(&[0; 32]);
    let directory = std::env::temp_dir();
    let run = inspector.inspect(&nothing, &directory, false, 0, Reuse::default(), |_, _| {}).await;
    match run {
        Err(mercat_worker::InspectError::Ended(why)) if why.contains("No such file") => {
            Health::Good("starts and confines itself".to_owned())
        }
        Err(error) => Health::Bad(mercat_worker::chain(&error)),
        Ok(_) => Health::Bad("gave a verdict on nothing".to_owned()),
    }
}

/// The day of a moment of RFC 3339.
fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

fn advisories(loaded: &Knowledge) -> Health {
    if let Some(trouble) = loaded.advisories.trouble() {
        return Health::Bad(trouble.to_string());
    }
    if let Some(Err(damage)) = loaded.advisories.snapshot().map(Snapshot::verify) {
        return Health::Bad(format!("{damage}; use: mercat advisories import --replace DIRECTORY"));
    }
    if let Some((ecosystem, why)) = loaded.stale_advisories().first_key_value() {
        return Health::Note(format!("too old for {ecosystem}: {why}"));
    }
    match loaded.advisories.is_empty() {
        true => Health::Note(
            "none: images with distribution packages are inconclusive; use: mercat advisories import DIRECTORY".into(),
        ),
        false => {
            let told = format!("{}, newest of {}", loaded.advisories.len(), day(&loaded.advisories.newest()));
            let known = loaded.advisories.meta().into_iter().flat_map(|meta| &meta.ecosystems);
            let parts = known.filter(|(ecosystem, known)| known.is_part(ecosystem));
            let parts: Vec<String> =
                parts.map(|(ecosystem, known)| format!("{} for {ecosystem}", known.advisories)).collect();
            match parts.split_first() {
                None => Health::Good(told),
                Some((first, rest)) => {
                    let more = if rest.is_empty() { String::new() } else { format!(", {} more", rest.len()) };
                    Health::Note(format!(
                        "{told}; too few to be all: {first}{more}; import whole exports, or images pass by a part"
                    ))
                }
            }
        }
    }
}
