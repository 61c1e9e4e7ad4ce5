//! YARA rules by `boreal`, compiled once and shared.

use crate::{KnowledgeError, digest_of};
use boreal::scanner::ScanParams;
use boreal::{Compiler, Scanner};
use std::time::Duration;

const BUILT_IN: &str = include_str!("../rules/malware.yar");
const SCAN_TIMEOUT: Duration = Duration::from_secs(30);

/// The rule that fires on the positive control only.
pub(crate) const CANARY_RULE: &str = "mercat_canary";

/// The positive control, assembled at run time.
pub(crate) fn canary() -> Vec<u8> {
    ["MERCAT-YARA", "-CANARY-", "7f3a9c1e"].concat().into_bytes()
}

pub(crate) struct Rules {
    scanner: Scanner,
    digest: String,
}

impl Rules {
    pub(crate) fn compile(extra: &str) -> Result<Self, KnowledgeError> {
        let mut compiler = Compiler::new();
        compiler.add_rules_str(BUILT_IN).map_err(|error| KnowledgeError::Yara(error.to_string()))?;
        if !extra.is_empty() {
            compiler
                .add_rules_str_in_namespace(extra, "operator")
                .map_err(|error| KnowledgeError::Yara(error.to_string()))?;
        }
        let mut scanner = compiler.finalize();
        scanner.set_scan_params(ScanParams::default().timeout_duration(Some(SCAN_TIMEOUT)));
        let digest = digest_of([BUILT_IN, extra].concat().as_bytes()).to_string();
        let rules = Self { scanner, digest };
        // A rule that hits harmless bytes says nothing about those of publishers.
        for harmless in [&b"\n"[..], b"hello, world\n", &canary()[..15]] {
            let mut hit = None;
            let scanned = rules.scan(harmless, |rule| hit = Some(rule.to_owned()));
            scanned.map_err(KnowledgeError::Yara)?;
            if let Some(rule) = hit {
                return Err(KnowledgeError::Yara(format!("rule {rule} hits harmless bytes")));
            }
        }
        Ok(rules)
    }

    /// A scanner that finds nothing, to prove that this is noticed.
    #[cfg(test)]
    pub(crate) fn without_any() -> Self {
        Self { scanner: Compiler::new().finalize(), digest: String::new() }
    }

    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Names of the rules that match. A time-out or failure is an error, never silence.
    pub(crate) fn scan(&self, window: &[u8], mut hit: impl FnMut(&str)) -> Result<(), String> {
        match self.scanner.scan_mem(window) {
            Ok(result) => {
                result.rules.iter().filter(|rule| rule.matched).for_each(|rule| hit(rule.name));
                Ok(())
            }
            Err((error, _)) => Err(error.to_string()),
        }
    }
}
