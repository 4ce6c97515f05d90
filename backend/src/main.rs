//! The platform's program.

use std::process::ExitCode;

use actix_web::rt::System;
use clap::Parser;
use mimalloc::MiMalloc;
use skiagraph::commands::Arguments;
use skiagraph_engine::kernel::prepare_process;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    prepare_process();
    match System::new().block_on(Arguments::parse().run()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("skiagraph: {error:#}");
            ExitCode::FAILURE
        }
    }
}
