//! SMTP by `lettre`. A repeated sending carries the same Message-ID.

use crate::Rendered;
use lettre::message::dkim::DkimConfig;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Deserialize;
use std::time::Duration;

mod dkim;

pub use dkim::DkimSettings;

/// How mail leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Sender, `Name <address>` or an address.
    pub from: String,
    /// `starttls`, `tls` or `none`; `none` is for a relay on the same machine.
    #[serde(default = "starttls")]
    pub security: String,
    /// User name.
    #[serde(default)]
    pub username: String,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<std::path::PathBuf>,
    /// Mails are signed, where the relay does not do it.
    #[serde(default)]
    pub dkim: Option<DkimSettings>,
}

fn starttls() -> String {
    "starttls".to_owned()
}

/// Why a mail did not leave; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The settings cannot be used.
    #[error("smtp settings: {0}")]
    Config(String),
    /// An address or header is not valid.
    #[error("the mail cannot be written: {0}")]
    Message(String),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Server(String),
}

/// Nobody answers these mails by machine (RFC 3834): no loops.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Sends mails.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    signer: Option<DkimConfig>,
}

impl Mailer {
    /// A mailer for the settings.
    ///
    /// # Errors
    /// [`MailError::Config`] with the setting that is wrong.
    pub fn new(config: &SmtpConfig) -> Result<Self, MailError> {
        let bad = |what: String| MailError::Config(what);
        let from: Mailbox =
            config.from.parse().map_err(|error| bad(format!("from {:?}: {error}", config.from)))?;
        let builder = match config.security.as_str() {
            "starttls" => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&config.host),
            "tls" => AsyncSmtpTransport::<Tokio1Executor>::relay(&config.host),
            "none" => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)),
            other => return Err(bad(format!("security {other:?}: use starttls, tls or none"))),
        };
        let mut builder = builder.map_err(|error| bad(error.to_string()))?;
        builder = builder.port(config.port).timeout(Some(Duration::from_secs(30)));
        if let Some(file) = &config.password_file {
            let password =
                std::fs::read_to_string(file).map_err(|e| bad(format!("{}: {e}", file.display())))?;
            builder =
                builder.credentials(Credentials::new(config.username.clone(), password.trim().to_owned()));
        }
        let signer = config.dkim.as_ref().map(|settings| dkim::signer(settings, &from)).transpose()?;
        Ok(Self { transport: builder.build(), from, signer })
    }

    /// Whether the server answers and takes the sign-in, as for a mail.
    ///
    /// # Errors
    /// What it answered instead.
    pub async fn greet(&self) -> Result<(), MailError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(MailError::Server("it ended the conversation".to_owned())),
            Err(error) => Err(MailError::Server(error.to_string())),
        }
    }

    /// Hands a mail to the server.
    ///
    /// # Errors
    /// When it cannot be written or was not taken.
    pub async fn send(&self, mail: &Rendered, to: &[String], message_id: &str) -> Result<(), MailError> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(mail.subject.clone())
            .header(AutoSubmitted)
            .message_id(Some(format!("<{message_id}>")));
        for address in to {
            let wrong = || MailError::Message("an address".to_owned());
            // The parser would leave some of them out, and somebody else would get the mail.
            if address.chars().any(char::is_control) {
                return Err(wrong());
            }
            let mailbox: Mailbox = address.parse().map_err(|_| wrong())?;
            builder = builder.to(mailbox);
        }
        let mut message = builder
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| MailError::Message(error.to_string()))?;
        if let Some(signer) = &self.signer {
            message.sign(signer);
        }
        self.transport.send(message).await.map(|_| ()).map_err(|error| MailError::Server(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
