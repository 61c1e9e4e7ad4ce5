//! The operator's rules over a finished verdict, in Rego.
//!
//! [`Eligibility::load`] compiles policy files, [`Eligibility::judge`] evaluates them over one document. Evaluation is
//! bounded in time, output and input, reaches neither files nor network nor a random number, and an error in it is
//! an error of [`Eligibility::judge`]: the caller makes it inconclusive, never a pass. Memory is bounded by the
//! process that evaluates.

mod cases;
mod syntax;

pub use cases::{CaseError, CaseResult, run_case};

use mercat_domain::finding::Place;
use mercat_domain::plain::plain;
use mercat_domain::{Digest, Finding, Severity};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde::Deserialize;
use sha2::Digest as _;
use std::num::NonZeroU32;
use std::time::Duration;
use syntax::Wrong;

/// The policy that comes with the program.
pub const DEFAULT: &str = include_str!("../policy/default.rego");
/// Name of [`DEFAULT`] where a file would stand.
pub const DEFAULT_NAME: &str = "default.rego";
/// What every rule id of an operator begins with; no rule of ours does.
pub const PREFIX: &str = "ELG-";

/// Seconds that one evaluation may take.
pub const EVALUATION_SECS_MAX: u64 = 10;
/// Findings of one evaluation.
pub const FINDINGS_MAX: usize = 1000;
/// Characters of one word of a finding.
pub const WORD_CHARS_MAX: usize = 4096;
/// Bytes of one policy file.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Policy files.
pub const FILES_MAX: usize = 64;
/// Bytes of the document that is judged.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// Lists and braces inside each other in a policy: with each more, the compiler takes twice as long.
const DEPTH_MAX: usize = 12;
/// Digits of the exponent of a number.
const EXPONENT_DIGITS_MAX: usize = 3;
/// Characters of a rule id.
const RULE_CHARS_MAX: usize = 64;
/// Bytes of the evaluating thread's stack.
const STACK_BYTES: usize = 64 << 20;
const QUERY: &str = "data.mercat.eligibility.findings";

/// A policy file: Rego when its name ends in `.rego`, data when it ends in `.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// File name.
    pub name: String,
    /// Text.
    pub text: String,
}

/// Why policies cannot be used, or said nothing that can.
#[derive(Debug, thiserror::Error)]
pub enum EligibilityError {
    /// Too many files.
    #[error("{0} policy files, and at most {FILES_MAX} are read")]
    Files(usize),
    /// A file that is too large.
    #[error("{name}: {bytes} bytes, and at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// File name.
        name: String,
        /// Its bytes.
        bytes: usize,
    },
    /// A file that is neither Rego nor JSON by its name.
    #[error("{0}: a policy file ends in .rego or .json")]
    Kind(String),
    /// A file that does not compile.
    #[error("{name}: {why}")]
    Compile {
        /// File name.
        name: String,
        /// What the compiler said.
        why: String,
    },
    /// A policy whose result would not be the same each time.
    #[error("{0}: rand is not there: the same document must give the same findings")]
    Random(String),
    /// Nothing adds to the set of findings.
    #[error("no rule adds to {QUERY}: begin with `package mercat.eligibility` ({0})")]
    NoFindings(String),
    /// A file of which nothing is asked, as one whose package or rule is misspelt.
    #[error("{0}: no finding comes from it; add to {QUERY}, or use its rules there")]
    Unused(String),
    /// Rules that lead back to themselves.
    #[error(
        "a rule leads back to itself: {0}; rename what only looks like it, and name the packages that are meant where data[...] \
         means all of them"
    )]
    Circle(String),
    /// Brackets inside brackets, which compilers may never come to the end of.
    #[error("{name}: brackets {depth} deep, and at most {DEPTH_MAX} are read")]
    Deep {
        /// File name.
        name: String,
        /// How deep.
        depth: usize,
    },
    /// The document is too large.
    #[error("the document has {0} bytes, and at most {DOCUMENT_BYTES_MAX} are judged")]
    Document(usize),
    /// The evaluation failed or took too long.
    #[error("the evaluation failed: {0}")]
    Evaluation(String),
    /// A result that is no finding.
    #[error("the policy gave {0}")]
    Result(String),
}

/// A finding of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The finding; `info` when it is recorded only.
    pub finding: Finding,
    /// Whether it is recorded only.
    pub shadow: bool,
}

/// Compiled policies.
#[derive(Clone)]
pub struct Eligibility {
    engine: Engine,
    digest: Digest,
    names: Vec<String>,
    own: bool,
}

impl Eligibility {
    /// Compiles policy files. Without a `.rego` file among them, the default policy stands for one.
    ///
    /// # Errors
    /// With the file that cannot be used.
    pub fn load(files: &[PolicyFile]) -> Result<Self, EligibilityError> {
        Self::within(files, Duration::from_secs(EVALUATION_SECS_MAX))
    }

    fn within(files: &[PolicyFile], limit: Duration) -> Result<Self, EligibilityError> {
        if files.len() > FILES_MAX {
            return Err(EligibilityError::Files(files.len()));
        }
        let mut all = files.to_vec();
        if !files.iter().any(|file| file.name.ends_with(".rego")) {
            all.push(PolicyFile { name: DEFAULT_NAME.to_owned(), text: DEFAULT.to_owned() });
        }
        let mut engine = Engine::new();
        // A builtin that fails would otherwise be undefined, and its rule silent.
        engine.set_strict_builtin_errors(true);
        let check_interval = NonZeroU32::new(64).expect("64 is not zero");
        engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval });
        let mut hash = sha2::Sha256::new();
        for file in &all {
            add(&mut engine, file)?;
            for part in [&file.name, &file.text] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        let digest = Digest::from_sha256(&hash.finalize());
        let names = all.iter().map(|file| file.name.clone()).collect();
        let loaded = Self { engine, digest, names, own: !files.is_empty() };
        // A test tries the one that comes with the program.
        if loaded.own { loaded.tried() } else { Ok(loaded) }
    }

    /// Refuses rules that stand on themselves, and such as do not evaluate.
    fn tried(self) -> Result<Self, EligibilityError> {
        let syntax = self.engine.get_ast_as_json();
        let syntax = syntax.map_err(|error| EligibilityError::Evaluation(error.to_string()))?;
        match syntax::check(&syntax) {
            Ok(None) => {}
            Ok(Some(Wrong::Circle(names))) => return Err(EligibilityError::Circle(names.join(" -> "))),
            Ok(Some(Wrong::Unused(file))) => return Err(EligibilityError::Unused(file)),
            Ok(Some(Wrong::Random(file))) => return Err(EligibilityError::Random(file)),
            Err(error) => return Err(EligibilityError::Circle(format!("that cannot be told: {error}"))),
        }
        self.on_its_own_stack(|mut engine| {
            engine.set_input(Value::new_object());
            engine
                .eval_rule(QUERY.to_owned())
                .map_err(|error| EligibilityError::NoFindings(error.to_string()))
        })?;
        Ok(self)
    }

    /// Over every file with its name.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Names of the files.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the operator set any of it.
    pub fn is_of_operator(&self) -> bool {
        self.own
    }

    /// Evaluates the policies over a verdict document and, where there is one, the listing of its offer.
    ///
    /// # Errors
    /// When the evaluation ends in any way but with a set of findings; nothing of it then counts.
    pub fn judge(&self, document: &str, listing: Option<&str>) -> Result<Vec<Found>, EligibilityError> {
        let bytes = document.len() + listing.map_or(0, str::len);
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(EligibilityError::Document(bytes));
        }
        let input = match listing {
            None => format!("{{\"verdict\": {document}}}"),
            Some(listing) => format!("{{\"verdict\": {document}, \"listing\": {listing}}}"),
        };
        let result = self.on_its_own_stack(move |mut engine| {
            let failed =
                |error: &dyn std::fmt::Display| EligibilityError::Evaluation(plain(&error.to_string()));
            engine.set_input(Value::from_json_str(&input).map_err(|error| failed(&error))?);
            let value = engine.eval_rule(QUERY.to_owned()).map_err(|error| failed(&error))?;
            let Ok(set) = value.as_set() else {
                return Err(EligibilityError::Result("something that is no set of findings".to_owned()));
            };
            if set.len() > FINDINGS_MAX {
                return Err(EligibilityError::Result(format!(
                    "{} findings, and at most {FINDINGS_MAX} are taken",
                    set.len()
                )));
            }
            set.iter()
                .map(|one| one.to_json_str().map_err(|error| failed(&error)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        result.iter().map(|text| found(text)).collect()
    }

    /// A deep recursion or a panic of the interpreter ends a thread, not the inspection.
    fn on_its_own_stack<T: Send>(
        &self,
        work: impl FnOnce(Engine) -> Result<T, EligibilityError> + Send,
    ) -> Result<T, EligibilityError> {
        let engine = self.engine.clone();
        std::thread::scope(|scope| {
            let thread =
                std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || work(engine));
            let thread = thread.map_err(|error| EligibilityError::Evaluation(error.to_string()))?;
            thread.join().map_err(|_| EligibilityError::Evaluation("the interpreter panicked".to_owned()))?
        })
    }
}

fn add(engine: &mut Engine, file: &PolicyFile) -> Result<(), EligibilityError> {
    let name = file.name.clone();
    if file.text.len() > FILE_BYTES_MAX {
        return Err(EligibilityError::TooLarge { name, bytes: file.text.len() });
    }
    let compile = |error: &dyn std::fmt::Display| EligibilityError::Compile {
        name: file.name.clone(),
        why: error.to_string().trim().to_owned(),
    };
    if has_long_exponent(&file.text) {
        let why = format!("a number with an exponent of more than {EXPONENT_DIGITS_MAX} digits");
        return Err(EligibilityError::Compile { name, why });
    }
    if file.name.ends_with(".json") {
        let data = Value::from_json_str(&file.text).map_err(|error| compile(&error))?;
        return engine.add_data(data).map_err(|error| compile(&error));
    }
    if !file.name.ends_with(".rego") {
        return Err(EligibilityError::Kind(name));
    }
    let depth = depth(&file.text);
    if depth > DEPTH_MAX {
        return Err(EligibilityError::Deep { name, depth });
    }
    engine.add_policy(name, file.text.clone()).map(|_| ()).map_err(|error| compile(&error))
}

/// The characters of a policy or of JSON outside of texts and comments, of which a blank is left.
fn code(text: &str) -> impl Iterator<Item = char> {
    let mut rest = text.chars();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        match c {
            '#' => while rest.next().is_some_and(|c| c != '\n') {},
            '`' => while rest.next().is_some_and(|c| c != '`') {},
            '"' => {
                while let Some(c) = rest.next().filter(|c| !matches!(c, '"' | '\n')) {
                    if c == '\\' {
                        rest.next();
                    }
                }
            }
            c => return Some(c),
        }
        Some(' ')
    })
}

/// How deep lists and braces stand in each other.
fn depth(text: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for c in code(text) {
        match c {
            '[' | '{' => {
                depth += 1;
                most = most.max(depth);
            }
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Whether a number has an exponent of so many digits that it is written out for ever: numbers have as many as they need.
fn has_long_exponent(text: &str) -> bool {
    let (mut is_number, mut is_word, mut exponent) = (false, false, None);
    for c in code(text) {
        exponent = match (exponent, c) {
            (None, 'e' | 'E') if is_number => Some(0),
            (Some(0), '+' | '-') => Some(0),
            (Some(digits), '0'..='9') => Some(digits + 1),
            _ => None,
        };
        if exponent.is_some_and(|digits| digits > EXPONENT_DIGITS_MAX) {
            return true;
        }
        is_number = c.is_ascii_digit() && !is_word || c == '.' && is_number;
        is_word = c.is_alphabetic() || c == '_' || c.is_ascii_digit() && is_word;
    }
    false
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    rule: String,
    severity: String,
    observed: String,
    required: String,
    fix: String,
    #[serde(default)]
    place: RawPlace,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawPlace {
    plan: String,
    platform: String,
    layer: String,
    path: String,
    file: String,
    package: String,
    field: String,
    line: Option<u32>,
}

fn found(text: &str) -> Result<Found, EligibilityError> {
    let bad = |why: String| EligibilityError::Result(plain(&why));
    let raw: Raw = serde_json::from_str(text).map_err(|error| bad(format!("what is no finding: {error}")))?;
    let rest = raw.rule.strip_prefix(PREFIX).unwrap_or_default();
    let letters = rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    if rest.is_empty() || !letters || raw.rule.len() > RULE_CHARS_MAX {
        let rule: String = raw.rule.chars().take(RULE_CHARS_MAX).collect();
        return Err(bad(format!(
            "the rule {rule:?}: an id is {PREFIX} and then A to Z, 0 to 9 and -, at most {RULE_CHARS_MAX} characters"
        )));
    }
    let shadow = raw.severity == "shadow";
    let severity = match Severity::parse(&raw.severity) {
        _ if shadow => Severity::Info,
        Some(Severity::Inconclusive) | None => {
            let severity: String = raw.severity.chars().take(RULE_CHARS_MAX).collect();
            return Err(bad(format!(
                "the severity {severity:?} for {}; there are error, warning, info and shadow",
                raw.rule
            )));
        }
        Some(severity) => severity,
    };
    let place = Place {
        plan: raw.place.plan,
        platform: raw.place.platform,
        layer: raw.place.layer,
        path: raw.place.path,
        file: raw.place.file,
        package: raw.place.package,
        field: raw.place.field,
        line: raw.place.line.filter(|line| *line > 0),
    };
    let words = [&raw.observed, &raw.required, &raw.fix, &place.path, &place.package, &place.field];
    let more = [&place.plan, &place.platform, &place.layer, &place.file];
    if words.into_iter().chain(more).any(|word| word.chars().count() > WORD_CHARS_MAX) {
        return Err(bad(format!("words of more than {WORD_CHARS_MAX} characters, for {}", raw.rule)));
    }
    let (observed, required, fix) = (raw.observed, raw.required, raw.fix);
    Ok(Found { finding: Finding { rule: raw.rule, severity, place, observed, required, fix }, shadow })
}

#[cfg(test)]
mod tests;
