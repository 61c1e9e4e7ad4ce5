//! Every maximum in the product that is not in a policy pack, with its unit.

/// Tags of one plan.
pub const PLAN_TAGS_MAX: usize = 16;
/// Plans of one offer.
pub const OFFER_PLANS_MAX: usize = 100;
/// Subscriptions that may see a preview.
pub const ALLOW_LIST_MAX: usize = 100;
/// Notification addresses of one submission.
pub const NOTIFY_EMAILS_MAX: usize = 20;
/// Bytes of an OCI manifest or index.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Bytes of an image config.
pub const CONFIG_BYTES_MAX: u64 = 8 << 20;
/// Manifests in one index.
pub const INDEX_ENTRIES_MAX: usize = 256;
/// Nesting of indexes.
pub const INDEX_DEPTH_MAX: usize = 3;
/// Packed bytes of one image that are copied at all.
pub const IMAGE_BYTES_MAX: u64 = 64 << 30;
/// Layers of one image (overlayfs cannot mount more).
pub const LAYERS_MAX: usize = 127;
/// Bytes of one media file, as uploaded.
pub const MEDIA_BYTES_MAX: usize = 2 << 20;
/// Bytes of a JSON body of the API.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// Nesting of JSON from outside.
pub const JSON_DEPTH_MAX: usize = 64;
/// Panics of one step, one after the other, before the run gives up.
pub const STEP_PANICS_MAX: u32 = 5;
/// Deaths of a whole worker during one step before the run gives up. High, because machines are also
/// switched off for reasons that have nothing to do with the step.
pub const STEP_DEATHS_MAX: u32 = 200;
/// Errors of one step, one after the other, before the run gives up.
pub const STEP_ERRORS_MAX: u32 = 20;
/// Waits of one step for somebody else, about a minute each, before the run gives up: two days.
pub const STEP_WAITS_MAX: u32 = 2880;
/// Waits of validation for an image source before the run gives up and can be published again: four hours.
pub const SOURCE_WAITS_MAX: u32 = 240;
/// Seconds that one try of a step may take.
pub const STEP_SECS_MAX: u64 = 6 * 3600;
/// Attempts of one outbox message before it is set aside for the operator.
pub const OUTBOX_ATTEMPTS_MAX: u32 = 60;
