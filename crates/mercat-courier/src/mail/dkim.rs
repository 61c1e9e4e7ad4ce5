//! Signatures of a domain under its mails: DKIM (RFC 6376), with RSA or Ed25519 keys (RFC 8463).

use super::MailError;
use lettre::message::Mailbox;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;
use pkcs8::der::pem::LineEnding;
use pkcs8::{ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use serde::Deserialize;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// The label of a key that says nothing but that it is one for RSA (PKCS #1).
const RSA_LABEL: &str = "RSA PRIVATE KEY";

/// How mails are signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimSettings {
    /// The domain that signs: the sender's, or one above it.
    pub domain: String,
    /// The name of the key: its public half is the record `SELECTOR._domainkey.DOMAIN`.
    pub selector: String,
    /// PEM file with the private key: RSA (PKCS #1 or #8) or Ed25519 (PKCS #8).
    pub key_file: std::path::PathBuf,
}

/// Reads the key and says how mails are signed.
///
/// # Errors
/// [`MailError::Config`] with the setting that is wrong.
pub(super) fn signer(settings: &DkimSettings, from: &Mailbox) -> Result<DkimConfig, MailError> {
    let DkimSettings { domain, selector, key_file } = settings;
    let bad = |what: String| MailError::Config(format!("dkim: {what}"));
    let sender = from.email.domain().to_ascii_lowercase();
    if sender != domain.to_ascii_lowercase()
        && !sender.ends_with(&format!(".{}", domain.to_ascii_lowercase()))
    {
        // Receivers that ask for DMARC (RFC 7489, section 3.1) would not count the signature.
        return Err(bad(format!(
            "domain {domain:?} does not sign for {sender:?}: use the domain of `from`, or one above it"
        )));
    }
    let name = |text: &str| {
        text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
    };
    if !name(selector) || !name(domain) {
        return Err(bad(format!("{selector:?} and {domain:?} must be names of letters, digits and hyphens")));
    }
    let text = std::fs::read_to_string(key_file).map_err(|e| bad(format!("{}: {e}", key_file.display())))?;
    let key = key(&text).map_err(|why| {
        bad(format!(
            "{}: {why}; make one with: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048",
            key_file.display()
        ))
    })?;
    // Content-Type is not among the headers that the library sees when it signs.
    let signed = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted"];
    Ok(DkimConfig::new(
        selector.clone(),
        domain.clone(),
        key,
        signed.map(HeaderName::new_from_ascii_str).to_vec(),
        // Relays may fold lines anew.
        DkimCanonicalization {
            header: DkimCanonicalizationType::Relaxed,
            body: DkimCanonicalizationType::Relaxed,
        },
    ))
}

fn key(text: &str) -> Result<DkimSigningKey, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("no private key in PEM: {error}");
    let (label, document) = SecretDocument::from_pem(text).map_err(|error| wrong(&error))?;
    if label == RSA_LABEL {
        return DkimSigningKey::new(text, DkimSigningAlgorithm::Rsa).map_err(|error| wrong(&error));
    }
    let info = PrivateKeyInfo::try_from(document.as_bytes()).map_err(|error| wrong(&error))?;
    if info.algorithm.oid == RSA {
        let inner = pkcs8::der::pem::encode_string(RSA_LABEL, LineEnding::LF, info.private_key)
            .map_err(|error| wrong(&error))?;
        DkimSigningKey::new(&inner, DkimSigningAlgorithm::Rsa).map_err(|error| wrong(&error))
    } else if info.algorithm.oid == ED25519 {
        // An octet string of 32 bytes inside an octet string (RFC 8410, section 7).
        let [4, 32, seed @ ..] = info.private_key else { return Err(wrong(&"32 bytes are missing")) };
        let seed = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, seed);
        DkimSigningKey::new(&seed, DkimSigningAlgorithm::Ed25519).map_err(|error| wrong(&error))
    } else {
        Err(format!("a key of kind {}, where RSA or Ed25519 is needed", info.algorithm.oid))
    }
}
