//! Names to addresses: asked once a connection, every address of the answer checked.

use crate::Rules;
use crate::address::is_public;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Addresses of one name that are looked at; an answer with more is not one of a service.
const ADDRESSES_MAX: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for the addresses of a name.
pub trait Lookup: Send + Sync + 'static {
    /// Every address of a host name.
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map_err(nameless)?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Tells a name that does not exist (`EAI_NONAME`, `EAI_NODATA`) apart from resolvers that do not answer; the standard
/// library says so in words only, those of glibc and of musl.
fn nameless(error: io::Error) -> io::Error {
    let text = error.to_string();
    let words = ["Name or service not known", "No address associated with hostname", "Name does not resolve"];
    match words.iter().any(|words| text.contains(words)) {
        true => io::Error::new(io::ErrorKind::NotFound, "there is no host of this name"),
        false => error,
    }
}

/// Gives the connector nothing but checked addresses: what was checked is what is connected to.
pub(crate) struct Checked {
    /// Host names of the operator's exceptions.
    pub(crate) exempt: BTreeSet<String>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let exempt = self.exempt.contains(&host);
        let rules = self.rules.clone();
        let answer = self.lookup.lookup(host);
        Box::pin(async move {
            let found =
                tokio::time::timeout(PATIENCE, answer).await.map_err(|_| "the name is not answered")??;
            if found.len() > ADDRESSES_MAX {
                return Err("the name has more addresses than a service has".into());
            }
            // One private address among public ones is enough: the answer is not to be trusted.
            if !exempt && found.iter().any(|address| !rules.reaches(*address)) {
                return Err("the name resolves to an address that is not public".into());
            }
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

impl Rules {
    /// Whether an address may be reached that is no exception.
    pub(crate) fn reaches(&self, address: IpAddr) -> bool {
        is_public(address) && !self.deny.iter().any(|network| network.contains(&address))
    }
}
