//! Secrets stores, monitoring and what runs systems.

use crate::kind::Class::{Alnum, Base64, Dotted, Hex, HexAny, Lower, Password, Upper, Url, Uuid};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, named, token};

pub(super) const KINDS: &[Kind] = &[
    token("HashiCorp Vault token", &[Lit("hvs."), Run(Url, 90, 120)]),
    token("HashiCorp Vault batch token", &[Lit("hvb."), Run(Url, 130, 300)]),
    token("HashiCorp Vault recovery token", &[Lit("hvr."), Run(Url, 24, 120)]),
    named("HashiCorp Vault token", &[NoCase("VAULT_TOKEN"), Assign, Run(Dotted, 24, 120)]),
    named("Consul token", &[NoCase("CONSUL_HTTP_TOKEN"), Assign, Run(Uuid, 36, 36)]).with(Check::Uuid),
    named("Nomad token", &[NoCase("NOMAD_TOKEN"), Assign, Run(Uuid, 36, 36)]).with(Check::Uuid),
    token("1Password service account token", &[Lit("ops_eyJ"), Run(Base64, 250, 1500)]),
    named("Bitwarden session", &[NoCase("BW_SESSION"), Assign, Run(Base64, 86, 86), Lit("==")]),
    token("OpenVPN static key", &[Lit("-----BEGIN OpenVPN Static key V1-----\n"), Run(Hex, 32, 32)]),
    // As minisign and signify write them: algorithms, salt, and 64 bytes of a key.
    token("minisign secret key", &[Lit("RWRTY0Iy"), Run(Base64, 203, 204)]),
    token("minisign secret key", &[Lit("RWQAAEIy"), Run(Base64, 203, 204)]),
    token("signify secret key", &[Lit("RWRCSwAA"), Run(Base64, 131, 132)]),
    token("age secret key", &[Lit("AGE-SECRET-KEY-1"), Run(Upper, 58, 58)]),
    token("Tailscale auth key", &[Lit("tskey-auth-"), Run(Alnum, 10, 20), Lit("-"), Run(Alnum, 20, 40)]),
    token("Tailscale API key", &[Lit("tskey-api-"), Run(Alnum, 10, 20), Lit("-"), Run(Alnum, 20, 40)]),
    token(
        "Tailscale client secret",
        &[Lit("tskey-client-"), Run(Alnum, 10, 20), Lit("-"), Run(Alnum, 20, 40)],
    ),
    named("WireGuard private key", &[Lit("PrivateKey"), Assign, Run(Base64, 43, 43), Lit("=")])
        .with(Check::Bytes(32)),
    named("WireGuard preshared key", &[Lit("PresharedKey"), Assign, Run(Base64, 43, 43), Lit("=")])
        .with(Check::Bytes(32)),
    named("ngrok token", &[NoCase("NGROK_AUTHTOKEN"), Assign, Run(Url, 40, 56)]),
    token("Cloudflare Tunnel token", &[Lit("eyJhIjoi"), Run(Url, 120, 200)]),
    token("Grafana API key", &[Lit("eyJrIjoi"), Run(Base64, 60, 200)]),
    token("Grafana service token", &[Lit("glsa_"), Run(Alnum, 32, 32), Lit("_"), Run(HexAny, 8, 8)]),
    token("Grafana Cloud token", &[Lit("glc_"), Run(Base64, 40, 400)]),
    named("Datadog API key", &[NoCase("DD_API_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Datadog API key", &[NoCase("DATADOG_API_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Datadog application key", &[NoCase("DD_APP_KEY"), Assign, Run(Hex, 40, 40)]),
    named("Datadog application key", &[NoCase("DATADOG_APP_KEY"), Assign, Run(Hex, 40, 40)]),
    token("New Relic user key", &[Lit("NRAK-"), Run(Upper, 27, 27)]),
    token("New Relic admin key", &[Lit("NRAA-"), Run(Upper, 27, 27)]),
    token("New Relic insights key", &[Lit("NRII-"), Run(Url, 32, 32)]),
    named("New Relic licence key", &[NoCase("NEW_RELIC_LICENSE_KEY"), Assign, Run(Alnum, 40, 40)]),
    token("Sentry user token", &[Lit("sntryu_"), Run(Hex, 64, 64)]),
    token("Sentry organization token", &[Lit("sntrys_"), Run(Base64, 80, 400)]),
    named("Sentry token", &[NoCase("SENTRY_AUTH_TOKEN"), Assign, Run(Hex, 64, 64)]),
    named("Honeycomb key", &[NoCase("HONEYCOMB_API_KEY"), Assign, Run(Alnum, 22, 64)]),
    token("Dynatrace token", &[Lit("dt0c01."), Run(Upper, 24, 24), Lit("."), Run(Upper, 64, 64)]),
    named("Elastic Cloud key", &[NoCase("EC_API_KEY"), Assign, Run(Base64, 40, 80)]),
    named("Elasticsearch password", &[NoCase("ELASTIC_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
    named("Splunk HEC token", &[NoCase("SPLUNK_HEC_TOKEN"), Assign, Run(Uuid, 36, 36)]).with(Check::Uuid),
    named("PagerDuty key", &[NoCase("PAGERDUTY_TOKEN"), Assign, Run(Url, 20, 20)]),
    named("Opsgenie key", &[NoCase("OPSGENIE_API_KEY"), Assign, Run(Uuid, 36, 36)]).with(Check::Uuid),
    named("Rollbar token", &[NoCase("ROLLBAR_ACCESS_TOKEN"), Assign, Run(Hex, 32, 32)]),
    named("Bugsnag key", &[NoCase("BUGSNAG_API_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Logz.io token", &[NoCase("LOGZIO_TOKEN"), Assign, Run(Alnum, 32, 32)]),
    named("Sumo Logic key", &[NoCase("SUMO_ACCESS_KEY"), Assign, Run(Alnum, 64, 64)]),
    named("Loggly token", &[NoCase("LOGGLY_TOKEN"), Assign, Run(Uuid, 36, 36)]).with(Check::Uuid),
    token("LogDNA ingestion key", &[Lit("sts_"), Run(Hex, 32, 32)]),
    named("Okta token", &[NoCase("OKTA_API_TOKEN"), Assign, Run(Url, 42, 42)]),
    named("Auth0 client secret", &[NoCase("AUTH0_CLIENT_SECRET"), Assign, Run(Url, 64, 64)]),
    named("Clerk secret key", &[NoCase("CLERK_SECRET_KEY"), Assign, Run(Url, 40, 64)]),
    named("Duo secret key", &[NoCase("DUO_SKEY"), Assign, Run(Alnum, 40, 40)]),
    named("Keycloak client secret", &[NoCase("KEYCLOAK_CLIENT_SECRET"), Assign, Run(Alnum, 32, 36)]),
    token("LaunchDarkly SDK key", &[Lit("sdk-"), Run(Uuid, 36, 36)]),
    token("LaunchDarkly API key", &[Lit("api-"), Run(Uuid, 36, 36)]),
    named("Meraki key", &[NoCase("MERAKI_DASHBOARD_API_KEY"), Assign, Run(Hex, 40, 40)]),
    named(
        "Rancher token",
        &[NoCase("RANCHER_TOKEN"), Assign, Run(Url, 10, 20), Lit(":"), Run(Lower, 54, 54)],
    ),
    named(
        "Kubernetes join token",
        &[NoCase("--token"), Assign, Run(Lower, 6, 6), Lit("."), Run(Lower, 16, 16)],
    ),
    named("K3s token", &[NoCase("K3S_TOKEN"), Assign, Run(Url, 32, 140)]),
    token("OpenShift token", &[Lit("sha256~"), Run(Url, 43, 43)]),
    named("Rails master key", &[NoCase("RAILS_MASTER_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Rails secret key base", &[NoCase("SECRET_KEY_BASE"), Assign, Run(Hex, 64, 128)]),
    named("Laravel key", &[NoCase("APP_KEY=base64"), Assign, Run(Base64, 43, 43), Lit("=")])
        .with(Check::Bytes(32)),
    token("Django secret key", &[Lit("django-insecure-"), Run(Password, 50, 50)]),
    named("Flask secret key", &[NoCase("FLASK_SECRET_KEY"), Assign, Run(Password, 24, 128)])
        .with(Check::Chosen),
    named("JWT signing secret", &[NoCase("JWT_SECRET"), Assign, Run(Password, 10, 128)]).with(Check::Chosen),
    named("NextAuth secret", &[NoCase("NEXTAUTH_SECRET"), Assign, Run(Password, 32, 128)])
        .with(Check::Chosen),
    named("Ansible Vault password", &[NoCase("ANSIBLE_VAULT_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
];
