//! The table of routes: method, path, what is needed, and one sentence; and the API document made from it.

mod openapi;

pub use openapi::document;

use mercat_domain::access::Action;

/// What a route is about, for the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The market.
    Market,
    /// The publisher in the path.
    Publisher,
    /// A listing; the handler asks for the one that it found.
    Listing,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// What the caller must be allowed to do.
    pub action: Action,
    /// To what.
    pub about: About,
    /// One sentence, for the API document.
    pub summary: &'static str,
    /// Name of the request body's schema, or empty.
    pub body: &'static str,
    /// Status of success.
    pub success: u16,
}

const fn route(
    method: &'static str,
    path: &'static str,
    action: Action,
    about: About,
    summary: &'static str,
) -> Route {
    Route { method, path, action, about, summary, body: "", success: 200 }
}

const fn with(mut route: Route, body: &'static str, success: u16) -> Route {
    route.body = body;
    route.success = success;
    route
}

use About::{Listing, Market, Publisher};
use Action::{
    AskSupport, Deploy, EditOffers, GoLive, ManageAccount, ManageLeads, ManageMembers, ManageWebhooks,
    Operate, Publish, ReadLeads, ReadOffers, SeePublic, UseAccount, UseListing,
};

const OFFER: &str = "/api/v1/publishers/{publisher}/offers/{offer}";

macro_rules! offer {
    ($tail:literal) => {
        concat!("/api/v1/publishers/{publisher}/offers/{offer}", $tail)
    };
}

macro_rules! portal {
    ($tail:literal) => {
        concat!("/portal/offers/{publisher}/{offer}", $tail)
    };
}

/// Every guarded route.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    route("GET", "/api/openapi.json", SeePublic, Market, "This document."),
    route("GET", "/api/v1/health", SeePublic, Market, "Whether the ledger answers."),
    route("GET", "/api/v1/me", UseAccount, Market, "Who the caller is."),
    route("GET", "/api/v1/catalogue", SeePublic, Market, "Live offers, by page and category; with q, type, license, platform, publisher, market, sort or page a search with facets."),
    route("GET", "/api/v1/catalogue/{id}", UseListing, Listing, "One live offer; id is publisher.offer."),
    route("GET", "/api/v1/preview/{id}", UseListing, Listing, "One previewed offer, for its audience."),
    route("GET", "/api/v1/catalogue/{id}/plans/{plan}/disks/{disk}/{format}", UseListing, Listing, "A disk of a live offer as raw, vhd-fixed, vhdx or qcow2; ranges are answered."),
    route("GET", "/api/v1/preview/{id}/plans/{plan}/disks/{disk}/{format}", UseListing, Listing, "A disk of a previewed offer, for its audience."),
    route("GET", "/api/v1/publishers", UseAccount, Market, "Publishers in which the caller has a part."),
    with(route("POST", "/api/v1/publishers", Operate, Market, "Make a publisher."), "NewPublisher", 201),
    route("GET", "/api/v1/publishers/{publisher}/members", ManageMembers, Publisher, "Members."),
    with(route("POST", "/api/v1/publishers/{publisher}/members", ManageMembers, Publisher, "Add a member; answers a sign-in link."), "NewMember", 201),
    with(route("DELETE", "/api/v1/publishers/{publisher}/members/{user}", ManageMembers, Publisher, "Remove a member."), "", 204),
    route("GET", "/api/v1/publishers/{publisher}/mail", ReadOffers, Publisher, "Mails about the publisher's offers."),
    with(route("POST", "/api/v1/publishers/{publisher}/media", EditOffers, Publisher, "Upload a PNG; answers its digest and size."), "Picture", 201),
    route("GET", "/api/v1/publishers/{publisher}/uploads", ReadOffers, Publisher, "Uploads of disks."),
    with(route("POST", "/api/v1/publishers/{publisher}/uploads", EditOffers, Publisher, "Begin to upload a disk (tus 1.0.0): Upload-Length and Upload-Metadata with its filename."), "", 201),
    route("GET", "/api/v1/publishers/{publisher}/uploads/{upload}", ReadOffers, Publisher, "How far an upload is; HEAD gives Upload-Offset."),
    with(route("PATCH", "/api/v1/publishers/{publisher}/uploads/{upload}", EditOffers, Publisher, "Send the part that begins at Upload-Offset."), "", 204),
    with(route("DELETE", "/api/v1/publishers/{publisher}/uploads/{upload}", EditOffers, Publisher, "Delete an upload."), "", 204),
    route("GET", "/api/v1/publishers/{publisher}/offers", ReadOffers, Publisher, "Offers with their status."),
    route("GET", OFFER, ReadOffers, Publisher, "The draft, with its ETag. Secrets are never returned."),
    with(route("PUT", OFFER, EditOffers, Publisher, "Save the draft; If-Match is needed for an existing one."), "Offer", 200),
    with(route("DELETE", OFFER, EditOffers, Publisher, "Delete an offer that was never published."), "", 204),
    route("GET", offer!("/slot/{slot}"), ReadOffers, Publisher, "The document in draft, preview or production."),
    route("GET", offer!("/status"), ReadOffers, Publisher, "Status of the latest submission."),
    route("GET", offer!("/history"), ReadOffers, Publisher, "What happened, oldest first."),
    route("GET", offer!("/submissions"), ReadOffers, Publisher, "Submissions, newest first."),
    route("GET", offer!("/submissions/{submission}"), ReadOffers, Publisher, "Status of one submission."),
    route("GET", offer!("/submissions/{submission}/events"), ReadOffers, Publisher, "Server-sent events of one submission."),
    route("GET", offer!("/submissions/{submission}/verdicts/{digest}"), ReadOffers, Publisher, "The verdict on one image or disk; ?format= json (the document), text, sarif, junit, html or self-test, else by Accept."),
    route("GET", offer!("/submissions/{submission}/boot/{digest}/{part}"), ReadOffers, Publisher, "The boot test of a disk; part is report, console or screenshot."),
    route("GET", offer!("/sboms/{digest}"), ReadOffers, Publisher, "A bill of materials, CycloneDX 1.6 JSON."),
    route("POST", offer!("/validate"), ReadOffers, Publisher, "Check the draft without publishing it."),
    with(route("POST", offer!("/publish"), Publish, Publisher, "Publish the draft."), "PublishRequest", 202),
    with(route("POST", offer!("/golive"), GoLive, Publisher, "Take the preview live."), "GoLiveRequest", 202),
    route("POST", offer!("/retry"), Publish, Publisher, "Try at once what waits for its next try."),
    route("POST", offer!("/cancel"), Publish, Publisher, "Cancel the active submission."),
    with(route("PUT", offer!("/audience"), EditOffers, Publisher, "Change who may see the open preview."), "Audience", 200),
    route("GET", "/api/v1/tokens", UseAccount, Market, "The caller's API tokens."),
    with(route("POST", "/api/v1/tokens", ManageAccount, Market, "Make an API token; it is shown once."), "NewToken", 201),
    with(route("DELETE", "/api/v1/tokens/{id}", ManageAccount, Market, "Revoke an API token."), "", 204),
    route("GET", "/api/v1/subscriptions", UseAccount, Market, "The caller's subscriptions."),
    with(route("POST", "/api/v1/subscriptions", ManageAccount, Market, "Make a subscription."), "NewSubscription", 201),
    route("GET", "/api/v1/subscriptions/{id}/pull-tokens", UseAccount, Market, "Pull tokens."),
    with(route("DELETE", "/api/v1/subscriptions/{id}/pull-tokens/{token}", ManageAccount, Market, "Revoke a pull token."), "", 204),
    with(route("POST", "/api/v1/subscriptions/{id}/pull-tokens", ManageAccount, Market, "Make a pull token; it is shown once."), "", 201),
    route("GET", "/api/v1/subscriptions/{id}/terms/{urn}", UseAccount, Market, "The terms of a plan, and whether the subscription accepted them; urn is publisher:offer:plan:version."),
    with(route("POST", "/api/v1/subscriptions/{id}/terms/{urn}", Deploy, Market, "Accept the terms of a plan."), "Acceptance", 200),
    route("GET", "/api/v1/subscriptions/{id}/deployments", UseAccount, Market, "Deployments, newest first."),
    with(route("POST", "/api/v1/subscriptions/{id}/deployments", Deploy, Market, "Record a deployment."), "NewDeployment", 201),
    route("GET", "/", SeePublic, Market, "To the storefront."),
    route("GET", "/marketplace", SeePublic, Market, "Storefront."),
    route("GET", "/marketplace/apps/category/{category}", SeePublic, Market, "Storefront, one category."),
    route("GET", "/marketplace/apps/{id}", UseListing, Listing, "Product page."),
    route("GET", "/marketplace/apps/{id}/sbom/{digest}", UseListing, Listing, "A bill of materials of a live offer."),
    route("GET", "/marketplace/apps/{id}/get/{plan}", UseAccount, Market, "Ask for subscription and consent."),
    route("POST", "/marketplace/apps/{id}/get/{plan}", Deploy, Market, "Accept the terms of a plan."),
    route("GET", "/marketplace/preview/{id}", UseListing, Listing, "Product page in preview."),
    route("GET", "/media/{digest}", SeePublic, Market, "A picture, by its digest."),
    route("GET", "/static/{file}", SeePublic, Market, "Style sheet and scripts."),
    route("GET", "/rules", SeePublic, Market, "What certification asks for, rule by rule."),
    route("GET", "/accessibility", SeePublic, Market, "What the pages promise to be."),
    route("GET", "/styleguide", SeePublic, Market, "Every component of the pages, in every state."),
    route("GET", "/sign-in", SeePublic, Market, "Sign-in page."),
    route("POST", "/sign-in", SeePublic, Market, "Use a one-time link."),
    route("POST", "/sign-in/link", SeePublic, Market, "Have a one-time link sent to an address."),
    route("POST", "/sign-out", SeePublic, Market, "End the session."),
    route("GET", "/language/{locale}", SeePublic, Market, "Choose a language."),
    route("GET", "/portal", UseAccount, Market, "All offers."),
    route("GET", "/portal/new", UseAccount, Market, "New offer page."),
    route("POST", "/portal/publishers/{publisher}/offers", EditOffers, Publisher, "Make an offer."),
    route("GET", portal!("/editor"), ReadOffers, Publisher, "To the editor's first page."),
    route("GET", portal!("/editor/{page}"), ReadOffers, Publisher, "A page of the editor."),
    route("POST", portal!("/editor/{page}"), EditOffers, Publisher, "Save a page, or save and publish."),
    route("GET", portal!("/compare"), ReadOffers, Publisher, "The draft beside what is live or in preview."),
    route("GET", portal!("/offer.yaml"), ReadOffers, Publisher, "The draft as a file."),
    route("GET", portal!("/import"), EditOffers, Publisher, "Ask for a file."),
    route("POST", portal!("/import"), EditOffers, Publisher, "Replace the draft by a file."),
    route("GET", portal!("/clone"), EditOffers, Publisher, "Ask for the id of a copy."),
    route("POST", portal!("/clone"), EditOffers, Publisher, "Make a new draft from this one."),
    route("GET", portal!("/delete"), EditOffers, Publisher, "Ask whether to delete."),
    route("GET", portal!("/publish"), Publish, Publisher, "Ask for the notification addresses."),
    route("POST", portal!("/publish"), Publish, Publisher, "Publish."),
    route("GET", portal!("/status"), ReadOffers, Publisher, "Status tab."),
    route("GET", portal!("/submissions/{submission}"), ReadOffers, Publisher, "Status of one submission."),
    route("GET", portal!("/submissions/{submission}/events"), ReadOffers, Publisher, "Changed parts of the Status tab."),
    route("GET", portal!("/cancel"), Publish, Publisher, "Ask whether to cancel."),
    route("GET", portal!("/history"), ReadOffers, Publisher, "What happened, with who and what changed."),
    route("GET", portal!("/history.csv"), ReadOffers, Publisher, "The history as a table."),
    route("GET", portal!("/versions"), ReadOffers, Publisher, "Submissions, newest first."),
    route("POST", portal!("/answer"), Publish, Publisher, "Answer the certification team."),
    route("POST", portal!("/golive"), GoLive, Publisher, "Go Live."),
    route("POST", portal!("/retry"), Publish, Publisher, "Try at once what waits for its next try."),
    route("POST", portal!("/cancel"), Publish, Publisher, "Cancel Publish."),
    route("POST", portal!("/delete"), EditOffers, Publisher, "Delete."),
    route("GET", "/portal/publishers/{publisher}/numbers", ReadOffers, Publisher, "Numbers of a publisher."),
    route("GET", "/portal/publishers/{publisher}/mail", ReadOffers, Publisher, "Mailbox."),
    route("GET", "/portal/account", UseAccount, Market, "Tokens and subscriptions."),
    route("POST", "/portal/account/tokens", ManageAccount, Market, "Make an API token."),
    route("POST", "/portal/account/tokens/{id}/revoke", ManageAccount, Market, "Revoke an API token."),
    route("POST", "/portal/account/subscriptions", ManageAccount, Market, "Make a subscription."),
    route("POST", "/portal/account/subscriptions/{id}/pull-tokens", ManageAccount, Market, "Make a pull token."),
    route("POST", "/portal/account/subscriptions/{id}/pull-tokens/{token}/revoke", ManageAccount, Market, "Revoke a pull token."),
    route("GET", "/portal/operator", Operate, Market, "Publishers, members and queues."),
    route("GET", "/portal/review", Operate, Market, "Submissions that wait for the certification team."),
    route("GET", "/portal/review/{submission}", Operate, Market, "One submission in review."),
    route("POST", "/portal/review/{submission}", Operate, Market, "Claim, ask, approve or reject."),
    route("GET", "/portal/operator/numbers", Operate, Market, "Numbers of the market."),
    route("GET", "/portal/operator/queues", Operate, Market, "Work that waits and that is done."),
    route("GET", "/portal/operator/health", Operate, Market, "What this installation has and lacks."),
    route("POST", "/portal/operator/publishers", Operate, Market, "Make a publisher."),
    route("POST", "/portal/operator/members", Operate, Market, "Add a member."),
    // Leads.
    with(route("POST", "/api/v1/catalogue/{id}/leads", Deploy, Market, "Ask for an offer, with consent."), "Interest", 202),
    with(route("POST", "/api/v1/preview/{id}/leads", Deploy, Market, "Ask for a previewed offer, with consent."), "Interest", 202),
    route("GET", "/api/v1/publishers/{publisher}/leads", ReadLeads, Publisher, "Leads and their delivery."),
    route("GET", "/api/v1/publishers/{publisher}/leads.csv", ManageLeads, Publisher, "All leads as CSV, safe to open in a spreadsheet."),
    with(route("POST", "/api/v1/publishers/{publisher}/leads/{lead}/replay", ManageLeads, Publisher, "Send a lead again that was given up."), "", 202),
    with(route("DELETE", "/api/v1/publishers/{publisher}/leads/{lead}", ManageLeads, Publisher, "Take the personal data out of a lead."), "", 204),
    with(route("POST", offer!("/test-lead"), Publish, Publisher, "Send a test lead to the draft's destination."), "", 202),
    // Support. Who has a part in a request is decided by the handlers, for the request that they find.
    route("GET", "/api/v1/support", UseAccount, Market, "The caller's support requests; ?queue=true for operators."),
    with(route("POST", "/api/v1/support", AskSupport, Market, "Ask for support."), "NewRequest", 201),
    route("GET", "/api/v1/support/{id}", UseAccount, Market, "A support request with its thread."),
    with(route("POST", "/api/v1/support/{id}/replies", AskSupport, Market, "Answer, close, or change a request."), "NewReply", 200),
    route("GET", "/api/v1/support/{id}/attachments/{digest}", UseAccount, Market, "A file of a request."),
    route("GET", "/support", UseAccount, Market, "Support requests."),
    route("POST", "/support", AskSupport, Market, "Ask for support."),
    route("GET", "/support/new", UseAccount, Market, "Form to ask for support."),
    route("GET", "/support/{id}", UseAccount, Market, "A support request."),
    route("POST", "/support/{id}", AskSupport, Market, "Answer, close, or change a request."),
    route("GET", "/support/{id}/attachments/{digest}", UseAccount, Market, "A file of a request."),
    // Exceptions.
    with(route("POST", offer!("/submissions/{submission}/exceptions"), Publish, Publisher, "Ask for an exception from a finding, or appeal."), "NewException", 201),
    route("GET", "/api/v1/publishers/{publisher}/exceptions", ReadOffers, Publisher, "Exceptions asked for."),
    with(route("POST", "/api/v1/publishers/{publisher}/exceptions/{exception}", Publish, Publisher, "Say more about a request for an exception."), "MoreAboutException", 200),
    route("GET", "/api/v1/publishers/{publisher}/exceptions/{exception}/attachments/{digest}", ReadOffers, Publisher, "A file that came with a request."),
    route("GET", "/api/v1/exceptions/{exception}/attachments/{digest}", Operate, Market, "A file that came with a request, for reviewers."),
    route("GET", "/api/v1/exceptions", Operate, Market, "Requests for exceptions that wait for a reviewer; with ?state=granted those in force, with ?state=over those that were denied, withdrawn or are over."),
    with(route("POST", "/api/v1/exceptions/{exception}", Operate, Market, "Decide a request for an exception."), "ExceptionDecision", 200),
    route("GET", portal!("/exceptions/new"), Publish, Publisher, "Form to ask for an exception."),
    route("POST", portal!("/exceptions"), Publish, Publisher, "Ask for an exception."),
    route("GET", "/portal/publishers/{publisher}/exceptions", ReadOffers, Publisher, "Exceptions."),
    route("POST", "/portal/publishers/{publisher}/exceptions/{exception}", Publish, Publisher, "Say more."),
    route("GET", "/portal/operator/exceptions", Operate, Market, "Requests for exceptions."),
    route("POST", "/portal/operator/exceptions/{exception}", Operate, Market, "Decide a request."),
    route("POST", offer!("/resolve"), EditOffers, Publisher, "What the references of the draft stand for now."),
    // Subscribers of notices.
    route("GET", "/api/v1/publishers/{publisher}/subscribers", ManageWebhooks, Publisher, "Who gets notices."),
    with(route("PUT", "/api/v1/publishers/{publisher}/subscribers/{email}", ManageWebhooks, Publisher, "Send an address the publisher's notices."), "Subscription", 200),
    with(route("DELETE", "/api/v1/publishers/{publisher}/subscribers/{email}", ManageWebhooks, Publisher, "Send an address no more notices."), "", 204),
    with(route("PUT", "/api/v1/publishers/{publisher}/subscription", EditOffers, Publisher, "Get the publisher's notices oneself."), "Subscription", 200),
    with(route("DELETE", "/api/v1/publishers/{publisher}/subscription", EditOffers, Publisher, "Get no more notices."), "", 204),
    route("GET", "/portal/publishers/{publisher}/notices", ReadOffers, Publisher, "Which notices one gets."),
    route("POST", "/portal/publishers/{publisher}/notices", EditOffers, Publisher, "Choose which notices one gets."),
    route("POST", "/portal/publishers/{publisher}/subscribers", ManageWebhooks, Publisher, "Choose which notices others get."),
    // Announcements.
    with(route("POST", offer!("/deprecations"), Publish, Publisher, "Tell everybody who deployed a version that it will be withdrawn."), "Deprecation", 202),
    with(route("POST", "/api/v1/recertifications", Operate, Market, "Tell publishers to certify live offers again."), "Recertification", 202),
    // Feeds.
    route("GET", "/marketplace/feed.atom", SeePublic, Market, "What is live, as Atom."),
    route("GET", "/marketplace/apps/category/{category}/feed.atom", SeePublic, Market, "A category, as Atom."),
    route("GET", "/marketplace/apps/{id}/feed.atom", UseListing, Listing, "An offer's versions, as Atom."),
    // Insights.
    route("GET", "/api/v1/publishers/{publisher}/insights", ReadOffers, Publisher, "How offers are used; ?from= and ?to=."),
    route("GET", "/api/v1/publishers/{publisher}/insights.csv", ReadOffers, Publisher, "Insights as CSV."),
    route("GET", "/portal/publishers/{publisher}/insights", ReadOffers, Publisher, "Insights."),
    route("GET", "/portal/publishers/{publisher}/insights.csv", ReadOffers, Publisher, "Insights as CSV."),
    // Webhooks.
    route("GET", "/api/v1/publishers/{publisher}/webhooks", ManageWebhooks, Publisher, "Webhooks."),
    with(route("POST", "/api/v1/publishers/{publisher}/webhooks", ManageWebhooks, Publisher, "Make a webhook (Standard Webhooks, CloudEvents); its secret is shown once."), "NewWebhook", 201),
    with(route("DELETE", "/api/v1/publishers/{publisher}/webhooks/{webhook}", ManageWebhooks, Publisher, "Remove a webhook."), "", 204),
    route("POST", "/api/v1/publishers/{publisher}/webhooks/{webhook}/rotate", ManageWebhooks, Publisher, "Give a webhook a new secret; the one before signs too for a day."),
    with(route("POST", "/api/v1/publishers/{publisher}/webhooks/{webhook}/test", ManageWebhooks, Publisher, "Send a test event."), "", 202),
    route("GET", "/api/v1/publishers/{publisher}/webhooks/{webhook}/deliveries", ManageWebhooks, Publisher, "What was sent to a webhook, newest first."),
    with(route("POST", "/api/v1/publishers/{publisher}/webhooks/{webhook}/replay", ManageWebhooks, Publisher, "Send an event again."), "Replay", 202),
    route("GET", "/portal/publishers/{publisher}/webhooks", ManageWebhooks, Publisher, "Webhooks."),
    route("POST", "/portal/publishers/{publisher}/webhooks", ManageWebhooks, Publisher, "Make a webhook."),
    route("GET", "/portal/publishers/{publisher}/webhooks/{webhook}", ManageWebhooks, Publisher, "A webhook."),
    route("POST", "/portal/publishers/{publisher}/webhooks/{webhook}", ManageWebhooks, Publisher, "Test, change or remove a webhook, or send an event again."),
    route("GET", "/portal/publishers/{publisher}/leads", ReadLeads, Publisher, "Leads."),
    route("GET", "/portal/publishers/{publisher}/leads.csv", ManageLeads, Publisher, "Leads as CSV."),
    route("POST", "/portal/publishers/{publisher}/leads/{lead}/replay", ManageLeads, Publisher, "Send a lead again."),
    route("POST", "/portal/publishers/{publisher}/leads/{lead}/erase", ManageLeads, Publisher, "Take the personal data out of a lead."),
    route("POST", portal!("/test-lead"), Publish, Publisher, "Send a test lead."),
    route("GET", "/marketplace/apps/{id}/contact", UseAccount, Market, "Form to ask for an offer."),
    route("POST", "/marketplace/apps/{id}/contact", Deploy, Market, "Ask for an offer."),
    route("GET", "/marketplace/preview/{id}/contact", UseAccount, Market, "Form to ask for a previewed offer."),
    route("POST", "/marketplace/preview/{id}/contact", Deploy, Market, "Ask for a previewed offer."),
];

/// The row of a route.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}
