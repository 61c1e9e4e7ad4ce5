//! What programs are given under names that are no service's.

use crate::kind::Class::{Digit, Password, Url};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, Part, named};

/// A credential whose name everybody uses.
const fn unnamed(name: &'static str, parts: &'static [Part]) -> Kind {
    named(name, parts).with(Check::Unnamed)
}

pub(super) const KINDS: &[Kind] = &[
    named("Telegram bot token", &[NoCase("_TOKEN"), Assign, Run(Digit, 8, 10), Lit(":AA"), Run(Url, 33, 33)]),
    unnamed("application secret", &[NoCase("SECRET_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("SECRET_KEY_BASE"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("_SECRET"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("CLIENT-SECRET"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("SIGNING_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("ENCRYPTION_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("HMAC_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("MASTER_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("JWT_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("JWT__KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("ACCOUNT_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("STORAGE_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("PRIMARY_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("APP_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("application secret", &[NoCase("SECRET_TOKEN"), Assign, Run(Password, 20, 128)]),
    unnamed("API key or token", &[NoCase("API_KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("API key or token", &[NoCase("API-KEY"), Assign, Run(Password, 20, 128)]),
    unnamed("API key or token", &[NoCase("_TOKEN"), Assign, Run(Password, 20, 128)]),
    unnamed("password", &[NoCase("_PASSWORD"), Assign, Run(Password, 8, 64)]),
    unnamed("password", &[NoCase("_PASSWD"), Assign, Run(Password, 8, 64)]),
    unnamed("password", &[NoCase("_PASS"), Assign, Run(Password, 8, 64)]),
    unnamed("password", &[NoCase("_PWD"), Assign, Run(Password, 8, 64)]),
];
