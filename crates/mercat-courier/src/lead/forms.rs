//! Destinations that take a form, as a browser would send it: Salesforce, Marketo, HubSpot.
//!
//! None of them knows an idempotency key. What they hold about one person they keep by address, so a repeat after
//! a lost answer is one record there; the lead's id stands in the description.

use super::{LeadFailure, Leads};
use mercat_domain::lead::Lead;
use serde_json::{Value, json};

impl Leads {
    /// Web-to-lead. Salesforce answers 200 to everything; what it made of it stands in `Is-Processed`.
    pub(super) async fn salesforce(&self, organisation: &str, lead: &Lead) -> Result<String, LeadFailure> {
        let url = format!("{}/servlet/servlet.WebToLead?encoding=UTF-8", self.services.salesforce);
        let (person, source, description) = (&lead.person, lead.source(), described(lead));
        let form = [
            ("oid", organisation),
            ("first_name", &person.first_name),
            ("last_name", &person.last_name),
            ("email", &person.email),
            ("phone", &person.phone),
            ("country", &person.country),
            ("company", &person.company),
            ("title", &person.title),
            ("lead_source", &source),
            ("description", &description),
        ];
        let answer = self.send(self.post(&url)?.form(&form)).await?;
        let dropped = answer.processed.contains("Exception") || answer.processed.starts_with("false");
        match (answer.taken(), dropped) {
            (true, false) => Ok(format!("HTTP {}", answer.status)),
            (true, true) => {
                let mut failure =
                    LeadFailure::new("lead.rejected", "it was not processed: is a field of it mandatory?");
                failure.about_the_lead = true;
                Err(failure)
            }
            (false, _) => Err(answer.failure("")),
        }
    }

    /// A form of Marketo.
    pub(super) async fn marketo(
        &self,
        server: &str,
        munchkin: &str,
        form: &str,
        lead: &Lead,
    ) -> Result<String, LeadFailure> {
        let url = format!("{}://{server}/index.php/leadCapture/save2", self.scheme(server));
        let (person, source, description) = (&lead.person, lead.source(), described(lead));
        let form = [
            ("formid", form),
            ("munchkinId", munchkin),
            ("FirstName", &person.first_name),
            ("LastName", &person.last_name),
            ("Email", &person.email),
            ("Phone", &person.phone),
            ("Country", &person.country),
            ("Company", &person.company),
            ("Title", &person.title),
            ("LeadSource", &source),
            ("Description", &description),
        ];
        let answer = self.send(self.post(&url)?.form(&form)).await?;
        let json = answer.json();
        let error = json.get("error").is_some_and(|error| *error != Value::Bool(false));
        match answer.taken() && !error {
            true => Ok(format!("HTTP {}", answer.status)),
            false => {
                let code = json.get("errorType").and_then(Value::as_str).unwrap_or("");
                let failure = answer.failure(code);
                let class = if answer.taken() { "lead.rejected" } else { failure.code };
                Err(LeadFailure { code: class, about_the_lead: true, ..failure })
            }
        }
    }

    /// A form of HubSpot (Forms API v3, without sign-in).
    pub(super) async fn hubspot(&self, portal: &str, form: &str, lead: &Lead) -> Result<String, LeadFailure> {
        let url = format!("{}/submissions/v3/integration/submit/{portal}/{form}", self.services.hubspot);
        let (person, source, description) = (&lead.person, lead.source(), described(lead));
        let fields = [
            ("firstname", &person.first_name),
            ("lastname", &person.last_name),
            ("email", &person.email),
            ("phone", &person.phone),
            ("country", &person.country),
            ("company", &person.company),
            ("jobtitle", &person.title),
            ("lead_source", &source),
            ("message", &description),
        ];
        let fields: Vec<Value> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| json!({"objectTypeId": "0-1", "name": name, "value": value}))
            .collect();
        let body = json!({
            "submittedAt": lead.created, "fields": fields,
            "context": {"pageName": lead.offer_title},
        });
        let request = self.post(&url)?.header("content-type", "application/json").body(body.to_string());
        let answer = self.send(request).await?;
        match answer.taken() {
            true => Ok(format!("HTTP {}", answer.status)),
            false => {
                let json = answer.json();
                Err(answer.failure(json.pointer("/errors/0/errorType").and_then(Value::as_str).unwrap_or("")))
            }
        }
    }
}

fn described(lead: &Lead) -> String {
    format!("{} [{} {} {}]", lead.description, lead.id, lead.environment, lead.kind.name()).trim().to_owned()
}
