//! The process `aviary`.

use std::process::ExitCode;

fn main() -> ExitCode {
    aviary::cli::main()
}
