//! Services on the web.

use crate::kind::Class::{Alnum, Base64, Digit, Dotted, Hex, Lower, Url};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Kind, named, token};

pub(super) const KINDS: &[Kind] = &[
    named("Algolia admin key", &[NoCase("ALGOLIA_ADMIN_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Algolia admin key", &[NoCase("ALGOLIA_API_KEY"), Assign, Run(Hex, 32, 32)]),
    named("Airtable token", &[NoCase("AIRTABLE_API_KEY"), Assign, Run(Dotted, 17, 82)]),
    named(
        "Asana token",
        &[
            NoCase("ASANA_ACCESS_TOKEN"),
            Assign,
            Run(Digit, 1, 1),
            Lit("/"),
            Run(Digit, 16, 16),
            Lit(":"),
            Run(Hex, 32, 32),
        ],
    ),
    token("Notion token", &[Lit("secret_"), Run(Alnum, 43, 43)]),
    token("Notion token", &[Lit("ntn_"), Run(Digit, 11, 11), Run(Alnum, 35, 35)]),
    token("Linear key", &[Lit("lin_api_"), Run(Alnum, 40, 40)]),
    token("Linear OAuth token", &[Lit("lin_oauth_"), Run(Hex, 64, 64)]),
    token("Figma token", &[Lit("figd_"), Run(Url, 40, 50)]),
    token("Contentful management token", &[Lit("CFPAT-"), Run(Url, 43, 43)]),
    token("Mapbox secret token", &[Lit("sk.eyJ1Ijoi"), Run(Url, 50, 120), Lit("."), Run(Url, 22, 22)]),
    token("Typeform token", &[Lit("tfp_"), Run(Url, 40, 60)]),
    token("Frame.io token", &[Lit("fio-u-"), Run(Url, 64, 64)]),
    token("ReadMe key", &[Lit("rdme_"), Run(Lower, 70, 70)]),
    token("Adobe client secret", &[Lit("p8e-"), Run(Url, 32, 32)]),
    named("Dropbox Sign key", &[NoCase("HELLOSIGN_API_KEY"), Assign, Run(Hex, 64, 64)]),
    named("Segment write key", &[NoCase("SEGMENT_WRITE_KEY"), Assign, Run(Alnum, 32, 32)]),
    named("Mixpanel secret", &[NoCase("MIXPANEL_API_SECRET"), Assign, Run(Hex, 32, 32)]),
    named("Amplitude secret", &[NoCase("AMPLITUDE_SECRET_KEY"), Assign, Run(Hex, 32, 32)]),
    token("PostHog personal key", &[Lit("phx_"), Run(Alnum, 40, 50)]),
    named("Sanity token", &[NoCase("SANITY_API_TOKEN"), Assign, Run(Alnum, 80, 180)]),
    named("Shodan key", &[NoCase("SHODAN_API_KEY"), Assign, Run(Alnum, 32, 32)]),
    named("VirusTotal key", &[NoCase("VIRUSTOTAL_API_KEY"), Assign, Run(Hex, 64, 64)]),
    named("Censys secret", &[NoCase("CENSYS_API_SECRET"), Assign, Run(Alnum, 32, 32)]),
    token("Apify token", &[Lit("apify_api_"), Run(Alnum, 36, 36)]),
    named("RapidAPI key", &[NoCase("RAPIDAPI_KEY"), Assign, Run(Alnum, 50, 50)]),
    named("SerpApi key", &[NoCase("SERPAPI_API_KEY"), Assign, Run(Hex, 64, 64)]),
    named("OpenWeather key", &[NoCase("OPENWEATHER_API_KEY"), Assign, Run(Hex, 32, 32)]),
    token("Trello token", &[Lit("ATTA"), Run(Hex, 64, 64)]),
    named("Salesforce token", &[NoCase("SALESFORCE_SECURITY_TOKEN"), Assign, Run(Alnum, 24, 24)]),
    named("Cloudinary secret", &[NoCase("CLOUDINARY_API_SECRET"), Assign, Run(Url, 27, 27)]),
    token("Cloudinary URL", &[Lit("cloudinary://"), Run(Digit, 15, 15), Lit(":"), Run(Url, 27, 27)]),
    named("Confluent secret", &[NoCase("CONFLUENT_CLOUD_API_SECRET"), Assign, Run(Base64, 64, 64)]),
    named("MaxMind licence key", &[NoCase("MAXMIND_LICENSE_KEY"), Assign, Run(Url, 16, 40)]),
    token(
        "Zapier webhook",
        &[Lit("hooks.zapier.com/hooks/catch/"), Run(Digit, 6, 10), Lit("/"), Run(Lower, 7, 7)],
    ),
    token("Tines webhook", &[Lit("tines.com/webhook/"), Run(Url, 30, 40), Lit("/"), Run(Hex, 32, 32)]),
    named("Unsplash secret", &[NoCase("UNSPLASH_SECRET_KEY"), Assign, Run(Url, 43, 43)]),
];
