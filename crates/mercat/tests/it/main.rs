//! The whole program, from outside: the real binary over HTTP.

mod access;
mod accounts;
mod appliance;
mod bad_input;
mod boot;
mod browser;
mod builders;
mod certify;
mod certify_disk;
mod debian;
mod debian_offer;
mod disclosure;
mod disk;
mod eligibility;
mod exceptions;
mod forms;
mod house;
mod insights;
mod inventory;
mod kill;
mod leads;
mod listings;
mod lives;
mod machines;
mod mails;
mod plantings;
mod portal;
mod publish;
mod regions;
mod reports;
mod review;
mod rows;
mod rules;
mod sabotage;
mod sandbox;
mod scanners;
mod secrets;
mod standing;
mod start;
mod stock;
mod storefront;
mod support;
mod threats;
mod vex;
mod webhooks;
mod windows;
mod worst;

#[path = "../../src/demo/guest.rs"]
mod guest;

#[path = "../../benches/measure/mod.rs"]
mod measure;

use house::House;
