//! Dynamics 365: a row of the table `lead` by the Web API of Dataverse, as an application (client credentials).
//!
//! The row's id is made from the lead's, and the request creates or does nothing (`If-None-Match: *`): a repeat is
//! answered 412 and is the same row.

use super::{Answer, LeadFailure, Leads};
use mercat_domain::lead::{Dynamics, Lead};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

impl Leads {
    pub(super) async fn dynamics(&self, dynamics: &Dynamics, lead: &Lead) -> Result<String, LeadFailure> {
        let token = self.application_token(dynamics).await?;
        let person = &lead.person;
        let row = json!({
            "subject": format!("{} ({})", lead.offer_title, lead.source()),
            "firstname": person.first_name, "lastname": person.last_name, "emailaddress1": person.email,
            "telephone1": person.phone, "address1_country": person.country, "companyname": person.company,
            "jobtitle": person.title, "description": format!("{}\n{}", lead.description, lead.id),
        });
        let url = format!("{}/api/data/v9.2/leads({})", dynamics.instance, guid(&lead.id));
        let request = self
            .request(Method::PATCH, &url)?
            .bearer_auth(token)
            .header("if-none-match", "*")
            .header("odata-maxversion", "4.0")
            .header("odata-version", "4.0")
            .header("content-type", "application/json")
            .body(row.to_string());
        let answer = self.send(request).await?;
        match answer.status {
            200..=299 => Ok(format!("HTTP {}", answer.status)),
            412 => Ok("HTTP 412, it was there".to_owned()),
            _ => Err(refused(&answer)),
        }
    }

    async fn application_token(&self, dynamics: &Dynamics) -> Result<String, LeadFailure> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.services.authority, dynamics.directory);
        let scope = format!("{}/.default", dynamics.instance);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &dynamics.application),
            ("client_secret", dynamics.key.reveal()),
            ("scope", &scope),
        ];
        let answer = self.send(self.post(&url)?.form(&form)).await?;
        let json = answer.json();
        if let (true, Some(token)) = (answer.taken(), json.get("access_token").and_then(Value::as_str)) {
            return Ok(token.to_owned());
        }
        // The first of `error_codes` is the number behind AADSTS in the text.
        let number = json.pointer("/error_codes/0").and_then(Value::as_u64).unwrap_or(0);
        let class = match number {
            90002 | 900_021 | 900_023 => "lead.not_found",
            0 if answer.status >= 500 => return Err(answer.failure("")),
            // 700016 unknown application, 7000215 wrong secret, 7000222 lapsed secret, and all others.
            _ => "lead.auth",
        };
        let code = if number > 0 { format!("AADSTS{number}") } else { String::new() };
        Err(LeadFailure { code: class, about_the_lead: false, ..answer.failure(&code) })
    }
}

fn refused(answer: &Answer) -> LeadFailure {
    let json = answer.json();
    let code = json.pointer("/error/code").and_then(Value::as_str).unwrap_or("");
    let class = match code {
        // No privilege for a table or an attribute; no role at all.
        "0x80040220" | "0x80048306" | "0x8004f509" | "0x80042f09" => Some("lead.permission"),
        "0x80072560" | "0x80041d1f" => Some("lead.auth"),
        "0x80060888" | "0x80040217" => Some("lead.not_found"),
        _ => None,
    };
    let failure = answer.failure(code);
    LeadFailure {
        code: class.unwrap_or(failure.code),
        about_the_lead: failure.about_the_lead && class.is_none(),
        ..failure
    }
}

/// A GUID of version 8 (RFC 9562) from a lead's id.
fn guid(id: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex: String = bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guid_is_always_the_same_and_well_formed() {
        let guid = super::guid("lead-1");
        assert!(mercat_domain::ids::is_guid(&guid), "{guid}");
        assert_eq!(guid, super::guid("lead-1"));
        assert_ne!(guid, super::guid("lead-2"));
        assert_eq!(&guid[14..15], "8");
    }
}
