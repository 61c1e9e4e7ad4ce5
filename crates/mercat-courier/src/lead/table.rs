//! Azure Table Storage: a row a lead, in the table `MarketplaceLeads`.
//!
//! Three requests of its REST API (2019-02-02) with Shared Key Lite; the client library for tables of the present SDK
//! exists for other languages only. The row key is the lead's id: a repeat meets the row that is there.

use super::{Answer, LeadFailure, Leads};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use mercat_domain::lead::{Lead, TableAccount};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

const TABLE: &str = "MarketplaceLeads";
const VERSION: &str = "2019-02-02";

impl Leads {
    pub(super) async fn table(
        &self,
        account: &TableAccount,
        lead: &Lead,
        now_secs: i64,
    ) -> Result<String, LeadFailure> {
        let row = row(lead);
        let mut answer = self.to_table(account, TABLE, &row, now_secs).await?;
        if answer.status == 404 && code(&answer) == "TableNotFound" {
            let made = self.to_table(account, "Tables", &json!({ "TableName": TABLE }), now_secs).await?;
            // Somebody else may have made it meanwhile.
            if !made.taken() && made.status != 409 {
                return Err(made.failure(&code(&made)));
            }
            answer = self.to_table(account, TABLE, &row, now_secs).await?;
        }
        match (answer.taken(), code(&answer).as_str()) {
            (true, _) => Ok(format!("HTTP {}", answer.status)),
            (false, "EntityAlreadyExists") => Ok(format!("HTTP {}, it was there", answer.status)),
            (
                false,
                code @ ("AuthenticationFailed" | "AuthorizationFailure" | "InvalidAuthenticationInfo"),
            ) => Err(LeadFailure { code: "lead.auth", ..answer.failure(code) }),
            (false, code) => Err(answer.failure(code)),
        }
    }

    async fn to_table(
        &self,
        account: &TableAccount,
        path: &str,
        body: &Value,
        now_secs: i64,
    ) -> Result<Answer, LeadFailure> {
        let url = format!("{}/{path}", account.endpoint);
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now_secs.max(0).unsigned_abs()));
        let resource = Url::parse(&url).map(|url| url.path().to_owned()).unwrap_or_default();
        let text = format!("{date}\n/{}{resource}", account.account);
        let key = STANDARD.decode(account.key.reveal()).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)
            .map_err(|_| LeadFailure::new("lead.auth", "the account key cannot be used"))?;
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let request = self
            .post(&url)?
            .header("x-ms-date", date)
            .header("x-ms-version", VERSION)
            .header("authorization", format!("SharedKeyLite {}:{signature}", account.account))
            .header("accept", "application/json;odata=nometadata")
            .header("prefer", "return-no-content")
            .header("content-type", "application/json")
            .body(body.to_string());
        self.send(request).await
    }
}

fn row(lead: &Lead) -> Value {
    let person = &lead.person;
    json!({
        "PartitionKey": format!("{}.{}", lead.publisher, lead.offer), "RowKey": lead.id,
        "FirstName": person.first_name, "LastName": person.last_name, "Email": person.email,
        "Phone": person.phone, "Country": person.country, "Company": person.company, "Title": person.title,
        "LeadSource": lead.source(), "ActionCode": lead.kind.action(), "OfferTitle": lead.offer_title,
        "PublisherId": lead.publisher, "OfferId": lead.offer, "PlanId": lead.plan,
        "Environment": lead.environment, "CreatedTime": lead.created_at, "Description": lead.description,
    })
}

/// The code of an error document, `odata.error` in JSON, or of its header.
fn code(answer: &Answer) -> String {
    let json = answer.json();
    let code = json.pointer("/odata.error/code").or_else(|| json.pointer("/error/code"));
    code.and_then(Value::as_str).unwrap_or(&answer.error_code).to_owned()
}
