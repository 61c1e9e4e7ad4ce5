//! Trying the links of a listing, where the policy pack asks for it (LST-08).

use super::Work;
use mercat_certify::Policy;
use mercat_domain::Finding;
use mercat_egress::{Egress, EgressError};
use mercat_listing::{Link, Tried, judge_links, links};
use reqwest::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long a link has, redirects included.
const SECONDS: u64 = 10;
const AT_ONCE: usize = 6;

/// Links on their way; forgotten when the step ends before.
pub(super) struct UnderWay(JoinSet<(usize, Link, Tried)>);

impl UnderWay {
    /// Begins to try the links, beside the inspection.
    pub(super) fn begin(work: &Work<'_>, policy: &Policy) -> Self {
        let mut tasks = JoinSet::new();
        if policy.severity("LST-08").is_some() {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            for (at, link) in links(&work.document).into_iter().enumerate() {
                let (egress, places) = (work.worker.egress.clone(), places.clone());
                tasks.spawn(async move {
                    let _place = places.acquire_owned().await;
                    let came = follow(&egress, &link.url).await;
                    (at, link, came)
                });
            }
        }
        Self(tasks)
    }

    /// What came of them.
    pub(super) async fn findings(self, policy: &Policy) -> Vec<Finding> {
        let mut tried = self.0.join_all().await;
        tried.sort_by_key(|(at, ..)| *at);
        let tried: Vec<(Link, Tried)> = tried.into_iter().map(|(_, link, came)| (link, came)).collect();
        judge_links(&tried, policy)
    }
}

/// Asks for a page, and reads nothing but how it is answered.
async fn follow(egress: &Egress, url: &str) -> Tried {
    let Ok(request) = egress.http().get(url).header(ACCEPT, "text/html,*/*;q=0.5").build() else {
        return Tried::Silent("no address that can be asked".to_owned());
    };
    match tokio::time::timeout(Duration::from_secs(SECONDS), egress.send(request)).await {
        Err(_) => Tried::Silent(format!("no answer within {SECONDS} s")),
        Ok(Err(EgressError::Denied { .. })) => Tried::Untried,
        Ok(Err(error @ EgressError::Redirects { .. })) => Tried::Silent(error.to_string()),
        Ok(Err(error)) if error.is_nameless() => Tried::Silent("the name is not known".to_owned()),
        Ok(Err(error)) if error.is_tls() => Tried::Silent("its certificate is not to be trusted".to_owned()),
        Ok(Err(error)) => Tried::Silent(error.to_string()),
        Ok(Ok(answer)) => {
            let header =
                |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            Tried::of(answer.status().as_u16(), header(CONTENT_TYPE), header(CONTENT_DISPOSITION))
        }
    }
}
