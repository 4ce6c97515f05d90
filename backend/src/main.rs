//! The platform's program.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use skiagraph::commands::Arguments;
use skiagraph_engine::kernel::keep_memory;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    keep_memory();
    match Arguments::parse().run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("skiagraph: {error:#}");
            ExitCode::FAILURE
        }
    }
}
