//! What programs are given under names that are no service's.

use crate::kind::Class::{Digit, Password, Url};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, named};

pub(super) const KINDS: &[Kind] = &[
    named("Telegram bot token", &[NoCase("_TOKEN"), Assign, Run(Digit, 8, 10), Lit(":AA"), Run(Url, 33, 33)]),
    named("application secret", &[NoCase("SECRET_KEY"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("application secret", &[NoCase("SESSION_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("COOKIE_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("APP_SECRET"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("application secret", &[NoCase("API_SECRET"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("application secret", &[NoCase("AUTH_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("TOKEN_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("CLIENT_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("WEBHOOK_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("SIGNING_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("SIGNING_KEY"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("ENCRYPTION_KEY"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("HMAC_SECRET"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("application secret", &[NoCase("HMAC_KEY"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("application secret", &[NoCase("MASTER_KEY"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("API key or token", &[NoCase("API_KEY"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("API key or token", &[NoCase("API_TOKEN"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("API key or token", &[NoCase("ACCESS_TOKEN"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("API key or token", &[NoCase("AUTH_TOKEN"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("application secret", &[NoCase("SECRET_TOKEN"), Assign, Run(Password, 20, 128)])
        .with(Check::Unnamed),
    named("API key or token", &[NoCase("BEARER_TOKEN"), Assign, Run(Password, 20, 128)]).with(Check::Unnamed),
    named("password", &[NoCase("_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Unnamed),
    named("password", &[NoCase("_PASSWD"), Assign, Run(Password, 8, 64)]).with(Check::Unnamed),
];
