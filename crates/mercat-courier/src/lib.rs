//! The messengers: mail and leads
