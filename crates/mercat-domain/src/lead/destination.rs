//! Where a publisher's leads go (domain rules 7.2).

use crate::document::{Fields, text};
use std::fmt;

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret, for whoever proves something with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An account of Azure Table Storage, as its connection string names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAccount {
    /// Name, 3 to 24 of a-z and 0-9.
    pub account: String,
    /// Base64.
    pub key: Secret,
    /// Where the tables are, without a slash at the end.
    pub endpoint: String,
}

impl TableAccount {
    /// Reads a connection string.
    pub fn parse(connection: &str) -> Option<Self> {
        let mut value = [const { None }; 5];
        let names =
            ["DefaultEndpointsProtocol", "AccountName", "AccountKey", "EndpointSuffix", "TableEndpoint"];
        for part in connection.trim().split(';').filter(|part| !part.is_empty()) {
            let (name, text) = part.split_once('=')?;
            if let Some(at) = names.iter().position(|known| known.eq_ignore_ascii_case(name.trim())) {
                value[at] = Some(text.trim());
            }
        }
        let [protocol, account, key, suffix, endpoint] = value;
        let (account, key) = (account?, key?);
        let name = (3..=24).contains(&account.len());
        let plain = account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let coded = (4..=200).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        let protocol = protocol.unwrap_or("https");
        let suffix = suffix.unwrap_or("core.windows.net");
        let host = suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if !name || !plain || !coded || !host || !["http", "https"].contains(&protocol) {
            return None;
        }
        let endpoint =
            endpoint.map_or_else(|| format!("{protocol}://{account}.table.{suffix}"), str::to_owned);
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let url = crate::offer::is_https(&endpoint);
        url.then(|| Self { account: account.to_owned(), key: Secret::new(key), endpoint })
    }
}

/// An application that may write leads into an organisation of Dynamics 365.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dynamics {
    /// The organisation, for example `https://contoso.crm.dynamics.com`.
    pub instance: String,
    /// Directory (tenant) id.
    pub directory: String,
    /// Application (client) id.
    pub application: String,
    /// Client secret.
    pub key: Secret,
}

/// A destination with all that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An endpoint of the publisher's own.
    Https {
        /// Where.
        url: String,
        /// Signs each lead; empty for none.
        secret: Secret,
    },
    /// A row a lead in the table `MarketplaceLeads`.
    Table(TableAccount),
    /// A row of the table `lead` in Dataverse.
    Dynamics(Dynamics),
    /// Web-to-lead.
    Salesforce {
        /// Organisation id, 15 letters and digits.
        organisation: String,
    },
    /// A form of Marketo.
    Marketo {
        /// Host name of the forms.
        server: String,
        /// Munchkin account id.
        munchkin: String,
        /// Form number.
        form: String,
    },
    /// A form of HubSpot.
    HubSpot {
        /// Portal number.
        portal: String,
        /// Form GUID.
        form: String,
    },
    /// Mail to the lead contacts.
    Email,
}

impl Destination {
    /// Where it is, for people: nothing that proves anything.
    pub fn shown(&self) -> String {
        match self {
            // A key may stand in a query.
            Self::Https { url, .. } => url.split(['?', '#']).next().unwrap_or("").to_owned(),
            Self::Table(table) => format!("table {}/MarketplaceLeads", table.endpoint),
            Self::Dynamics(dynamics) => format!("dynamics {}", dynamics.instance),
            Self::Salesforce { organisation } => format!("salesforce {organisation}"),
            Self::Marketo { server, munchkin, form } => format!("marketo {server} {munchkin} form {form}"),
            Self::HubSpot { portal, form } => format!("hubspot {portal} form {form}"),
            Self::Email => "email".to_owned(),
        }
    }

    /// The field that a publisher corrects when the destination refuses.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Https { .. } => "leadHttpsUrl",
            Self::Table(_) => "leadTableConnection",
            Self::Dynamics(_) => "leadDynamicsUrl",
            Self::Salesforce { .. } => "leadSalesforceId",
            Self::Marketo { .. } => "leadMarketoForm",
            Self::HubSpot { .. } => "leadHubspotForm",
            Self::Email => "leadEmails",
        }
    }
}

/// The destination that an offer's fields name; `None` for none. `open` gives the text of a secret field.
///
/// # Errors
/// What `open` gives.
pub fn destination<E>(
    fields: &Fields,
    open: impl Fn(&str) -> Result<String, E>,
) -> Result<Option<Destination>, E> {
    let word = |key: &str| text(fields, key).to_owned();
    Ok(match text(fields, "leadDestination") {
        "https" => {
            Some(Destination::Https { url: word("leadHttpsUrl"), secret: Secret::new(open("leadSecret")?) })
        }
        "table" => TableAccount::parse(&open("leadTableConnection")?).map(Destination::Table),
        "dynamics" => Some(Destination::Dynamics(Dynamics {
            instance: word("leadDynamicsUrl").trim_end_matches('/').to_owned(),
            directory: word("leadDynamicsDirectory"),
            application: word("leadDynamicsApplication"),
            key: Secret::new(open("leadDynamicsKey")?),
        })),
        "salesforce" => Some(Destination::Salesforce { organisation: word("leadSalesforceId") }),
        "marketo" => Some(Destination::Marketo {
            server: word("leadMarketoServer"),
            munchkin: word("leadMarketoMunchkin"),
            form: word("leadMarketoForm"),
        }),
        "hubspot" => {
            Some(Destination::HubSpot { portal: word("leadHubspotPortal"), form: word("leadHubspotForm") })
        }
        "email" => Some(Destination::Email),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_read_and_their_key_is_never_shown() {
        let text = "DefaultEndpointsProtocol=https;AccountName=aurora1;AccountKey=c2VjcmV0LWNhbmFyeQ==;EndpointSuffix=core.windows.net";
        let table = TableAccount::parse(text).expect("a connection");
        assert_eq!(
            (table.endpoint.as_str(), table.key.reveal()),
            ("https://aurora1.table.core.windows.net", "c2VjcmV0LWNhbmFyeQ==")
        );
        assert!(!format!("{table:?}").contains("c2Vj"));
        let local = TableAccount::parse(
            "AccountName=devstore1;AccountKey=eA==;TableEndpoint=http://127.0.0.1:10002/devstore1/",
        );
        assert_eq!(local.expect("a connection").endpoint, "http://127.0.0.1:10002/devstore1");
        for bad in [
            "",
            "AccountName=aurora1",
            "AccountKey=eA==",
            "AccountName=Aurora1;AccountKey=eA==",
            "AccountName=au;AccountKey=eA==",
            "AccountName=aurora1;AccountKey=with blank",
            "AccountName=aurora1;AccountKey=eA==;EndpointSuffix=evil.example/x?",
            "AccountName=aurora1;AccountKey=eA==;DefaultEndpointsProtocol=ftp",
            "AccountName=aurora1;AccountKey=eA==;TableEndpoint=https://user@evil.example",
        ] {
            assert_eq!(TableAccount::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_of_a_destination_holds_no_key() {
        let url = "https://crm.example/in?key=canary".to_owned();
        let https = Destination::Https { url, secret: Secret::new("canary") };
        assert_eq!(https.shown(), "https://crm.example/in");
    }
}
