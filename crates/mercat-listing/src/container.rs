//! What a listing says, and must say, about its containers (CTR-23, CTR-26, CTR-30).

use super::{Said, plain};
use mercat_artifact::create_options::powers;
use mercat_artifact::oci::Config;
use mercat_domain::Document;
use mercat_domain::document::Fields;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_policy::Policy;

/// The category of modules for IoT Edge.
const MODULES: &str = "iot-edge-modules";
/// Words of hardware, one of which stands in a paragraph about it.
const HARDWARE: [&str; 17] = [
    "ram",
    "memory",
    "cpu",
    "cpus",
    "vcpu",
    "vcpus",
    "core",
    "cores",
    "processor",
    "disk",
    "storage",
    "hardware",
    "gb",
    "gib",
    "mb",
    "mib",
    "gpu",
];
const HARDWARE_JA: [&str; 6] = ["メモリ", "ハードウェア", "プロセッサ", "ストレージ", "ディスク", "コア"];

/// Create options that ask for the host, and the hardware that is not told.
pub(super) fn inspect(offer: &Document, report: &mut dyn FnMut(Said<'_>)) {
    for plan in &offer.plans {
        let options = plan.text("edgeCreateOptions").trim();
        if options.is_empty() {
            continue;
        }
        let observed = match powers(options) {
            Ok(powers) if powers.is_empty() => continue,
            Ok(powers) => powers.join(", "),
            Err(error) => format!("create options that cannot be read: {error}"),
        };
        report(Said {
            rule: "CTR-23",
            field: &format!("plans/{}/edgeCreateOptions", plan.id),
            observed,
            required: "a container without privileged mode, namespaces of the host or the container engine's socket",
            fix: "leave the option out, or ask for single devices and capabilities instead",
        });
    }
    let module = offer.list("categories").iter().any(|category| category.ends_with(MODULES));
    let last = last_paragraph(offer.text("description"));
    if module && !is_of_hardware(&last) {
        report(Said {
            rule: "CTR-26",
            field: "description",
            observed: format!("the last paragraph is {:?}", last.chars().take(80).collect::<String>()),
            required: "the minimum hardware, as the last paragraph of the description",
            fix: "end the description with it, for example: at least 1 GB of RAM and a 64-bit processor",
        });
    }
}

/// The words of the last paragraph of a text in HTML, with what follows it, for example a list.
fn last_paragraph(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let mut end = html.len();
    loop {
        let starts = ["<p>", "<p ", "<br", "\n\n"].iter().filter_map(|mark| lower[..end].rfind(mark));
        let start = starts.max().unwrap_or(0);
        let text = plain(&html[start..]);
        if !text.is_empty() || start == 0 {
            return text;
        }
        end = start;
    }
}

fn is_of_hardware(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|letter: char| !letter.is_ascii_alphabetic());
    words.any(|word| HARDWARE.contains(&word)) || HARDWARE_JA.iter().any(|word| lower.contains(word))
}

/// Ports and volumes of an image that are looked at.
const EXPOSED_MAX: usize = 100;
/// Those of them that are told.
const TOLD_MAX: usize = 20;
/// Letters of each.
const TOLD_CHARS_MAX: usize = 100;

/// Ports and volumes of an image of a plan that no text of the listing names: of the first hundred of each.
pub fn inspect_exposed(offer: &Document, plan: &str, image: &Config, policy: &Policy) -> Option<Finding> {
    let of_plan = offer.plan(plan).map(|plan| &plan.fields);
    let texts: Vec<&str> = std::iter::once(&offer.fields).chain(of_plan).flat_map(texts).collect();
    // Of a number digits would make another, of a path letters behind it.
    let is_told = |what: &str, is_number: bool| {
        let ends = |text: &str, at: usize| {
            let (before, behind) = (text[..at].chars().next_back(), text[at + what.len()..].chars().next());
            match is_number {
                true => ![before, behind].into_iter().flatten().any(|letter| letter.is_ascii_digit()),
                false => !behind.is_some_and(|letter| letter.is_alphanumeric() || "-_".contains(letter)),
            }
        };
        texts.iter().any(|text| text.match_indices(what).any(|(at, _)| ends(text, at)))
    };
    let number = |port: &str| port.split('/').next().unwrap_or(port).to_owned();
    let cut = |text: &str| text.chars().take(TOLD_CHARS_MAX).collect::<String>();
    let ports = image.ports.iter().take(EXPOSED_MAX).filter(|port| !is_told(&number(port), true));
    let volumes = image.volumes.iter().take(EXPOSED_MAX).map(|path| path.trim_end_matches('/'));
    let volumes = volumes.filter(|path| !is_told(path, false)).map(|path| format!("volume {}", cut(path)));
    let mut untold: Vec<String> = ports.map(|port| format!("port {}", cut(port))).chain(volumes).collect();
    if untold.len() > TOLD_MAX {
        let more = untold.len() - TOLD_MAX;
        untold.truncate(TOLD_MAX);
        untold.push(format!("and {more} more"));
    }
    if untold.is_empty() {
        return None;
    }
    policy.weigh(Finding {
        rule: "CTR-30".to_owned(),
        severity: Severity::Info,
        place: Place {
            plan: plan.to_owned(),
            platform: image.platform.clone(),
            field: format!("plans/{plan}/description"),
            ..Place::default()
        },
        observed: format!("not told: {}", untold.join(", ")),
        required: "ports and volumes of the image named in the listing".to_owned(),
        fix: "name them in the description of the offer or plan, with what they are for".to_owned(),
    })
}

/// What customers can read.
fn texts(fields: &Fields) -> impl Iterator<Item = &str> {
    // Statements about vulnerabilities are no words about ports.
    let public = fields.iter().filter(|(key, _)| super::is_public(key) && *key != "vex");
    public.flat_map(|(_, value)| super::texts_of(value))
}

#[cfg(test)]
mod tests;
