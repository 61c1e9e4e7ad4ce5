//! The start test of a stored image (CTR-25) with what it tried to reach (CTR-31), where the policy asks for it.

use super::Work;
use super::certify::spool;
use mercat_app::{AppError, Report};
use mercat_artifact::ReadError;
use mercat_artifact::create_options::{self, Start};
use mercat_artifact::oci::{self, Descriptor, Manifest};
use mercat_boot::start::{self, Calls, Image, Layer, Started, Test};
use mercat_certify::{Boot, Knowledge};
use mercat_depot::Imported;
use mercat_domain::Digest;
use mercat_domain::Outcome;
use mercat_domain::finding::{Finding, Place, Severity, judge};
use mercat_domain::limits::CONFIG_BYTES_MAX;
use mercat_store::{Expect, PaperRow, load, put};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Indexes below one another.
const DEPTH_MAX: u32 = 4;

/// Starts an image that nothing else was found against. That it starts is kept for the next time.
pub(super) async fn test(
    work: &Work<'_>,
    (plan, image): (&str, &Imported),
    others: &[Finding],
    knowledge: &Knowledge,
    report: &mut Report,
) -> Result<Vec<Finding>, AppError> {
    let policy = &knowledge.policy.containers;
    let defaults = defaults_of(work, plan);
    if policy.start == Boot::Off || judge(others) != Outcome::Pass {
        return Ok(Vec::new());
    }
    let seconds = policy.start_seconds;
    let key = format!("start/{}/{seconds}/{}{}", image.digest, env!("CARGO_PKG_VERSION"), key_of(&defaults));
    let kept = load::<PaperRow>(&*work.worker.app.ledger, &key).await?;
    let kept = kept.and_then(|row| serde_json::from_str::<Test>(&row.row.text).ok());
    let Test { started, calls } = match kept.filter(holds) {
        Some(test) => test,
        None => {
            let test = run(work, image, defaults, seconds).await;
            if holds(&test) {
                let text = serde_json::to_string(&test).unwrap_or_default();
                let row = PaperRow { key, text, made: work.worker.app.ledger.now().await? };
                report.writes.push(put(&row, Expect::Any));
            }
            test
        }
    };
    let called = called(image, &started, calls, knowledge, report);
    let named = ("image", image.reference.as_str());
    let (severity, observed) = match started {
        Started::Runs => {
            report.say("information", "message-start-runs", &[named, ("seconds", &seconds.to_string())]);
            return Ok(called);
        }
        Started::Ended => {
            report.say("information", "message-start-ended", &[named]);
            return Ok(called);
        }
        Started::Failed { why } => (knowledge.policy.severity("CTR-25"), why),
        Started::NotRun { why } => {
            report.say("information", "message-start-not-run", &[named, ("detail", &why)]);
            let required = policy.start == Boot::Required;
            (required.then_some(Severity::Inconclusive), format!("not started: {why}"))
        }
    };
    let finding = |severity| Finding {
        rule: "CTR-25".to_owned(),
        severity,
        place: Place::default(),
        observed,
        required: format!("an entry point that runs, or ends with code 0, within {seconds} seconds"),
        fix: "let the image start with its own settings: without network, privileges, volumes or variables"
            .to_owned(),
    };
    Ok(severity.map(finding).into_iter().chain(called).collect())
}

/// Tells what an image tried to reach.
fn called(
    image: &Imported,
    started: &Started,
    calls: Option<Calls>,
    knowledge: &Knowledge,
    report: &mut Report,
) -> Vec<Finding> {
    let named = ("image", image.reference.as_str());
    let Some(Calls { made, more }) = calls else {
        if !matches!(started, Started::NotRun { .. }) {
            report.say("information", "message-start-unheard", &[named]);
        }
        return Vec::new();
    };
    if made.is_empty() && !more {
        // Of what did not start it would say something that nobody saw.
        if matches!(started, Started::Runs | Started::Ended) {
            report.say("information", "message-start-silent", &[named]);
        }
        return Vec::new();
    }
    let more = more.then(|| "more than could be listened to".to_owned());
    let observed = made.into_iter().chain(more).collect::<Vec<_>>().join(", ");
    let finding = |severity| Finding {
        rule: "CTR-31".to_owned(),
        severity,
        place: Place::default(),
        observed,
        required: "nothing that is called while it starts and that the listing does not tell".to_owned(),
        fix: "say in the description whom the image calls and why, or leave the call out".to_owned(),
    };
    knowledge.policy.severity("CTR-31").map(finding).into_iter().collect()
}

/// What tells how a plan starts its image from how others do; nothing where it sets nothing.
pub(super) fn defaults(work: &Work<'_>, plan: &str) -> String {
    key_of(&defaults_of(work, plan))
}

fn key_of(defaults: &Start) -> String {
    if *defaults == Start::default() {
        return String::new();
    }
    format!("/{}", Digest::from_sha256(&Sha256::digest(format!("{defaults:?}").as_bytes())).hex())
}

/// Whether a test says the same next time.
fn holds(test: &Test) -> bool {
    test.started.holds() && test.calls.is_some()
}

/// What a plan sets when an IoT Edge runtime starts its image (domain rules 6.4).
fn defaults_of(work: &Work<'_>, plan: &str) -> Start {
    let Some(plan) = work.document.plan(plan) else { return Start::default() };
    let cell = |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_default();
    let rows = mercat_domain::document::rows(&plan.fields, "edgeEnv").iter();
    let mut environment: Vec<String> =
        rows.map(|row| format!("{}={}", cell(row, "name"), cell(row, "value"))).collect();
    // Options that cannot be read are told as such (CTR-23).
    let mut out = create_options::start(plan.text("edgeCreateOptions")).unwrap_or_default();
    environment.append(&mut out.environment);
    Start { environment, ..out }
}

/// Whether a plan sets what is started, by whom, or where that is looked for.
pub(super) fn is_started_otherwise(work: &Work<'_>, plan: &str) -> bool {
    let Start { environment, entry_point, command, user, directory } = defaults_of(work, plan);
    let has_path = environment.iter().any(|variable| variable.starts_with("PATH="));
    has_path || entry_point.is_some() || command.is_some() || user.is_some() || directory.is_some()
}

/// Starts an image as a container engine does: another entry point comes without the image's command.
fn apply(defaults: Start, image: &mut Image, (entry_point, command): Words) {
    image.environment.extend(defaults.environment);
    image.user = defaults.user.unwrap_or(std::mem::take(&mut image.user));
    image.directory = defaults.directory.unwrap_or(std::mem::take(&mut image.directory));
    let command = if defaults.entry_point.is_some() { Vec::new() } else { command };
    let command = defaults.command.unwrap_or(command);
    image.command = [defaults.entry_point.unwrap_or(entry_point), command].concat();
}

async fn run(work: &Work<'_>, image: &Imported, defaults: Start, seconds: u32) -> Test {
    let (directory, _spool) = match spool(work, image).await {
        Ok(found) => found,
        Err(why) => return Started::NotRun { why }.into(),
    };
    let (program, root) = (work.worker.inspector.program.clone(), image.digest.clone());
    let started = tokio::task::spawn_blocking(move || match of_this_machine(&directory, &root, 0) {
        Ok(Some((mut image, words))) => {
            apply(defaults, &mut image, words);
            start::start(&program, &image, seconds)
        }
        Ok(None) => Started::NotRun { why: format!("there is no image for {}", platform()) }.into(),
        Err(error) => Started::NotRun { why: error.to_string() }.into(),
    });
    started.await.unwrap_or_else(|error| Started::NotRun { why: error.to_string() }.into())
}

/// `os/architecture` of this machine, in the words of image indexes.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}

fn blob(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("sha256").join(&digest.hex()[..2]).join(digest.hex())
}

fn small(directory: &Path, digest: &Digest) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    std::fs::File::open(blob(directory, digest))?.take(CONFIG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `Entrypoint` and `Cmd`.
type Words = (Vec<String>, Vec<String>);

/// The image below a manifest that this machine can run.
fn of_this_machine(directory: &Path, root: &Digest, depth: u32) -> Result<Option<(Image, Words)>, ReadError> {
    let (manifest, _) = oci::parse_manifest(&small(directory, root)?, None)?;
    match manifest {
        Manifest::Index(entries) if depth < DEPTH_MAX => {
            let images = entries.iter().filter(|entry| !entry.claims_attestation());
            for entry in images {
                if let Some(image) = of_this_machine(directory, &entry.digest, depth + 1)? {
                    return Ok(Some(image));
                }
            }
            Ok(None)
        }
        Manifest::Index(_) => Ok(None),
        Manifest::Image { config, layers } => {
            let config = oci::parse_config(&small(directory, &config.digest)?)?;
            if !config.platform.starts_with(&platform()) {
                return Ok(None);
            }
            let layer = |layer: &Descriptor| {
                Ok(Layer::new(blob(directory, &layer.digest), oci::compression(&layer.media_type)?))
            };
            let image = Image {
                layers: layers.iter().map(layer).collect::<Result<_, ReadError>>()?,
                command: Vec::new(),
                environment: config.env,
                directory: config.directory,
                user: config.user,
            };
            Ok(Some((image, (config.entry_point, config.command))))
        }
    }
}
