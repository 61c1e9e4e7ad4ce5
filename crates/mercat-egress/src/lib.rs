//! The one way out.
//!
//! Every request to a URL that a user can influence goes through [`Egress`]: the
//! URL is parsed once, every address that its host resolves to must be public, the
//! connection goes to a checked address, redirects are followed only after the
//! same checks, and credentials never follow to another host. The operator names
//! exceptions as `host:port`; only those may also be plain http.

mod address;

use address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, LOCATION};
use reqwest::{Request, Response};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const REDIRECTS_MAX: usize = 5;

/// Why a request was not made or not answered.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The rules of this server do not allow it.
    #[error("{url} is not allowed: {why}")]
    Denied {
        /// Scheme, host and port only.
        url: String,
        /// Which rule.
        why: &'static str,
    },
    /// No connection, no TLS, or no answer in time.
    #[error("{host} does not answer")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened.
        #[source]
        cause: reqwest::Error,
    },
    /// More redirects than are followed.
    #[error("{host} redirects in circles")]
    Redirects {
        /// Host and port.
        host: String,
    },
}

/// The client.
#[derive(Clone)]
pub struct Egress {
    client: reqwest::Client,
    allowed: Arc<BTreeSet<String>>,
}

struct Checked {
    hosts: BTreeSet<String>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let exempt = self.hosts.contains(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // One private address among public ones is enough: the answer is not to be trusted.
            if !exempt && found.iter().any(|address| !is_public(address.ip())) {
                return Err("the name resolves to an address that is not public".into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Egress {
    /// A client that may reach public addresses over https, and the operator's exceptions (`host:port`).
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(exceptions: &[String]) -> Result<Self, reqwest::Error> {
        let hosts =
            exceptions.iter().filter_map(|at| at.rsplit_once(':')).map(|(host, _)| host.to_owned()).collect();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Checked { hosts }))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30))
            .user_agent(concat!("mercat/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, allowed: Arc::new(exceptions.iter().cloned().collect()) })
    }

    /// The builder for requests; send them by [`Egress::send`].
    pub fn http(&self) -> &reqwest::Client {
        &self.client
    }

    /// Whether the operator made an exception for this host and port.
    pub fn is_exempt(&self, host_and_port: &str) -> bool {
        self.allowed.contains(host_and_port)
    }

    /// `http` for the operator's exceptions, else `https`.
    pub fn scheme(&self, host_and_port: &str) -> &'static str {
        if self.is_exempt(host_and_port) { "http" } else { "https" }
    }

    /// Checks a URL without asking anybody.
    ///
    /// # Errors
    /// [`EgressError::Denied`] with the rule.
    pub fn check(&self, url: &Url) -> Result<(), EgressError> {
        let deny = |why| Err(EgressError::Denied { url: shown(url), why });
        let exempt = self.is_exempt(&host_and_port(url));
        match url.scheme() {
            "https" => {}
            "http" if exempt => {}
            "http" => return deny("plain http is for hosts that the operator lists in egress.allow"),
            _ => return deny("only https is used"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return deny("credentials do not belong into a URL");
        }
        if exempt {
            return Ok(());
        }
        let host = format!("{}:", url.host_str().unwrap_or(""));
        if self.allowed.iter().any(|exception| exception.starts_with(&host)) {
            return deny("only the listed port of this host may be reached");
        }
        match url.host() {
            None => return deny("it names no host"),
            Some(Host::Ipv4(ip)) if !is_public(IpAddr::V4(ip)) => return deny("the address is not public"),
            Some(Host::Ipv6(ip)) if !is_public(IpAddr::V6(ip)) => return deny("the address is not public"),
            Some(Host::Domain(name)) if name.trim_end_matches('.').eq_ignore_ascii_case("localhost") => {
                return deny("the address is not public");
            }
            Some(_) => {}
        }
        match url.port_or_known_default() {
            Some(443 | 8443 | 5000 | 5443) => Ok(()),
            _ => deny("the port is not one that is used for https"),
        }
    }

    /// Sends a request and follows nothing: a redirect is an answer.
    ///
    /// # Errors
    /// When the URL is denied or nobody answers.
    pub async fn send_once(&self, request: Request) -> Result<Response, EgressError> {
        self.check(request.url())?;
        let url = request.url().clone();
        self.client.execute(request).await.map_err(|cause| EgressError::Unreachable {
            host: host_and_port(&url),
            // Signatures stand in URLs, and this text is shown.
            cause: cause.without_url(),
        })
    }

    /// Sends a request; follows redirects of GET and HEAD after checking each.
    ///
    /// # Errors
    /// When a URL is denied or nobody answers.
    pub async fn send(&self, request: Request) -> Result<Response, EgressError> {
        let mut request = request;
        for _ in 0..=REDIRECTS_MAX {
            let again = request.try_clone();
            let url = request.url().clone();
            let answer = self.send_once(request).await?;
            let follows = matches!(again.as_ref().map(|r| r.method().as_str()), Some("GET" | "HEAD"));
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let (true, true, Some(location), Some(mut next)) =
                (answer.status().is_redirection(), follows, location, again)
            else {
                return Ok(answer);
            };
            let Ok(target) = url.join(location) else { return Ok(answer) };
            if host_and_port(&target) != host_and_port(&url) {
                next.headers_mut().remove(AUTHORIZATION);
            }
            *next.url_mut() = target;
            request = next;
        }
        Err(EgressError::Redirects { host: host_and_port(request.url()) })
    }
}

/// Host and port as exceptions name them.
pub fn host_and_port(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or(""), url.port_or_known_default().unwrap_or(0))
}

fn shown(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host_and_port(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(exceptions: &[&str]) -> Egress {
        let _ = rustls_for_tests();
        Egress::new(&exceptions.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("builds")
    }

    fn rustls_for_tests() -> Result<(), ()> {
        rustls::crypto::ring::default_provider().install_default().map_err(|_| ())
    }

    #[test]
    fn only_public_https_passes_unless_the_operator_says_so() {
        let open = egress(&["127.0.0.1:5000", "registry.test:5000"]);
        let allowed = |url: &str| open.check(&Url::parse(url).expect("a URL")).is_ok();
        for good in [
            "https://example.org/x",
            "https://8.8.8.8/",
            "http://127.0.0.1:5000/v2/",
            "http://registry.test:5000/",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "http://example.org/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://localhost./",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://user@example.org/",
            "https://user:pass@example.org/",
            "https://example.org:22/",
            "https://127.0.0.1:5001/",
            "ftp://example.org/",
            "file:///etc/passwd",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_reached() {
        let egress = egress(&[]);
        let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let name = if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() };
        let url = format!("https://{name}/");
        let request = egress.http().get(&url).build().expect("builds");
        assert!(egress.send(request).await.is_err());
    }
}
