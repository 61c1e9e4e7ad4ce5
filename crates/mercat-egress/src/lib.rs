//! The one way out.
//!
//! Every request to a URL that a user can influence goes through [`Egress`]: the URL is parsed once, its name is
//! resolved once, every address that comes back must be public, the connection goes to a checked address,
//! redirects are followed only after the same checks, and credentials never follow to another origin. The
//! operator names exceptions as `host:port`; only those may also be plain http.

mod address;
mod body;
mod lookup;

pub use body::{BodyError, body};
pub use lookup::{Lookup, SystemLookup};

use ipnet::IpNet;
use lookup::Checked;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Request, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const REDIRECTS_MAX: usize = 5;
/// Ports at which services speak https, where the operator says nothing else.
pub const PORTS: [u16; 4] = [443, 8443, 5000, 5443];

/// What the operator allows and denies.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `host:port` of places that may be private or plain http.
    pub allow: Vec<String>,
    /// Networks that are public and still not to be reached, for example this server's own.
    pub deny: Vec<IpNet>,
    /// Ports of places that are no exceptions.
    pub ports: Vec<u16>,
    /// How long a name, a connection and its TLS may take together.
    pub connect: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { allow: vec![], deny: vec![], ports: PORTS.to_vec(), connect: Duration::from_secs(10) }
    }
}

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

impl EgressError {
    /// Whether the host's name does not exist, as far as the resolver of this machine knows.
    pub fn is_nameless(&self) -> bool {
        self.comes_of::<std::io::Error>(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether the other side showed a certificate that is not to be trusted, or no TLS at all.
    pub fn is_tls(&self) -> bool {
        self.comes_of::<rustls::Error>(|_| true)
    }

    /// Whether an error of a kind is among the causes of a connection that failed.
    fn comes_of<E: std::error::Error + 'static>(&self, meant: impl Fn(&E) -> bool) -> bool {
        let Self::Unreachable { cause, .. } = self else { return false };
        let mut next: Option<&dyn std::error::Error> = Some(cause);
        while let Some(error) = next {
            if error.downcast_ref::<E>().is_some_and(&meant) {
                return true;
            }
            // The source of an I/O error is that of the error inside, not that error itself.
            next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        false
    }
}

/// The client.
#[derive(Clone)]
pub struct Egress {
    client: reqwest::Client,
    rules: Arc<Rules>,
    lookup: Arc<dyn Lookup>,
}

impl Egress {
    /// A client that may reach public addresses over https, and the operator's exceptions (`host:port`).
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(exceptions: &[String]) -> Result<Self, reqwest::Error> {
        let rules = Rules { allow: exceptions.to_vec(), ..Rules::default() };
        Self::with(rules, Arc::new(SystemLookup))
    }

    /// A client under rules, with a resolver.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with(mut rules: Rules, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        rules.allow.iter_mut().for_each(|exception| exception.make_ascii_lowercase());
        let names = rules.allow.iter().filter_map(|at| at.rsplit_once(':'));
        let exempt = names.map(|(host, _)| host.to_owned()).collect();
        let (connect, rules) = (rules.connect, Arc::new(rules));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(Checked { exempt, rules: rules.clone(), lookup: lookup.clone() }))
            .connect_timeout(connect)
            .read_timeout(Duration::from_secs(30))
            .user_agent(concat!("mercat/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, rules, lookup })
    }

    /// The same rules without the operator's exceptions, for addresses that nobody but customers' browsers needs to reach:
    /// what is told of them must tell nothing of private places.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn public(&self) -> Result<Self, reqwest::Error> {
        let rules = Rules { allow: Vec::new(), ..(*self.rules).clone() };
        Self::with(rules, self.lookup.clone())
    }

    /// The builder for requests; send them by [`Egress::send`].
    pub fn http(&self) -> &reqwest::Client {
        &self.client
    }

    /// Whether the operator made an exception for this host and port.
    pub fn is_exempt(&self, host_and_port: &str) -> bool {
        self.rules.allow.iter().any(|exception| exception == host_and_port)
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
        if self.rules.allow.iter().any(|exception| exception.starts_with(&host)) {
            return deny("only the listed port of this host may be reached");
        }
        let address = match url.host() {
            None => return deny("it names no host"),
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(name)) if is_local_name(name) => return deny("the address is not public"),
            Some(Host::Domain(_)) => None,
        };
        if address.is_some_and(|address| !self.rules.reaches(address)) {
            return deny("the address is not public");
        }
        match url.port_or_known_default() {
            Some(port) if self.rules.ports.contains(&port) => Ok(()),
            _ => deny("the port is not one that is used for https"),
        }
    }

    /// Sends a request and follows nothing: a redirect is an answer.
    ///
    /// # Errors
    /// When the URL is denied or nobody answers.
    pub async fn send_once(&self, request: Request) -> Result<Response, EgressError> {
        self.check(request.url())?;
        let host = host_and_port(request.url());
        // Signatures stand in URLs, and this text is shown.
        let told = |cause: reqwest::Error| EgressError::Unreachable { host, cause: cause.without_url() };
        self.client.execute(request).await.map_err(told)
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
            let (here, there) = (host_and_port(&url), host_and_port(&target));
            if self.is_exempt(&there) && !self.is_exempt(&here) {
                let why = "a redirect from outside does not lead to a host of egress.allow";
                return Err(EgressError::Denied { url: shown(&target), why });
            }
            if target.origin() != url.origin() {
                forget_credentials(next.headers_mut());
            }
            *next.url_mut() = target;
            request = next;
        }
        Err(EgressError::Redirects { host: host_and_port(request.url()) })
    }
}

/// Takes out what proves who asks.
fn forget_credentials(headers: &mut HeaderMap) {
    let secret: Vec<_> =
        headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone()).collect();
    for name in secret.into_iter().chain([AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION]) {
        headers.remove(name);
    }
}

/// Names that stand for this machine or its network by definition (RFC 6761, RFC 6762, RFC 9476).
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or("");
    ["localhost", "local", "internal", "alt"].iter().any(|local| last.eq_ignore_ascii_case(local))
}

/// Host and port as exceptions name them.
pub fn host_and_port(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or(""), url.port_or_known_default().unwrap_or(0))
}

fn shown(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host_and_port(url))
}

#[cfg(test)]
mod tests;
