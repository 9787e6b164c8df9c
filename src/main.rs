//! The process `aviary`.

use std::process::ExitCode;

/// musl's allocator, which the released image would have, is slow with threads. What this one keeps after a roll-out of many canaries
/// is in docs/benchmarks.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    aviary::cli::main()
}
