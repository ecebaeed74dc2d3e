#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod against;
mod arguments;
mod commands;
mod console;
mod demo;
mod exit;
mod figures;
mod files;
mod filter;
mod log;
mod moment;
mod plain;
mod progress;
mod settings;
mod state;
mod table;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::exit::Exit;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.global.verbose);
    let mut console = Console::standard(arguments.global.color);
    let exit = match commands::run(&arguments, &mut console) {
        Ok(exit) => exit,
        Err(stop) => {
            console.stop(&stop);
            Exit::Unknown
        }
    };
    match console.finish() {
        Ok(()) => exit.into(),
        Err(error) => {
            console.stop(&error.into());
            Exit::Unknown.into()
        }
    }
}
