//! A page of its own: no script, nothing fetched, readable by keyboard and screen reader, on paper and in the dark.

use crate::{Report, place};
use askama::Template;
use mercat_domain::Finding;
use mercat_domain::finding::Place;
use mercat_domain::plain::plain;
use mercat_text::Locale;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    locale: Locale,
    reports: &'a [Report],
}

/// The page over all reports.
pub fn html(reports: &[Report], locale: Locale) -> String {
    Page { locale, reports }.render().expect("a template over plain data, written to memory")
}

impl Page<'_> {
    fn t(&self, key: &str) -> String {
        mercat_text::text(self.locale, key, &[])
    }

    fn lang(&self) -> &'static str {
        self.locale.code()
    }

    fn plain(&self, text: &str) -> String {
        plain(text)
    }

    /// What the report is of; a digest tells people nothing, and stands below.
    fn heading(&self, report: &Report) -> String {
        match (report.name.starts_with("sha256:"), &report.disk) {
            (false, _) => plain(&report.name),
            (true, None) => self.t("report-of-image"),
            (true, Some(_)) => self.t("report-of-disk"),
        }
    }

    fn outcome(&self, report: &Report) -> String {
        self.t(&format!("report-outcome-{}", report.outcome.name()))
    }

    fn weight(&self, report: &Report, finding: &Finding) -> String {
        self.t(&format!("report-{}", report.weight(finding)))
    }

    fn rule(&self, id: &str) -> String {
        mercat_text::rule(self.locale, id)
    }

    fn observed(&self, text: &str) -> String {
        plain(&mercat_text::observed(self.locale, text))
    }

    fn required(&self, finding: &Finding) -> String {
        plain(&mercat_text::required(self.locale, &finding.rule, &finding.required))
    }

    fn fix(&self, finding: &Finding) -> String {
        plain(&mercat_text::remedy(self.locale, &finding.rule, &finding.fix))
    }

    fn check_title(&self, check: &crate::Check) -> String {
        check.shown_title(self.locale)
    }

    fn check_required(&self, check: &crate::Check) -> String {
        plain(&mercat_text::required(self.locale, &check.rule, &check.required))
    }

    /// Places one below the other; what is in the same layer as the one above it does not name it again.
    fn places(&self, group: &[&Finding]) -> Vec<String> {
        let layer = |finding: &Finding| {
            let Place { plan, platform, layer, .. } = &finding.place;
            let known = [plan, platform, layer].into_iter().filter(|part| !part.is_empty());
            known.map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        let mut above = None;
        let told = group.iter().map(|finding| {
            let (whole, layer) = (place(finding), layer(finding));
            let rest = whole.strip_prefix(&layer).map(str::trim_start).filter(|rest| !rest.is_empty());
            let again = above.replace(layer.clone()) == Some(layer);
            plain(rest.filter(|_| again).unwrap_or(&whole))
        });
        told.filter(|place| !place.is_empty()).collect()
    }

    /// A result of a check: a word of its own, or the word of a severity.
    fn result(&self, result: &str) -> String {
        if crate::has_word(result) { self.t(&format!("report-{result}")) } else { plain(result) }
    }

    fn files(&self, image: &crate::Image) -> u64 {
        image.layers.iter().map(|layer| layer.files).sum()
    }

    fn packed_bytes(&self, image: &crate::Image) -> u64 {
        image.layers.iter().map(|layer| layer.packed_bytes).sum()
    }
}
