//! The whole program, from outside: the real binary over HTTP.

mod access;
mod accounts;
mod bad_input;
mod browser;
mod builders;
mod certify;
mod certify_disk;
mod disk;
mod house;
mod kill;
mod machines;
mod publish;
mod regions;
mod rules;
mod threats;

use house::House;
