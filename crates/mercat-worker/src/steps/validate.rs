//! Validate prerequisites: every reference resolves, and what it names is copied by digest.

use super::{Ended, Work};
use mercat_app::{AppError, Report};
use mercat_artifact::oci::reference::{self, Source};
use mercat_depot::{Credentials, Imported, SourceError, held_disk, import};
use mercat_domain::{Digest, OfferKind, Plan};
use mercat_store::{FindingRow, ImageRow};
use std::path::Path;

/// Waits for a name that does not exist, together about a quarter of a minute.
pub(super) const NAME_WAITS: u32 = 4;

pub(super) async fn run(work: &Work<'_>) -> Result<Ended, AppError> {
    if work.document.kind == OfferKind::VirtualMachine {
        return super::disks::validate(work).await;
    }
    let mut report = Report::default();
    let mut images = Vec::new();
    for plan in &work.document.plans {
        match copy(work, plan).await? {
            Ok(copied) => images.extend(copied.into_iter().map(|image| row(&plan.id, image))),
            Err(error) => match verdict_on(&plan.id, &error).filter(|_| sure(work, &error)) {
                Some(finding) => report.findings.push(finding),
                None => return Ok(waits(&error)),
            },
        }
    }
    if report.findings.is_empty() {
        report.say("information", "message-images-copied", &[("count", &images.len().to_string())]);
        report.images = Some(images);
        return Ok(Ended::passed(report));
    }
    report.say("error", "message-blocked", &[("count", &report.findings.len().to_string())]);
    Ok(Ended::blocked(report))
}

async fn copy(work: &Work<'_>, plan: &Plan) -> Result<Result<Vec<Imported>, SourceError>, AppError> {
    let worker = work.worker;
    let text = plan.text("image");
    let place = match reference::parse(text) {
        Ok((place, _)) => place,
        Err(error) => return Ok(Err(SourceError::Refused { code: "F003", what: error.to_string() })),
    };
    if let Some(error) = unreadable(text, &place, &worker.local_sources) {
        return Ok(Err(error));
    }
    let secret_place = format!("{}/{}", work.key(), plan.id);
    let password = worker.app.open_secret(&secret_place, "password", &plan.fields)?;
    let credentials = Credentials { username: plan.text("username").to_owned(), password };
    let tags = plan.list("tags");
    Ok(import(&worker.depot, &worker.egress, &place, credentials, tags, work.tracker).await)
}

/// Why a source on this server is not read, if it is not.
pub(crate) fn unreadable(
    text: &str,
    place: &Source,
    directories: &[std::path::PathBuf],
) -> Option<SourceError> {
    match place {
        Source::Layout(path) | Source::Archive(path) | Source::DockerArchive(path) => {
            (!allowed(path, directories)).then(|| not_allowed(text, path, directories))
        }
        _ => None,
    }
}

/// Why a path is not read. What is not there is told so only where what is there may be read.
fn not_allowed(text: &str, path: &Path, directories: &[std::path::PathBuf]) -> SourceError {
    let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    let nearest = path.ancestors().skip(1).find(|above| above.exists());
    if plain && !path.exists() && nearest.is_some_and(|above| allowed(above, directories)) {
        return SourceError::NoSuchFile(text.to_owned());
    }
    SourceError::Denied(format!("{text} is not below a directory of sources.directories on this server"))
}

/// Whether a path lies below an allowed directory, links resolved.
pub(crate) fn allowed(path: &Path, directories: &[std::path::PathBuf]) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    directories.iter().filter_map(|dir| dir.canonicalize().ok()).any(|dir| path.starts_with(dir))
}

fn row(plan: &str, image: Imported) -> ImageRow {
    ImageRow {
        plan: plan.to_owned(),
        reference: image.reference,
        digest: image.digest.to_string(),
        media_type: image.media_type,
        size: image.size,
    }
}

/// A name that does not exist may be one that a resolver does not know yet: it is asked for some times.
fn sure(work: &Work<'_>, error: &SourceError) -> bool {
    work.task.postponed >= NAME_WAITS || !matches!(error, SourceError::NoSuchHost(_))
}

/// What the publisher can fix becomes a finding; everything else is ours to wait for.
pub(crate) fn verdict_on(plan: &str, error: &SourceError) -> Option<FindingRow> {
    let (rule, field, required, fix) = match error {
        SourceError::Unauthorized { .. } => (
            "F021",
            "password",
            "credentials that may pull",
            "enter a user name and password or token that may pull",
        ),
        SourceError::NotFound(_) => {
            ("F021", "tags", "a tag or digest that exists", "push the tag, or correct the list")
        }
        SourceError::NoSuchFile(_) => {
            ("F021", "image", "a file or directory that exists", "correct the path, or put the image there")
        }
        SourceError::Denied(_) => (
            "F021",
            "image",
            "a registry on the internet",
            "use a public https registry, or ask the operator to allow it",
        ),
        SourceError::Refused { code, .. } => {
            (*code, "image", "an image by the OCI specification", mercat_certify::fix_of_source(code))
        }
        SourceError::Compressed(_) => (
            "F021",
            "image",
            "an archive that is not compressed as a whole",
            "unpack the archive to a tar file",
        ),
        SourceError::NoSuchHost(_) => {
            ("F021", "image", "a registry that exists", "correct the name of the registry")
        }
        SourceError::Unreachable { .. } | SourceError::Depot(_) => return None,
    };
    Some(FindingRow {
        rule: rule.to_owned(),
        severity: "error".to_owned(),
        plan: plan.to_owned(),
        field: format!("plans/{plan}/{field}"),
        // The rule is told beside it.
        observed: match error {
            SourceError::Refused { what, .. } => what.clone(),
            _ => error.to_string(),
        },
        required: required.to_owned(),
        fix: fix.to_owned(),
        ..FindingRow::default()
    })
}

fn waits(error: &SourceError) -> Ended {
    let on = if matches!(error, SourceError::Depot(_)) { "wait-store" } else { "wait-source" };
    Ended::Wait { on, detail: crate::chain(error) }
}

/// What the depot holds of a submission's images, by plan.
pub(super) async fn held(work: &Work<'_>) -> Result<Result<Vec<(String, Imported)>, Ended>, AppError> {
    let mut out = Vec::new();
    for row in &work.submission.images {
        let digest = Digest::parse(&row.digest).ok_or(AppError::NotFound)?;
        let depot = &work.worker.depot;
        let found = if work.document.kind == OfferKind::VirtualMachine {
            held_disk(depot, &digest, &row.reference).await.map_err(|error| crate::chain(&error))
        } else {
            mercat_depot::held(depot, &digest).await.map_err(|error| crate::chain(&error))
        };
        match found {
            Ok(mut image) => {
                image.reference.clone_from(&row.reference);
                out.push((row.plan.clone(), image));
            }
            Err(detail) => return Ok(Err(Ended::Wait { on: "wait-store", detail })),
        }
    }
    Ok(Ok(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_only_where_it_could_be_read() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("images");
        std::fs::create_dir(&directory).expect("made");
        let directories = [directory.clone()];
        let told = |path: &std::path::Path| not_allowed("oci:x", path, &directories).to_string();
        assert_eq!(told(&directory.join("none/deeper")), "oci:x does not exist on this server");
        for outside in [place.path().join("none"), directory.join("../none"), place.path().to_owned()] {
            assert!(told(&outside).contains("sources.directories"), "{outside:?}");
        }
        let missing = verdict_on("p", &SourceError::NoSuchFile("oci:x".to_owned())).expect("a finding");
        assert_eq!((missing.field.as_str(), missing.rule.as_str()), ("plans/p/image", "F021"));
    }
}
