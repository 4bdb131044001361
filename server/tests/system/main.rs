//! Tests of the real binary: started, spoken to, killed.
//!
//! The data directory, the requests and the batches are made by hand here, without the core's
//! encoders: what both sides got wrong would cancel out. `kill` alone has the simulation's clients, for
//! its checkers.

/// Makes a test for each driver of each function, which takes the driver's name.
macro_rules! on_each_driver {
    ($($body:ident),+ $(,)?) => {
        mod on_std {
            $(#[test]
            fn $body() {
                super::$body("std");
            })+
        }
        mod on_smol {
            $(#[test]
            fn $body() {
                super::$body("smol");
            })+
        }
    };
}

mod client;
mod directory;
mod encode;
mod end_to_end;
mod failing_disk;
mod kill;
mod mount;
mod process;
mod start_script;
