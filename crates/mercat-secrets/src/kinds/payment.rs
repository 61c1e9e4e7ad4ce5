//! Payments and shops.

use crate::kind::Class::{Alnum, Base64, Hex, HexAny, Lower, Url, Uuid};
use crate::kind::Part::{Assign, Lit, NoCase, Run};
use crate::kind::{Check, Kind, named, token};

pub(super) const KINDS: &[Kind] = &[
    token("Stripe live key", &[Lit("sk_live_"), Run(Alnum, 20, 247)]),
    token("Stripe restricted key", &[Lit("rk_live_"), Run(Alnum, 20, 247)]),
    token("Stripe webhook secret", &[Lit("whsec_"), Run(Base64, 32, 64)]),
    token("Stripe test key", &[Lit("sk_test_"), Run(Alnum, 24, 247)]),
    token("Square access token", &[Lit("sq0atp-"), Run(Url, 22, 22)]),
    token("Square OAuth secret", &[Lit("sq0csp-"), Run(Url, 43, 43)]),
    token("Square token", &[Lit("EAAA"), Run(Url, 60, 60)]).with(Check::OneLine),
    token("Shopify access token", &[Lit("shpat_"), Run(HexAny, 32, 32)]),
    token("Shopify custom app token", &[Lit("shpca_"), Run(HexAny, 32, 32)]),
    token("Shopify private app token", &[Lit("shppa_"), Run(HexAny, 32, 32)]),
    token("Shopify shared secret", &[Lit("shpss_"), Run(HexAny, 32, 32)]),
    token(
        "Braintree access token",
        &[Lit("access_token$production$"), Run(Lower, 16, 16), Lit("$"), Run(Hex, 32, 32)],
    ),
    named("PayPal client secret", &[NoCase("PAYPAL_CLIENT_SECRET"), Assign, Run(Url, 80, 80)]),
    named("Adyen key", &[NoCase("ADYEN_API_KEY"), Assign, Run(Base64, 60, 300)]),
    named("Razorpay secret", &[NoCase("RAZORPAY_KEY_SECRET"), Assign, Run(Alnum, 24, 24)]),
    token("Razorpay live key", &[Lit("rzp_live_"), Run(Alnum, 14, 14)]).with(Check::Mixed),
    token("Flutterwave secret key", &[Lit("FLWSECK-"), Run(Alnum, 32, 32), Lit("-X")]),
    named("Paystack secret key", &[NoCase("PAYSTACK_SECRET_KEY"), Assign, Run(Url, 40, 60)]),
    token("GoCardless token", &[Lit("live_"), Run(Url, 40, 40)]).with(Check::Alone),
    named("Mollie key", &[NoCase("MOLLIE_API_KEY"), Assign, Run(Url, 30, 40)]),
    named("Plaid secret", &[NoCase("PLAID_SECRET"), Assign, Run(Hex, 30, 30)]),
    token("Plaid access token", &[Lit("access-production-"), Run(Uuid, 36, 36)]),
    named("Coinbase API secret", &[NoCase("COINBASE_API_SECRET"), Assign, Run(Base64, 32, 88)]),
    named("Binance secret key", &[NoCase("BINANCE_API_SECRET"), Assign, Run(Alnum, 64, 64)]),
    named("Kraken secret", &[NoCase("KRAKEN_API_SECRET"), Assign, Run(Base64, 86, 86), Lit("==")]),
    token("EasyPost key", &[Lit("EZAK"), Run(Alnum, 54, 54)]),
    token("EasyPost test key", &[Lit("EZTK"), Run(Alnum, 54, 54)]),
    token("Duffel token", &[Lit("duffel_live_"), Run(Url, 43, 43)]),
    token("Shippo token", &[Lit("shippo_live_"), Run(Hex, 40, 40)]),
    token("Lob key", &[Lit("live_pub_"), Run(Hex, 31, 31)]),
];
