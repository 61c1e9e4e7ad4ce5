//! The whole program, from outside: the real binary over HTTP.

mod access;
mod bad_input;
mod builders;
mod certify;
mod house;
mod kill;
mod publish;
mod threats;

use house::House;
