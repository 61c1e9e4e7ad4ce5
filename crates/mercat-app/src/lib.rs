//! The counter: one file per verb
