//! Messages, mails and calls.

use crate::kind::Class::{Alnum, Base64, Digit, Dotted, Hex, Lower, Password, Upper, Url, Uuid};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, named, token};

pub(super) const KINDS: &[Kind] = &[
    token(
        "Slack bot token",
        &[Lit("xoxb-"), Run(Digit, 10, 13), Lit("-"), Run(Digit, 10, 13), Lit("-"), Run(Alnum, 18, 34)],
    ),
    token(
        "Slack user token",
        &[
            Lit("xoxp-"),
            Run(Digit, 10, 13),
            Lit("-"),
            Run(Digit, 10, 13),
            Lit("-"),
            Run(Digit, 10, 13),
            Lit("-"),
            Run(Alnum, 28, 34),
        ],
    ),
    token("Slack token", &[Lit("xoxa-"), Run(Url, 24, 120)]),
    token("Slack token", &[Lit("xoxr-"), Run(Url, 24, 120)]),
    token("Slack session token", &[Lit("xoxs-"), Run(Url, 24, 120)]),
    token("Slack session token", &[Lit("xoxc-"), Run(Url, 24, 120)]),
    token("Slack configuration token", &[Lit("xoxe-"), Run(Url, 60, 200)]),
    token("Slack configuration token", &[Lit("xoxe.xox"), Run(Dotted, 60, 240)]),
    token(
        "Slack app token",
        &[
            Lit("xapp-"),
            Run(Digit, 1, 1),
            Lit("-"),
            Run(Upper, 9, 13),
            Lit("-"),
            Run(Digit, 10, 14),
            Lit("-"),
            Run(Lower, 60, 70),
        ],
    ),
    token(
        "Slack webhook",
        &[
            Lit("hooks.slack.com/services/T"),
            Run(Upper, 8, 12),
            Lit("/B"),
            Run(Upper, 8, 12),
            Lit("/"),
            Run(Alnum, 20, 32),
        ],
    ),
    token(
        "Slack workflow",
        &[
            Lit("hooks.slack.com/workflows/T"),
            Run(Upper, 8, 12),
            Lit("/A"),
            Run(Upper, 8, 12),
            Lit("/"),
            Run(Digit, 17, 19),
            Lit("/"),
            Run(Alnum, 20, 32),
        ],
    ),
    token(
        "Discord webhook",
        &[Lit("discord.com/api/webhooks/"), Run(Digit, 17, 20), Lit("/"), Run(Url, 60, 72)],
    ),
    token(
        "Discord webhook",
        &[Lit("discordapp.com/api/webhooks/"), Run(Digit, 17, 20), Lit("/"), Run(Url, 60, 72)],
    ),
    named(
        "Discord bot token",
        &[
            NoCase("DISCORD_TOKEN"),
            Assign,
            Run(Url, 24, 28),
            Lit("."),
            Run(Url, 6, 6),
            Lit("."),
            Run(Url, 27, 38),
        ],
    ),
    named(
        "Discord bot token",
        &[
            NoCase("DISCORD_BOT_TOKEN"),
            Assign,
            Run(Url, 24, 28),
            Lit("."),
            Run(Url, 6, 6),
            Lit("."),
            Run(Url, 27, 38),
        ],
    ),
    token(
        "Telegram bot token",
        &[Lit("api.telegram.org/bot"), Run(Digit, 8, 10), Lit(":AA"), Run(Url, 33, 33)],
    ),
    named(
        "Telegram bot token",
        &[NoCase("TELEGRAM_BOT_TOKEN"), Assign, Run(Digit, 8, 10), Lit(":AA"), Run(Url, 33, 33)],
    ),
    token(
        "Teams webhook",
        &[
            Lit("webhook.office.com/webhookb2/"),
            Run(Uuid, 36, 36),
            Lit("@"),
            Run(Uuid, 36, 36),
            Lit("/IncomingWebhook/"),
            Run(Hex, 32, 32),
            Lit("/"),
            Run(Uuid, 36, 36),
        ],
    ),
    named("Twilio auth token", &[NoCase("TWILIO_AUTH_TOKEN"), Assign, Run(Hex, 32, 32)]),
    named("Twilio API secret", &[NoCase("TWILIO_API_SECRET"), Assign, Run(Alnum, 32, 32)]),
    token("Mailgun key", &[Lit("key-"), Run(Hex, 32, 32)]),
    named("Mailgun key", &[NoCase("MAILGUN_API_KEY"), Assign, Run(Url, 32, 72)]),
    named(
        "Mailchimp key",
        &[NoCase("MAILCHIMP_API_KEY"), Assign, Run(Hex, 32, 32), Lit("-us"), Run(Digit, 1, 2)],
    ),
    named("Mailchimp transactional key", &[NoCase("MANDRILL_API_KEY"), Assign, Run(Url, 22, 22)]),
    named("Postmark server token", &[NoCase("POSTMARK_SERVER_TOKEN"), Assign, Run(Uuid, 36, 36)])
        .with(Check::Uuid),
    token("Brevo key", &[Lit("xkeysib-"), Run(Hex, 64, 64), Lit("-"), Run(Alnum, 16, 16)]),
    token("Brevo SMTP key", &[Lit("xsmtpsib-"), Run(Hex, 64, 64), Lit("-"), Run(Alnum, 16, 16)]),
    named("Resend key", &[NoCase("RESEND_API_KEY"), Assign, Run(Url, 32, 40)]),
    named("SparkPost key", &[NoCase("SPARKPOST_API_KEY"), Assign, Run(Hex, 40, 40)]),
    named("Vonage secret", &[NoCase("VONAGE_API_SECRET"), Assign, Run(Alnum, 16, 16)]),
    named(
        "Firebase server key",
        &[NoCase("FCM_SERVER_KEY"), Assign, Run(Url, 11, 11), Lit(":"), Run(Url, 140, 140)],
    ),
    named("Zoom client secret", &[NoCase("ZOOM_CLIENT_SECRET"), Assign, Run(Alnum, 32, 32)]),
    named("Intercom token", &[NoCase("INTERCOM_ACCESS_TOKEN"), Assign, Run(Base64, 59, 59), Lit("=")]),
    token("HubSpot private app token", &[Lit("pat-na1-"), Run(Uuid, 36, 36)]),
    token("HubSpot private app token", &[Lit("pat-eu1-"), Run(Uuid, 36, 36)]),
    named("Zendesk token", &[NoCase("ZENDESK_API_TOKEN"), Assign, Run(Alnum, 40, 40)]),
    named("Twitter bearer token", &[NoCase("TWITTER_BEARER_TOKEN"), Assign, Run(Password, 80, 140)]),
    named("Facebook app secret", &[NoCase("FACEBOOK_APP_SECRET"), Assign, Run(Hex, 32, 32)]),
    token("Facebook access token", &[Lit("EAACEdEose0cBA"), Run(Alnum, 40, 250)]),
    named("LINE channel token", &[NoCase("LINE_CHANNEL_ACCESS_TOKEN"), Assign, Run(Base64, 168, 176)]),
    token("LINE Notify token", &[Lit("notify-api.line.me Bearer "), Run(Alnum, 43, 43)]),
    token("Dropbox token", &[Lit("sl.B"), Run(Url, 130, 160)]),
    named("Dropbox app secret", &[NoCase("DROPBOX_APP_SECRET"), Assign, Run(Lower, 15, 15)]),
    named("SMTP password", &[NoCase("SMTP_PASSWORD"), Assign, Run(Password, 8, 64)]).with(Check::Chosen),
    named("SMTP password", &[NoCase("EMAIL_HOST_PASSWORD"), Assign, Run(Password, 8, 64)])
        .with(Check::Chosen),
];
