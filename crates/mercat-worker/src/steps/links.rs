//! Trying the links of a listing, where the policy pack asks for it (LST-08).

use super::Work;
use futures::StreamExt as _;
use mercat_certify::Policy;
use mercat_domain::Finding;
use mercat_egress::{Egress, EgressError};
use mercat_listing::{Link, Tried, judge_links, links};
use reqwest::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::time::Duration;

/// How long a link has, redirects included.
const SECONDS: u64 = 10;
const AT_ONCE: usize = 6;

/// What is wrong with the links of the listing.
pub(super) async fn findings(work: &Work<'_>, policy: &Policy) -> Vec<Finding> {
    if !policy.asks_for("LST-08") {
        return Vec::new();
    }
    // Whoever writes a listing must not learn what answers where only this server may go.
    let egress = match work.worker.egress.public() {
        Ok(egress) => egress,
        Err(error) => {
            tracing::warn!("links are not tried: {error}");
            return Vec::new();
        }
    };
    let found = links(&work.document);
    let tried = futures::stream::iter(found.tried).map(|link| {
        let egress = &egress;
        async move {
            let came = follow(egress, &link.url).await;
            (link, came)
        }
    });
    let tried: Vec<(Link, Tried)> = tried.buffered(AT_ONCE).collect().await;
    judge_links(&tried, found.left, policy)
}

/// Asks for a page, and reads nothing but how it is answered.
async fn follow(egress: &Egress, url: &str) -> Tried {
    let Ok(request) = egress.http().get(url).header(ACCEPT, "text/html,*/*;q=0.5").build() else {
        return Tried::Silent("no address that can be asked".to_owned());
    };
    match tokio::time::timeout(Duration::from_secs(SECONDS), egress.send(request)).await {
        Err(_) | Ok(Err(EgressError::Denied { .. } | EgressError::Redirects { .. })) => Tried::Untried,
        Ok(Err(error)) if error.is_tls() => Tried::Silent("its certificate is not to be trusted".to_owned()),
        // The same words for a name that nobody knows and for one of a place that is not public: which it is is for
        // whoever runs this server.
        Ok(Err(EgressError::Unreachable { .. })) => Tried::Silent("nobody answers".to_owned()),
        Ok(Ok(answer)) => {
            let header =
                |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            Tried::of(answer.status().as_u16(), header(CONTENT_TYPE), header(CONTENT_DISPOSITION))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers every request with these lines; its `host:port`.
    async fn answers(head: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket
                    .write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n").as_bytes())
                    .await;
            }
        });
        address
    }

    #[tokio::test]
    async fn answers_are_read_and_private_places_are_left_alone() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let page = answers("200 OK\r\ncontent-type: text/html").await;
        let gone = answers("404 Not Found").await;
        let file = answers("200 OK\r\ncontent-type: text/html\r\ncontent-disposition: attachment").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nobody = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let exempt = [page.clone(), gone.clone(), file.clone(), nobody.clone()];
        let egress = Egress::new(&exempt).expect("a client");
        let came = async |egress: &Egress, at: &str| follow(egress, &format!("http://{at}/x")).await;
        assert_eq!(came(&egress, &page).await, Tried::Leads);
        assert_eq!(came(&egress, &gone).await, Tried::Broken(404));
        assert_eq!(came(&egress, &file).await, Tried::Downloads("text/html".to_owned()));
        assert_eq!(came(&egress, &nobody).await, Tried::Silent("nobody answers".to_owned()));
        assert_eq!(follow(&egress, "http://10.1.2.3/").await, Tried::Untried);
        // What the operator made an exception for is not to be probed.
        let public = egress.public().expect("a client");
        for at in exempt {
            assert_eq!(came(&public, &at).await, Tried::Untried);
        }
    }
}
